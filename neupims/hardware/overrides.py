"""`--set KEY=VALUE`: one value of a system, given on the command line."""

from collections.abc import Sequence
from functools import reduce

from neupims.errors import ConfigError
from neupims.hardware.document import Entry, Section, merge, read_value
from neupims.hardware.schema import key_paths, unknown_key
from neupims.hardware.system import SystemSpec


def override(tree: Section, settings: Sequence[str]) -> Section:
    """The tree with each `a.b=c` put in, in order; c is read as YAML.

    A key may be short: `memory.channels` stands for `memory.organization.channels`, since no other key below
    `memory` ends so. Raises ConfigError for a key that does not exist, could be several or is in a section that the
    system does not have, and for a value that is not YAML.
    """
    return reduce(_put, settings, tree)


def _put(tree: Section, setting: str) -> Section:
    place = f"--set {setting}"
    key, equals, text = (part.strip() for part in setting.partition("="))
    if not equals or not key:
        raise ConfigError(f"{place}: is not of the form KEY=VALUE, such as memory.channels=16")
    names = _resolve(key, key_paths(tree), place).split(".")
    absent = SystemSpec.model_fields[names[0]].default is None and not isinstance(tree.entries.get(names[0]), Section)
    if absent and len(names) > 1:
        raise ConfigError(f"{place}: {key}: the system has no {names[0]} section ({tree.place})")
    return merge(tree, Section(tree.place, {names[0]: _nest(names[1:], tree.entries.get(names[0]), text, place)}))


def _nest(names: Sequence[str], below: Entry | None, text: str, place: str) -> Entry:
    """The value inside the sections that lead to it; a section that exists keeps its place."""
    if not names:
        return read_value(text, place, place)
    section = below if isinstance(below, Section) else Section(place, {})
    return Section(section.place, {names[0]: _nest(names[1:], section.entries.get(names[0]), text, place)})


def _resolve(key: str, known: Sequence[str], place: str) -> str:
    """The full name of a key that is known, or the only one in the same section that ends alike."""
    section, _, rest = key.partition(".")
    found = [key] if key in known else [name for name in known if _abbreviates(section, rest, name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{place}: {key}: could be {' or '.join(found)}, write it in full")
    raise ConfigError(f"{place}: {key}: {unknown_key(key, known)}")


def _abbreviates(section: str, rest: str, name: str) -> bool:
    return bool(rest) and name.startswith(f"{section}.") and name.endswith(f".{rest}")
