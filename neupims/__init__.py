"""Simulator of accelerators that pair a systolic-array NPU with processing-in-memory DRAM."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neupims.api import compare, load_results, simulate, sweep

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "load_results", "simulate", "sweep"]


def __getattr__(name: str) -> Any:
    """What `neupims.api` has, loaded when it is asked for."""
    if name in __all__:
        from neupims import api

        return getattr(api, name)
    raise AttributeError(f"module 'neupims' has no attribute '{name}'")
