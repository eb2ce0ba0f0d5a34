"""From the name of a system, or the path of a YAML file, to its specification."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from neupims.errors import ConfigError
from neupims.hardware.document import Leaf, Section, Value
from neupims.hardware.inherit import find_system, read_tree
from neupims.hardware.memory import MemorySpec
from neupims.hardware.overrides import override
from neupims.hardware.problems import problems
from neupims.hardware.schema import key_paths
from neupims.hardware.system import SystemSpec
from neupims.paths import data_dir


def load_system(name_or_path: str | Path, overrides: Sequence[str] = ()) -> SystemSpec:
    """The system of a name or file, with each override `a.b=c` put in.

    Raises ConfigError with one line per problem, `file:line:column: key: what is wrong, what is allowed`; the place of
    an override is `--set a.b=c`.
    """
    return _validated(_read(name_or_path, overrides))


def load_memory(part: str) -> MemorySpec:
    """The memory of a built-in part file `parts/dram/PART.yaml`, for memories that no system is built from.

    Raises ConfigError if there is no such file.
    """
    tree = read_tree(data_dir("hwconfigs") / "parts" / "dram" / f"{part}.yaml")
    plain = _plain(tree, frozenset(key_paths(tree)), "")
    return MemorySpec.model_validate_json(json.dumps(plain["memory"]), strict=True)


def sources(name_or_path: str | Path, overrides: Sequence[str] = ()) -> dict[str, str]:
    """Where each value comes from, by dotted key: the comment behind it, in whichever file it stands.

    Values without a comment are left out. Raises ConfigError if a file cannot be read.
    """
    leaves = _leaves(_read(name_or_path, overrides), "")
    return {key: leaf.comment for key, leaf in leaves if leaf.comment and leaf.value is not None}


def check_system(name_or_path: str | Path, overrides: Sequence[str] = ()) -> list[str]:
    """One line for each number of a system that names no source, defaults of the program included.

    Raises ConfigError if the system is wrong.
    """
    tree = _read(name_or_path, overrides)
    given = dict(_leaves(tree, ""))
    numbers = _numbers(_validated(tree).model_dump(), "")
    return [line for key, value in numbers if (line := _unsourced(key, value, given.get(key), tree))]


def _unsourced(key: str, value: float, leaf: Leaf | None, tree: Section) -> str:
    if leaf is None:
        return f"{tree.place}: {key}: {value} is a default of the program and has no source"
    return "" if leaf.comment else f"{leaf.place}: {key}: {value} has no source"


def _read(name_or_path: str | Path, overrides: Sequence[str]) -> Section:
    return override(read_tree(find_system(name_or_path)), overrides)


def _validated(tree: Section) -> SystemSpec:
    data = json.dumps(_plain(tree, frozenset(key_paths(tree)), ""))
    try:
        return SystemSpec.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise ConfigError("\n".join(problems(error, tree))) from None


def _plain(section: Section, known: frozenset[str], prefix: str) -> dict[str, Value]:
    """The tree as plain data. A null removes what it names, but does not hide an unknown key."""
    plain: dict[str, Value] = {}
    for key, entry in section.entries.items():
        name = prefix + key
        if isinstance(entry, Section):
            plain[key] = cast("Value", _plain(entry, known, f"{name}."))
        elif entry.value is not None or name not in known:
            plain[key] = entry.value
    return plain


def _leaves(section: Section, prefix: str) -> Iterator[tuple[str, Leaf]]:
    for key, entry in section.entries.items():
        if isinstance(entry, Section):
            yield from _leaves(entry, f"{prefix}{key}.")
        else:
            yield prefix + key, entry


def _numbers(data: Mapping[str, object], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _numbers(cast("Mapping[str, object]", value), f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, value
