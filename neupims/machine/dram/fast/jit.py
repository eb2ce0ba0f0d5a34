"""The one place that knows numba: a decorator that compiles once and keeps the result on disk.

The cache folder is named after the sources of this package and the compiler's version, so that a
change in one file is never hidden by an older compilation of its callers.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils, config
from numba.extending import intrinsic

# pyright: reportUnknownMemberType=false

Function = TypeVar("Function", bound=Callable[..., Any])


def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    text = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(text + numba.__version__.encode() + sys.version.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled code is kept: the user's cache, or a temporary folder where that is read-only."""
    for root in (Path.home() / ".cache", Path(tempfile.gettempdir())):
        folder = root / "neupims" / _digest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        return folder
    raise OSError("neither the user's cache folder nor the temporary folder can be written")


_FOLDER = cache_folder()


def compiled(function: Function) -> Function:
    """Compile `function` at its first call, without a run-time for objects: the engine only sees arrays."""
    settings: Any = config
    njit: Any = numba.njit
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(_FOLDER)
    try:
        return njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    finally:
        settings.CACHE_DIR = before


def _borrowed(typing_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        return view._getvalue()

    return array(array), generate


borrowed = cast(Callable[[Any], Any], intrinsic(_borrowed))
"""The same array without an owner: it is not reference-counted, which in hot loops costs more than the work.

The caller keeps the real array alive.
"""
