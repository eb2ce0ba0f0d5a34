"""The keys that a system file may have: for suggestions, for `--set`, and as JSON Schema for editors."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast, get_args

from pydantic import BaseModel

from neupims.hardware.document import Entry, Leaf, Section
from neupims.hardware.system import SystemSpec

DROPPED = ("required", "discriminator")
BASE = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "description": "Files or systems to inherit from, merged in order; paths are relative to this file.",
}


def key_paths(tree: Section) -> list[str]:
    """Dotted names of all keys that the system in `tree` may have, sections included."""
    return list(dict.fromkeys(_paths(SystemSpec, tree, "")))


def unknown_key(path: str, known: Sequence[str]) -> str:
    """What is wrong with a key that does not exist: the nearest of its section or of all, or those allowed."""
    section = path.rpartition(".")[0]
    while section and section not in known:
        section = section.rpartition(".")[0]
    inside = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == section}
    anywhere = {name.rpartition(".")[2]: name for name in reversed(known)}
    word = path.rpartition(".")[2]
    if near := get_close_matches(word, inside, 1):
        return f"unknown key, did you mean {near[0]}?"
    if near := get_close_matches(word, anywhere, 1, 0.7):
        return f"unknown key, did you mean {anywhere[near[0]]}?"
    return f"unknown key, allowed {f'in {section} ' if section else ''}are {', '.join(inside)}"


def system_schema() -> dict[str, Any]:
    """JSON Schema of a system file, for editors.

    It has `base`, and requires no key: a file may be a part, or inherit what it lacks.
    """
    schema = SystemSpec.model_json_schema()
    schema["title"] = "neupims system"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"] = {"base": BASE} | schema["properties"]
    return cast("dict[str, Any]", _partial(schema))


def _paths(model: type[BaseModel], entry: Entry | None, prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield prefix + name
        below = entry.entries.get(name) if isinstance(entry, Section) else None
        for inner in _models(info.annotation, below):
            yield from _paths(inner, below, f"{prefix}{name}.")


def _models(annotation: Any, entry: Entry | None) -> list[type[BaseModel]]:
    """Models that a field may hold; of several, those whose `kind` is the one given."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    models = [kind for kind in kinds if issubclass(kind, BaseModel)]
    given = entry.entries.get("kind") if isinstance(entry, Section) else None
    chosen = [
        model for model in models if isinstance(given, Leaf) and model.model_fields["kind"].default == given.value
    ]
    return chosen or models


def _partial(schema: Any) -> Any:
    """The schema without `required`, and with `anyOf` for `oneOf`: parts of a union may match both members."""
    if isinstance(schema, list):
        return [_partial(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, Mapping):
        return schema
    items = cast("Mapping[str, Any]", schema).items()
    return {("anyOf" if key == "oneOf" else key): _partial(item) for key, item in items if key not in DROPPED}
