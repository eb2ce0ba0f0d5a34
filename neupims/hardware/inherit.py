"""Where systems are found, and what a file inherits through its `base:`.

`base:` is a path relative to the file, the name of a system, or a list of these. They are merged in order, section by
section, and the file itself comes last. A null value removes what was inherited.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from pathlib import Path

from neupims.errors import ConfigError
from neupims.hardware.document import Leaf, Section, merge, read_document
from neupims.paths import data_dir

SUFFIXES = (".yaml", ".yml")


def folders() -> tuple[Path, ...]:
    """Where names are looked up: `hwconfigs` of the working directory, then the built-in folder."""
    return (Path.cwd() / "hwconfigs", data_dir("hwconfigs"))


def system_files() -> Mapping[str, Path]:
    """Files of all systems that can be named, by name; a user's file hides a built-in one of the same name."""
    found = {path.stem: path for folder in reversed(folders()) for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))


def find_system(name_or_path: str | Path) -> Path:
    """File of a system given by name (`neupims`) or by path (`my/system.yaml`).

    Raises ConfigError if there is none, with the names that exist and the nearest of them.
    """
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or text.endswith(SUFFIXES) or "/" in text or "\\" in text
    if is_path and Path(text).is_file():
        return Path(text)
    known = system_files()
    if not is_path and text in known:
        return known[text]
    near = get_close_matches(Path(text).stem, known, 1)
    what = f"{text}: no such file" if is_path else f"{text}: unknown system"
    hint = f", did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{what}{hint} (systems: {', '.join(known)}; or the path of a YAML file)")


def read_tree(path: Path) -> Section:
    """The file at `path` over all that it inherits; nulls are still there.

    Raises ConfigError if a file cannot be read or inherits from itself.
    """
    return _read(path, ())


def shown(path: Path) -> str:
    """The path as messages have it: relative to the working directory where it lies below."""
    absolute, here = path.resolve(), Path.cwd().resolve()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def _read(path: Path, trail: Sequence[Path]) -> Section:
    own = read_document(_text(path), shown(path))
    base = own.entries.get("base")
    if base is None:
        return own
    trail = (*trail, path.resolve())
    below = [_read(found, trail) for found in _bases(base, path, trail)]
    entries = {key: entry for key, entry in own.entries.items() if key != "base"}
    return reduce(merge, [*below, Section(own.place, entries)])


def _bases(base: Leaf | Section, path: Path, trail: Sequence[Path]) -> list[Path]:
    value = base.value if isinstance(base, Leaf) else None
    names = value if isinstance(value, list) else [value]
    return [_base(name, base.place, path, trail) for name in names]


def _base(name: object, place: str, path: Path, trail: Sequence[Path]) -> Path:
    if not isinstance(name, str):
        raise ConfigError(f"{place}: base: must be a path, the name of a system, or a list of these")
    is_path = name.endswith(SUFFIXES)
    tried = [folder / (name if is_path else f"{name}.yaml") for folder in (path.parent, *folders())]
    found = next((file for file in tried if file.is_file() and (is_path or not file.samefile(path))), None)
    if found is None:
        raise ConfigError(f"{place}: base: no file {name}, tried {', '.join(dict.fromkeys(map(shown, tried)))}")
    if found.resolve() in trail:
        circle = " -> ".join(file.name for file in (*trail[trail.index(found.resolve()) :], found))
        raise ConfigError(f"{place}: base: goes in a circle: {circle}")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{shown(path)}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown(path)}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
