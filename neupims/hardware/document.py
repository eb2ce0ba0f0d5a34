"""YAML as a tree in which each value knows where it was written and what its comment says.

Scalars follow the core schema of YAML 1.2, so `on`, `off`, `yes` and `no` are words and `1e6` is a number.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import yaml

from neupims.errors import ConfigError

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

WORDS: Mapping[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
COMMENT = re.compile(r"(?:^|\s)#\s*(.*?)\s*$")
LOADER = cast("type[yaml.BaseLoader]", getattr(yaml, "CBaseLoader", yaml.BaseLoader))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is not a section, the place of its key (`file:line:column`) and the comment behind it."""

    place: str
    value: Value
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of keys to leaves and further sections, and the place of its key."""

    place: str
    entries: Mapping[str, "Entry"]


Entry = Leaf | Section


def read_document(text: str, file: str) -> Section:
    """Tree of a whole file; `file` is its name in messages.

    Raises ConfigError if the text is not YAML, is empty, is not a mapping, or gives a key twice.
    """
    entry = _read(text, file, lambda mark: f"{file}:{mark.line + 1}:{mark.column + 1}", "")
    if isinstance(entry, Section):
        return entry
    what = "is empty" if entry.value is None else "holds no keys"
    raise ConfigError(f"{file}: {what}, must hold sections such as processor, memory and link")


def read_value(text: str, place: str, comment: str) -> Entry:
    """Tree of a value that stands alone, as on a command line; all of it is at `place`.

    Raises ConfigError if the text is not YAML.
    """
    return _read(text, place, lambda _: place, comment)


def merge(below: Section, above: Section) -> Section:
    """Keys of both; where both have one, sections are merged and other values come from `above`."""
    entries = dict(below.entries)
    for key, entry in above.entries.items():
        old = entries.get(key)
        entries[key] = merge(old, entry) if isinstance(old, Section) and isinstance(entry, Section) else entry
    return Section(above.place, entries)


def plain_scalar(text: str) -> Value:
    """What an unquoted word means."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text


def _read(text: str, file: str, place: Callable[[yaml.Mark], str], comment: str) -> Entry:
    reader = _Reader(text.splitlines(), place)
    try:
        node = LOADER(text).get_single_node()
        entry = Leaf(file, None) if node is None else reader.entry(node, place(node.start_mark), "", comment)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{place(mark) if mark else file}: is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigError(f"{file}: is nested too deeply, or an alias refers to itself") from None
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    return entry


@dataclass(frozen=True, slots=True)
class _Reader:
    lines: list[str]
    place: Callable[[yaml.Mark], str]
    problems: list[str] = field(default_factory=list[str])

    def entry(self, node: yaml.Node, place: str, path: str, comment: str) -> Entry:
        if not isinstance(node, yaml.MappingNode):
            return Leaf(place, self.value(node), comment)
        self.refuse_tag(node)
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            here, key = self.place(key_node.start_mark), self.key(key_node)
            name = f"{path}.{key}" if path else key
            if key in entries:
                self.problems.append(f"{here}: {name}: is given twice, first at {entries[key].place}")
            entries[key] = self.entry(value_node, here, name, comment or self.comment(value_node))
        return Section(place, entries)

    def value(self, node: yaml.Node) -> Value:
        self.refuse_tag(node)
        if isinstance(node, yaml.MappingNode):
            return {self.key(key): self.value(value) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        text, style = str(node.value), cast("str | None", getattr(node, "style", None))
        return text if style else plain_scalar(text)

    def refuse_tag(self, node: yaml.Node) -> None:
        if node.tag not in TAGS:
            self.problems.append(f"{self.place(node.start_mark)}: tags such as {node.tag} are not used here")

    def key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.problems.append(f"{self.place(node.start_mark)}: a key must be a word")
        return ""

    def comment(self, node: yaml.Node) -> str:
        end = node.end_mark
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:  # ends where the next line's key begins
            return ""
        if end.line >= len(self.lines) or (isinstance(node, yaml.ScalarNode) and end.line > node.start_mark.line):
            return ""
        found = COMMENT.search(self.lines[end.line][end.column :])
        return found[1] if found else ""
