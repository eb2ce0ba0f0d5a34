"""Results by content: what was computed before from the same input by the same code is not computed again."""

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from neupims.results.files import write_atomically

Value = TypeVar("Value")

BROKEN = (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, ValueError)
"""What reading a file raises that is no whole result of this version."""


class ResultCache:
    """Results in memory and, if a folder is given, in files named by their keys, for later processes.

    A file that is missing or broken is a result that has to be computed; it is written whole or not at all. Files are
    pickles: use no folder that others can write to.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, Any] = {}

    def get(self, key: str, compute: Callable[[], Value]) -> tuple[Value, bool]:
        """The result of `key`, and whether it was there before.

        Raises:
            ResultError: the folder cannot be written.
        """
        if key not in self._known and (found := self._read(key)) is not None:
            self._known[key] = found
        if key in self._known:
            return self._known[key], True
        value = self._known[key] = compute()
        if self._folder is not None:
            write_atomically(self._path(key), pickle.dumps(value, protocol=5))
        return value, False

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / f"{key}.pickle"

    def _read(self, key: str) -> Any:
        if self._folder is None:
            return None
        try:
            return pickle.loads(self._path(key).read_bytes())
        except BROKEN:
            return None


def content_key(*parts: object) -> str:
    """SHA-256 of plain data, records (dataclasses; of these what is compared) and arrays.

    Raises:
        TypeError: something else is in one of them.
    """
    whole = hashlib.sha256()
    for piece in _pieces(parts):
        whole.update(len(piece).to_bytes(8, "little"))
        whole.update(piece)
    return whole.hexdigest()


def _pieces(value: object) -> Iterator[bytes]:
    """The content of `value`; what has parts says how many."""
    if isinstance(value, np.ndarray):
        array = cast("NDArray[Any]", value)
        yield f"array {array.dtype.descr} {array.shape}".encode()
        yield array.tobytes()
    elif isinstance(value, dict):
        items = cast("dict[object, object]", value)
        yield from _pieces_of("dict", [*items, *items.values()])
    elif is_dataclass(value):
        compared = [field.name for field in fields(value) if field.compare]
        yield from _pieces_of(type(value).__name__, [getattr(value, name) for name in compared])
    elif value is None or isinstance(value, str | int | float):
        yield f"{type(value).__name__} {value!r}".encode()
    elif isinstance(value, Sequence):
        yield from _pieces_of("list", cast("Sequence[object]", value))
    else:
        raise TypeError(f"a key cannot be made of {type(value).__name__}")


def _pieces_of(name: str, parts: Sequence[object]) -> Iterator[bytes]:
    yield f"{name} {len(parts)}".encode()
    for part in parts:
        yield from _pieces(part)


@cache
def code_version(rooms: tuple[Path, ...]) -> str:
    """A digest of the sources in some folders, and of what runs them."""
    sources = sorted(path for room in rooms for path in room.rglob("*.py"))
    text = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(text + np.__version__.encode() + sys.version.encode()).hexdigest()
