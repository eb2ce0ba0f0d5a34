"""The numbers of an architecture: a frozen record, its published variants, and options from outside."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from math import isfinite
from typing import Any, Literal, TypeVar, cast, dataclass_transform, get_args, get_origin, get_type_hints

from neupims.errors import ModelError


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of the numbers of an architecture; a subclass is a frozen dataclass of its annotated fields."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)


C = TypeVar("C", bound=Config)
Values = Mapping[str, object]


def configure(kind: type[C], model: str, variant: Values, options: Values) -> C:
    """The config of a variant with options on top; options may be text, as `--set OPTION=VALUE` gives it.

    ModelError for an option that does not exist or has another type, and for a value that nobody gives.
    """
    types = get_type_hints(kind)
    for name in options:
        if name not in types:
            raise ModelError(f"{model}: unknown option '{name}'; options: {listed(types)}{did_you_mean(name, types)}")
    given = {name: converted(f"{model}: option '{name}'", types[name], value) for name, value in options.items()}
    values = {**variant, **given}
    missing = [field.name for field in fields(kind) if field.name not in values and field.default is MISSING]
    if missing:
        raise ModelError(f"{model}: no value for {listed(missing)}; choose a variant or give them as options")
    return kind(**values)


def did_you_mean(word: str, known: Mapping[str, object] | list[str]) -> str:
    """A hint for a misspelt word, or nothing."""
    close = get_close_matches(word.lower(), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def listed(names: Mapping[str, object] | list[str]) -> str:
    """Names with commas between them."""
    return ", ".join(names) or "none"


def converted(where: str, kind: Any, value: object) -> object:
    """A value, or the text of one, as the type of its field; ModelError if it is of another.

    A field of type `Literal["balanced", "skewed"]` takes one of these words.
    """
    if get_origin(kind) is Literal:
        return _choice(where, get_args(kind), value)
    if kind not in _TYPES:
        raise ModelError(f"{where}: values of type {kind} cannot be set")
    described, convert = _TYPES[kind]
    try:
        return convert(value)
    except ValueError:
        raise ModelError(f"{where}: {value!r} is not {described}") from None


def _choice(where: str, words: tuple[str, ...], value: object) -> object:
    if value not in words:
        hint = did_you_mean(str(value), list(words))
        raise ModelError(f"{where}: {value!r} is not one of {', '.join(words)}{hint}")
    return value


def _integer(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    if not isfinite(float(value)):
        raise ValueError(value)
    return float(value)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
    if str(value).lower() not in words:
        raise ValueError(value)
    return words[str(value).lower()]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _integers(value: object) -> tuple[int, ...]:
    if isinstance(value, str):
        return tuple(_integer(part) for part in value.split(","))
    if isinstance(value, list | tuple):
        return tuple(_integer(part) for part in cast("list[object]", value))
    raise ValueError(value)


_TYPES: dict[Any, tuple[str, Callable[[object], object]]] = {
    int: ("an integer", _integer),
    float: ("a number", _number),
    bool: ("true or false", _boolean),
    str: ("text", _text),
    tuple[int, ...]: ("a list of integers such as 2,2,6,2", _integers),
}
