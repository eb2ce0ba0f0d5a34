"""Reads the fields of a JSON object; a complaint says where, what was found and what is wanted."""

from collections.abc import Collection
from fractions import Fraction
from typing import Any, cast

from neupims.errors import ResultError
from neupims.units import PS_PER_NS


def to_ns(ps: int) -> int | float:
    """Nanoseconds as JSON shows them: whole, or with thousandths."""
    return ps // PS_PER_NS if ps % PS_PER_NS == 0 else ps / PS_PER_NS


class Fields:
    """One JSON object and the place where it stands, such as `result.json: operators[3]`."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ResultError(f"{where}: expected an object, not {_shown(value)}")
        self.values = cast(dict[str, Any], value)
        self.where = where

    def text(self, key: str) -> str:
        """A string."""
        return self._take(key, str, "a string")

    def optional_text(self, key: str) -> str | None:
        """A string, or None where the key is absent or null."""
        return None if self.values.get(key) is None else self.text(key)

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of at least 0."""
        if default is not None and key not in self.values:
            return default
        value = self._take(key, int, "a whole number")
        if value < 0:
            raise self._wrong(key, "a whole number of at least 0")
        return value

    def optional_integer(self, key: str) -> int | None:
        """A whole number, or None where the key is absent or null."""
        return None if self.values.get(key) is None else self.integer(key)

    def number(self, key: str, default: float | None = None) -> float:
        """A number."""
        if default is not None and key not in self.values:
            return default
        return self._take(key, (int, float), "a number")

    def optional_number(self, key: str) -> float | None:
        """A number, or None where the key is absent or null."""
        return None if self.values.get(key) is None else self.number(key)

    def picoseconds(self, key: str) -> int:
        """A time in ns, as whole picoseconds."""
        exact = Fraction(repr(self.number(key))) * PS_PER_NS
        if exact.denominator != 1 or exact < 0:
            raise self._wrong(key, "nanoseconds of at least 0 with no more than three decimals")
        return exact.numerator

    def section(self, key: str) -> "Fields":
        """An object."""
        return Fields(self._take(key, dict, "an object"), f"{self.where}: {key}")

    def sections(self, key: str) -> list["Fields"]:
        """A list of objects."""
        values: list[object] = self._take(key, list, "a list")
        return [Fields(value, f"{self.where}: {key}[{i}]") for i, value in enumerate(values)]

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers; empty where the key is absent."""
        values: list[Any] = self._take(key, list, "a list") if key in self.values else []
        if not all(type(value) is int for value in values):
            raise self._wrong(key, "a list of whole numbers")
        return tuple(values)

    def counts(self) -> dict[str, int]:
        """All keys, each with a whole number."""
        return {key: self.integer(key) for key in self.values}

    def numbers(self) -> dict[str, float]:
        """All keys, each with a number."""
        return {key: self.number(key) for key in self.values}

    def others(self, known: Collection[str]) -> dict[str, Any]:
        """Keys that are not among `known`."""
        return {key: value for key, value in self.values.items() if key not in known}

    def _take(self, key: str, kind: type | tuple[type, ...], wanted: str) -> Any:
        if key not in self.values:
            raise ResultError(f"{self.where}: the key {key} is missing; expected {wanted}")
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise self._wrong(key, wanted)
        return value

    def _wrong(self, key: str, wanted: str) -> ResultError:
        return ResultError(f"{self.where}: {key}: expected {wanted}, not {_shown(self.values[key])}")


def _shown(value: object) -> str:
    """A value in a message, no longer than it needs to be recognised."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
