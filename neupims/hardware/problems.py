"""What pydantic found wrong, as sentences that say where, what, and what is allowed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from neupims.hardware.document import Entry, Leaf, Section
from neupims.hardware.schema import key_paths, unknown_key


def problems(error: ValidationError, tree: Section) -> list[str]:
    """One line per problem: `file:line:column: memory.timing.t_rpp_ns: unknown key, did you mean t_rp_ns?`."""
    known = key_paths(tree)
    return [_line(details, tree, known) for details in error.errors(include_url=False)]


def _line(details: ErrorDetails, tree: Section, known: Sequence[str]) -> str:
    path, entry = _follow(details, tree)
    name = ".".join(path)
    kind = details["type"]
    if kind == "extra_forbidden":
        return f"{entry.place}: {name}: {unknown_key(name, known)}"
    if kind == "missing" and isinstance(entry, Leaf):
        return f"{entry.place}: {name}: has no value"
    what = SENTENCES[kind](details) if kind in SENTENCES else details["msg"]
    settings = (
        ", ".join(dict.fromkeys(_settings(entry))) if isinstance(entry, Section) and kind == "value_error" else ""
    )
    return ": ".join(filter(None, (entry.place, name, what))) + (f" (with {settings})" if settings else "")


def _follow(details: ErrorDetails, tree: Section) -> tuple[list[str], Entry]:
    """Keys along the location of an error, without the tags of unions, and the innermost entry that exists."""
    path: list[str] = []
    entry: Entry = tree
    steps = [str(step) for step in details["loc"]]
    for position, step in enumerate(steps, 1):
        inner = entry.entries.get(step) if isinstance(entry, Section) else None
        absent = details["type"] == "missing" and position == len(steps)
        if inner is not None or isinstance(entry, Leaf) or absent:
            path.append(step)
        entry = inner or entry
    return path, entry


def _settings(entry: Entry) -> Iterator[str]:
    """Command-line settings inside an entry."""
    if isinstance(entry, Section):
        for inner in entry.entries.values():
            yield from _settings(inner)
    elif entry.place.startswith("--set "):
        yield entry.place


def _shown(value: Any) -> str:
    """A wrong value as the sentence names it."""
    names: Mapping[type, str] = {dict: "a section", list: "a list", type(None): "nothing"}
    if type(value) in names:
        return names[type(value)]
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _must(what: str) -> Callable[[ErrorDetails], str]:
    """Sentence `X is not allowed, must be ...`; the limits come from the context of the error."""
    return lambda details: f"{_shown(details['input'])} is not allowed, must be {what.format(**details.get('ctx', {}))}"


SENTENCES: Mapping[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda _: "missing, must be given here or in a base",
    "greater_than": _must("greater than {gt:g}"),
    "greater_than_equal": _must("at least {ge:g}"),
    "less_than": _must("less than {lt:g}"),
    "less_than_equal": _must("at most {le:g}"),
    "multiple_of": _must("a multiple of {multiple_of:g}"),
    "int_type": _must("a whole number"),
    "int_from_float": _must("a whole number"),
    "float_type": _must("a number"),
    "finite_number": _must("a finite number"),
    "bool_type": _must("true or false"),
    "string_type": _must("a text"),
    "literal_error": _must("{expected}"),
    "tuple_type": _must("a list"),
    "model_type": _must("a section of keys"),
    "dict_type": _must("a section of keys"),
    "union_tag_invalid": lambda details: "kind {tag!r} is not allowed, must be one of {expected_tags}".format(
        **details.get("ctx", {})
    ),
    "union_tag_not_found": lambda _: "has no kind, write kind: npu or kind: gpu",
    "value_error": lambda details: str(details.get("ctx", {}).get("error")),
}
