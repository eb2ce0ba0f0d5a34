"""What may be asked of the memory: runs of bursts, and PIM instructions, as arrays.

A *block* is the unit in which completion is reported: the bursts of one load or store, or the
result of one GEMV group. Runs and instructions name the block that they belong to.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN = np.dtype(
    [
        ("channel", np.int32),
        ("bank", np.int32),  # (rank * bank_groups + group) * banks_per_group + bank
        ("row", np.int32),
        ("column", np.int32),  # first burst
        ("bursts", np.int32),
        ("write", np.int8),
        ("feeds_pim", np.int8),  # a write to a row that PIM will read
        ("block", np.int32),
    ]
)
"""Consecutive bursts in one row of one bank."""

GWRITE, TILE = 0, 1

INSTRUCTION = np.dtype(
    [
        ("channel", np.int32),
        ("kind", np.int32),  # GWRITE: bank and row are its source. TILE: row in all banks
        ("bank", np.int32),
        ("row", np.int32),
        ("groups", np.int32),  # TILE: result groups, each of `macs` PIM_MACs and one PIM_READ
        ("macs", np.int32),
        ("block", np.int32),  # TILE: group i reports to block + i; -1 reports nothing
        ("gate", np.int32),  # waits until this block is complete; -1 waits for nothing
        # As published. TILE: what its header, with 12 bits for it, adds to the row. GWRITE: first burst of the source.
        ("header", np.int32),
    ]
)
"""One entry of the in-order PIM program of a channel."""

TRACE = np.dtype(
    [
        ("cycle", np.int64),
        ("channel", np.int32),
        ("command", np.int32),
        ("bank", np.int32),  # first bank concerned; -1 for commands to all banks
        ("row", np.int32),  # -1 where it does not matter
        ("macs", np.int32),  # PIM_GEMV: MACs; PIM_HEADER: MACs of the whole tile; else 0
    ]
)
"""One issued command."""


def transactions(instructions: NDArray[Any], composite: bool) -> NDArray[np.int64]:
    """Transactions of INSTRUCTIONs: one for a GWRITE; for a tile its header and, for each group, one PIM_GEMV if
    `composite`, else its PIM_MACs and a PIM_READ."""
    each = 1 if composite else instructions["macs"] + 1
    return np.where(instructions["kind"] == GWRITE, 1, 1 + instructions["groups"] * each).astype(np.int64)


def bursts_between(bursts: NDArray[Any], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of `bursts[edges[i]]` to `bursts[edges[i + 1] - 1]`, for each i."""
    if not len(bursts):
        return np.zeros(len(edges) - 1, np.int64)
    starts = edges[:-1]
    sums = np.add.reduceat(bursts, np.minimum(starts, len(bursts) - 1), dtype=np.int64)
    return np.where(starts < edges[1:], sums, 0)
