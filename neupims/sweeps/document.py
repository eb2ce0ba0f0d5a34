"""The file of a sweep: what all points share, axes, values that follow, and which points are left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile
from pathlib import Path
from typing import Any, cast

from neupims.errors import ConfigError
from neupims.hardware.document import Entry, Leaf, Section, Value, read_document
from neupims.hardware.schema import unknown_key
from neupims.sweeps.keys import allowed_keys, is_known

PARTS = ("name", "base", "axes", "zip", "derive", "where")
RANGE = ("from", "to", "step", "factor")
MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Axis:
    """Names that get values together, and these values row by row; only where `when` holds, if it is given."""

    names: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    place: str
    when: str | None = None


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """A sweep as its file has it."""

    name: str
    base: Mapping[str, Value]
    axes: tuple[Axis, ...]
    derive: Mapping[str, str]
    """Expressions by name, in order."""
    where: tuple[tuple[str, str], ...]
    """Places and conditions; a point for which one does not hold is left out."""
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where each name was given."""
    folder: Path = Path()
    """From where on files are looked for: that of the sweep's own."""


def read_sweep(path: Path) -> SweepSpec:
    """The sweep of a YAML file.

    Raises:
        ConfigError: the file cannot be read, or with a line for each problem `file:line:column: key: what is wrong`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    return _Reader(str(path)).sweep(read_document(text, str(path)))


class _Reader:
    """Takes a document apart, collecting all that is wrong with it."""

    def __init__(self, file: str) -> None:
        self._file, self._problems, self._places = file, list[str](), dict[str, str]()

    def sweep(self, document: Section) -> SweepSpec:
        for key, entry in document.entries.items():
            if key not in PARTS:
                self._wrong(entry, key, unknown_key(key, PARTS))
        base = {key: self._scalar(entry, f"base.{key}") for key, entry in self._named(document, "base")}
        axes = [axis for key, entry in self._named(document, "axes") if (axis := self._axis(key, entry))]
        zipped = list(self._zipped(document))
        derive = {key: self._text(entry, f"derive.{key}") for key, entry in self._named(document, "derive", False)}
        where = tuple(self._conditions(document.entries.get("where")))
        if not axes and not zipped and not self._problems:
            self._problems.append(f"{self._file}: axes: has none, must name at least one value to sweep")
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        name = document.entries.get("name")
        title = str(name.value) if isinstance(name, Leaf) else Path(self._file).stem
        return SweepSpec(title, base, (*zipped, *axes), derive, where, self._places, Path(self._file).parent)

    def _wrong(self, entry: Entry, key: str, what: str) -> None:
        self._problems.append(f"{entry.place}: {key}: {what}")

    def _named(self, document: Section, part: str, known: bool = True) -> Iterator[tuple[str, Entry]]:
        """Entries of a part, of which each must be something that a point can have."""
        section = document.entries.get(part)
        if isinstance(section, Leaf) and section.value is not None:
            self._wrong(section, part, "must be a section")
        for key, entry in _flat(section, "") if isinstance(section, Section) else ():
            if known and not is_known(key):
                self._wrong(entry, f"{part}.{key}", unknown_key(key, allowed_keys(key)))
            if key in self._places:
                self._wrong(entry, f"{part}.{key}", f"is given twice, first at {self._places[key]}")
            self._places[key] = entry.place
            yield key, entry

    def _scalar(self, entry: Entry, key: str) -> Value:
        if isinstance(entry, Leaf) and not isinstance(entry.value, list):
            return entry.value
        self._wrong(entry, key, "must be one value; several belong in axes")
        return None

    def _text(self, entry: Entry | None, key: str) -> str:
        if isinstance(entry, Leaf) and isinstance(entry.value, str | int | float):
            return str(entry.value)
        if entry is not None:
            self._wrong(entry, key, "must be an expression")
        return ""

    def _axis(self, key: str, entry: Entry) -> Axis | None:
        values, when = self._values(key, entry)
        if values is None:
            return None
        return Axis((key,), tuple((value,) for value in values), entry.place, when)

    def _values(self, key: str, entry: Entry) -> tuple[list[Value] | None, str | None]:
        if isinstance(entry, Leaf):
            return (entry.value if isinstance(entry.value, list) else [entry.value]), None
        parts, when = dict(entry.entries), entry.entries.get("when")
        condition = self._text(parts.pop("when"), f"axes.{key}.when") if when is not None else None
        if set(parts) == {"values"} and isinstance(parts["values"], Leaf):
            return self._values(key, parts["values"])[0], condition
        if {"from", "to"} <= set(parts) <= set(RANGE) and not {"step", "factor"} <= set(parts):
            return self._range(key, entry, parts), condition
        self._wrong(entry, f"axes.{key}", "must be a list, or have values, or from and to with a step or a factor")
        return None, condition

    def _range(self, key: str, entry: Entry, parts: Mapping[str, Entry]) -> list[Value] | None:
        given = {name: part.value for name, part in parts.items() if isinstance(part, Leaf)}
        if len(given) < len(parts) or not all(isinstance(value, int | float) for value in given.values()):
            self._wrong(entry, f"axes.{key}", "from, to, step and factor must be numbers")
            return None
        numbers = cast("dict[str, float]", given)
        first, last = numbers["from"], numbers["to"]
        step, factor = numbers.get("step", 1), numbers.get("factor")
        if step <= 0 or (factor is not None and (factor <= 1 or first <= 0)):
            self._wrong(entry, f"axes.{key}", "a step must be above 0, a factor above 1 and begin above 0")
            return None
        steps = (first + i * step if factor is None else first * factor**i for i in count())
        slack = 1e-9 * max(abs(first), abs(last))
        values = list(takewhile(lambda value: value <= last + slack, (next(steps) for _ in range(MOST_VALUES))))
        if not values:
            self._wrong(entry, f"axes.{key}", f"is empty: {first:g} is above {last:g}")
        whole = all(isinstance(number, int) for number in numbers.values())
        return [int(value) if whole else _rounded(value) for value in values]

    def _zipped(self, document: Section) -> Iterator[Axis]:
        entry = document.entries.get("zip")
        if entry is None:
            return
        groups = [entry] if isinstance(entry, Section) else []
        if isinstance(entry, Leaf) and isinstance(entry.value, list):
            groups = [_section(item, entry.place) for item in entry.value if isinstance(item, dict)]
        if not groups:
            self._wrong(entry, "zip", "must be a section of lists, or a list of such sections")
        for group in groups:
            if (axis := self._group(group)) is not None:
                yield axis

    def _group(self, group: Section) -> Axis | None:
        condition = group.entries.get("when")
        when = self._text(condition, "zip.when") if condition is not None else None
        inside = Section(group.place, {key: entry for key, entry in group.entries.items() if key != "when"})
        lists = {key: self._values(key, entry)[0] for key, entry in self._named(Section("", {"zip": inside}), "zip")}
        lengths = {key: len(values) for key, values in lists.items() if values is not None}
        if len(set(lengths.values())) > 1:
            sizes = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            self._wrong(group, "zip", f"lists that go together must be equally long: {sizes} values")
            return None
        return Axis(
            tuple(lists), tuple(zip(*(values or [] for values in lists.values()), strict=False)), group.place, when
        )

    def _conditions(self, entry: Entry | None) -> Iterator[tuple[str, str]]:
        if isinstance(entry, Leaf) and isinstance(entry.value, list):
            yield from ((entry.place, str(value)) for value in entry.value)
        elif entry is not None:
            yield entry.place, self._text(entry, "where")


def _flat(section: Section, prefix: str) -> Iterator[tuple[str, Entry]]:
    """Entries by dotted name; a section that can only be an axis is one entry."""
    for key, entry in section.entries.items():
        name = f"{prefix}{key}"
        if isinstance(entry, Section) and not is_known(name) and not set(entry.entries) & {"values", "from", "when"}:
            yield from _flat(entry, f"{name}.")
        else:
            yield name, entry


def _section(item: Mapping[str, Any], place: str) -> Section:
    return Section(place, {key: Leaf(place, value) for key, value in item.items()})


def _rounded(value: float) -> float:
    """Without what floating point adds: 0.1 + 2 * 0.1 is 0.3."""
    return float(f"{value:.12g}")
