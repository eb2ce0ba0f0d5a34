"""The one place that knows numba: a decorator that compiles once and keeps the result on disk.

The cache folder is named after the sources beside the compiled function and the compiler's version, so that a change
in one file is never hidden by an older compilation of its callers.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic
from numpy.typing import NDArray

# pyright: reportUnknownMemberType=false

Function = TypeVar("Function", bound=Callable[..., Any])
Array = NDArray[np.int64]
Narrow = NDArray[np.int32]


class Ints(Protocol):
    """A pointer to the numbers of an `Array`, all dimensions in one."""

    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, value: int, /) -> None: ...


def _digest(sources: Path) -> str:
    text = b"".join(path.read_bytes() for path in (Path(__file__), *sorted(sources.glob("*.py"))))
    return hashlib.sha256(text + numba.__version__.encode() + sys.version.encode()).hexdigest()[:16]


@cache
def cache_folder(sources: Path) -> Path:
    """Where code compiled from a folder of sources is kept: the user's cache, or a temporary folder if read-only."""
    for root in (Path.home() / ".cache", Path(tempfile.gettempdir())):
        folder = root / "neupims" / _digest(sources)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        return folder
    raise OSError("neither the user's cache folder nor the temporary folder can be written")


def compiled(function: Function) -> Function:
    """Compile `function` at its first call, without a run-time for objects: compiled code only sees arrays."""
    return _compiled(function, inlined=False)


def inlined(function: Function) -> Function:
    """The same for what is to become a part of each compiled function that calls it, at whatever size.

    Calls are dear: arguments, result and status go through memory, and the code lies far apart.
    """
    return _compiled(function, inlined=True)


def _compiled(function: Function, inlined: bool) -> Function:
    settings: Any = config
    njit: Any = numba.njit
    folder = cache_folder(Path(function.__code__.co_filename).parent)
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(folder)
    try:
        return njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=inlined)(function)
    finally:
        settings.CACHE_DIR = before


def _pointer(typing_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


pointer = cast(Callable[[Array | Narrow], Ints], intrinsic(_pointer))
"""In compiled code, where the numbers of an array begin: indexed as it, but from 0 on only, without a shape, and not
reference-counted. The caller keeps the array alive."""


def _lowest_bit(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.true_bit)

    return word(word), generate


lowest_bit = cast(Callable[[int], int], intrinsic(_lowest_bit))
"""Number of the lowest bit that is set, in compiled code; the word is not 0."""
