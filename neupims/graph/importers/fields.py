"""The keys of a JSON file, each read as what it must be, with a sentence for one that is not."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from neupims.errors import ModelError
from neupims.graph.config import did_you_mean, listed
from neupims.graph.tracing.location import file_name

ACTIVATIONS: Mapping[str, str] = {
    "gelu": "gelu",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Names of transformers, and the kinds of ours."""


@dataclass(frozen=True)
class Fields:
    """The keys of a configuration; a key whose value is null counts as absent."""

    file: str
    text: str
    values: Mapping[str, Any]

    def integer(self, key: str, default: int | None = None, least: int = 1) -> int:
        """An integer of at least `least`."""
        allowed = f"an integer of at least {least}"
        return self._read(key, default, allowed, lambda value: type(value) is int and value >= least)

    def count(self, key: str, default: int = 0) -> int:
        """An integer of at least 0."""
        return self.integer(key, default, least=0)

    def number(self, key: str, default: float | None = None) -> float:
        """A number of at least 0."""
        return float(
            self._read(key, default, "a number of at least 0", lambda value: type(value) in (int, float) and value >= 0)
        )

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """true or false."""
        return self._read(key, default, "true or false", lambda value: type(value) is bool)

    def choice(self, key: str, allowed: Mapping[str, str], default: str | None = None) -> str:
        """What one of the allowed words stands for."""
        return allowed[self._read(key, default, f"one of {listed(allowed)}", lambda value: value in allowed)]

    def activation(self, key: str = "hidden_act", default: str | None = None) -> str:
        """The kind of an activation function."""
        return self.choice(key, ACTIVATIONS, default)

    def words(self, key: str, allowed: Sequence[str], length: int) -> tuple[str, ...] | None:
        """A list of `length` of the allowed words, or None if the key is absent."""
        if self.values.get(key) is None:
            return None
        described = f"a list of {length} of {listed(list(allowed))}"
        return tuple(self._read(key, None, described, lambda value: _all(value, allowed) and len(value) == length))

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of integers, empty if the key is absent."""
        return tuple(self._read(key, [], "a list of integers", lambda value: _all(value, None)))

    def only(self, key: str, value: object, default: object) -> None:
        """ModelError unless the key has the one value that is known here."""
        self._read(key, default, f"{json.dumps(value)}, the only value known here", lambda given: given == value)

    def section(self, key: str) -> "Fields":
        """The keys of an object in the file, none if it is absent."""
        return Fields(self.file, self.text, self._read(key, {}, "an object", lambda value: isinstance(value, dict)))

    def error(self, key: str, problem: str) -> ModelError:
        """An error about a key, with the file and, if the key is in it, the line."""
        place = re.search(rf'"{re.escape(key)}"\s*:', self.text)
        line = "" if place is None else f":{self.text.count(chr(10), 0, place.start()) + 1}"
        return ModelError(f"{self.file}{line}: {key}: {problem}")

    def _read(self, key: str, default: Any, allowed: str, fits: Callable[[Any], bool]) -> Any:
        value = self.values.get(key)
        if value is None:
            value = default
        if value is None:
            raise self.error(key, f"is missing, must be {allowed}{did_you_mean(key, self.values)}")
        if not fits(value):
            raise self.error(key, f"{json.dumps(value)} is not allowed, must be {allowed}")
        return value


def read_fields(path: Path) -> Fields:
    """The keys of a JSON file; ModelError if it cannot be read or is not an object."""
    name = file_name(str(path))
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"{name}:{error.lineno}: this is no JSON: {error.msg}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{name}: the file cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{name}: must be a JSON object, with model_type and sizes")
    return Fields(name, text, cast("dict[str, Any]", values))


def _all(value: Any, allowed: Sequence[str] | None) -> bool:
    if not isinstance(value, list):
        return False
    items = cast("list[Any]", value)
    return all(type(item) is int if allowed is None else item in allowed for item in items)
