"""Byte ranges that an operator reads and writes, as loads and stores: contiguous ones in parts, and single rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neupims.isa.address import AddressMap
from neupims.isa.memory import RUN
from neupims.isa.run_source import GivenRuns
from neupims.isa.work import Loads, Records, Stores
from neupims.lowering.places import Integers

HASH = 2654435761
"""Knuth's multiplicative hash, which spreads rows that data choose over their table."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Byte ranges; range i belongs to part `parts[i]`, ascending."""

    starts: Integers
    sizes: Integers
    parts: Integers


def contiguous(base: int, size: int, parts: int) -> Pieces:
    """`size` bytes from `base` on in `parts` ranges of almost one length; parts without bytes are left out."""
    edges = np.arange(parts + 1) * size // parts
    used = np.flatnonzero(np.diff(edges))
    return Pieces(base + edges[used], np.diff(edges)[used], used)


def whole(base: int, size: int) -> Pieces:
    """All of it in the first part."""
    return contiguous(base, size, 1)


def scattered(base: int, table: int, row: int, count: int, parts: int) -> Pieces:
    """`count` rows of `row` bytes, anywhere in the `table` bytes from `base` on, in `parts` parts."""
    lines = max(1, table // row)
    index = np.arange(count)
    starts = base + (index * HASH) % (1 << 32) % lines * row
    return Pieces(starts, np.full(count, row), index * parts // count)


def load_all(address: AddressMap, operands: Sequence[tuple[Pieces, bool]]) -> tuple[Loads, list[Integers]]:
    """Loads of operands, each with whether it waits for no earlier operator, in the order of their parts.

    Returns the loads and, for each operand, the index of the load of each of its parts.
    """
    parts = [np.unique(pieces.parts) for pieces, _ in operands]
    which = np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)])
    order = np.lexsort((which, np.concatenate(parts)))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    blocks = np.split(place, np.cumsum([len(part) for part in parts])[:-1])
    size, early = np.zeros(len(order), np.int64), np.zeros(len(order), np.bool_)
    runs: list[Records] = [np.empty(0, RUN)]
    for (pieces, ahead), part, block in zip(operands, parts, blocks, strict=True):
        owner = block[np.searchsorted(part, pieces.parts)]
        np.add.at(size, owner, pieces.sizes)
        early[block] = ahead
        runs.append(address.runs(pieces.starts, pieces.sizes, False, owner))
    return Loads(GivenRuns(_by_block(runs)), size, early), blocks


def store_all(address: AddressMap, results: Sequence[Pieces], steps: Integers) -> Stores:
    """Stores of results; part i of each leaves after step `steps[i]`."""
    runs: list[Records] = [np.empty(0, RUN)]
    size = np.zeros(len(steps), np.int64)
    for pieces in results:
        np.add.at(size, pieces.parts, pieces.sizes)
        runs.append(address.runs(pieces.starts, pieces.sizes, True, pieces.parts))
    joined, used = _by_block(runs), np.flatnonzero(size)
    joined["block"] = np.searchsorted(used, joined["block"])
    return Stores(joined, size[used], steps[used].astype(np.int32))


def _by_block(parts: Sequence[Records]) -> Records:
    runs = np.concatenate(parts)
    return runs[np.argsort(runs["block"], kind="stable")]
