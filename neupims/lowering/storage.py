"""How accesses to places become runs of bursts: at their real addresses, or from one running counter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neupims.isa.address import AddressMap
from neupims.isa.memory import RUN
from neupims.isa.work import Loads, Records, Stores
from neupims.lowering.hash_order import hash_order
from neupims.lowering.places import Integers, Place, areas, counting

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Access:
    """Rectangles of one matrix; rectangle i belongs to block `blocks[i]` (ascending)."""

    place: Place
    rects: Integers
    blocks: Integers


class Storage(Protocol):
    """Turns accesses into RUNs."""

    def runs(self, accesses: Sequence[Access], write: bool = False) -> Records:
        """RUNs of all accesses, sorted by block."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedStorage:
    """Every matrix at its place."""

    def runs(self, accesses: Sequence[Access], write: bool = False) -> Records:
        """RUNs of all accesses, sorted by block."""
        parts = [access.place.runs(access.rects, access.blocks, write) for access in accesses]
        return by_block(parts)


@dataclass(slots=True)
class CounterStorage:
    """One counter for all loads and stores, which starts anew after `wrap` bytes (spec section 4.3).

    Places are ignored; only the sizes of the rectangles count. The counter is advanced before it is used, by
    one element, so a rectangle of whole bursts begins in the middle of one and shares its first and its last
    burst with its neighbours. `cursor` is the byte that was used last; `hashed` lists the bursts of a rectangle as
    a hash table would, not by address.
    """

    address: AddressMap
    wrap: int
    element_bytes: int
    cursor: int = field(default=0)
    hashed: bool = False

    def runs(self, accesses: Sequence[Access], write: bool = False) -> Records:
        """RUNs of all accesses in the order of their blocks, one after the other."""
        blocks = np.concatenate([access.blocks for access in accesses])
        sizes = np.concatenate([areas(access.rects) for access in accesses]) * self.element_bytes
        order = np.argsort(blocks, kind="stable")
        return self.take(sizes[order], blocks[order], write)

    def take(self, sizes: Integers, blocks: Integers, write: bool) -> Records:
        """RUNs of the next bytes: `sizes[i]` of them for block `blocks[i]`."""
        ends = self.cursor + self.element_bytes + np.cumsum(sizes)
        starts = ends - sizes
        self.cursor = int(ends[-1] - self.element_bytes) % self.wrap if len(ends) else self.cursor
        low, high, owner = _wrapped(starts, ends, self.wrap)
        if self.hashed:
            return self._hashed(low, high, owner, blocks, write)
        return self.address.runs(low, high - low, write, blocks[owner])

    def _hashed(self, low: Integers, high: Integers, owner: Integers, blocks: Integers, write: bool) -> Records:
        size = self.address.burst_bytes
        first = low // size
        part, position = counting(-(-high // size) - first)
        bursts, rectangle = first[part] + position, owner[part]
        order = hash_order(self.address.linear(bursts), rectangle)
        return self.address.single_bursts(bursts[order], write, blocks[rectangle[order]])


def _wrapped(starts: Integers, ends: Integers, wrap: int) -> tuple[Integers, Integers, Integers]:
    """Cut ranges where the counter starts anew: first byte, byte after the last, and range of each piece."""
    laps = (ends - 1) // wrap - starts // wrap + 1
    owner = np.repeat(np.arange(len(starts)), laps)
    lap = starts[owner] // wrap + np.arange(len(owner)) - np.repeat(np.cumsum(laps) - laps, laps)
    low = np.maximum(starts[owner], lap * wrap)
    high = np.minimum(ends[owner], (lap + 1) * wrap)
    return low - lap * wrap, high - lap * wrap, owner


def by_block(parts: Sequence[Records]) -> Records:
    """RUNs of several parts as one array, sorted by block; inside a block the parts keep their order."""
    runs = np.concatenate(parts) if parts else np.empty(0, RUN)
    if len([part for part in parts if len(part)]) < 2:
        return runs
    return runs[np.argsort(runs["block"], kind="stable")]


def loads(storage: Storage, accesses: Sequence[Access], early: Flags, element_bytes: int) -> Loads:
    """Loads of the accesses; `early[i]` says whether load i waits for no earlier operator."""
    runs = storage.runs(accesses)
    return Loads(runs, block_bytes(accesses, len(early), element_bytes), early)


def stores(storage: Storage, accesses: Sequence[Access], steps: Integers, element_bytes: int) -> Stores:
    """Stores of the accesses, in order; store i follows step `steps[i]`. Those without runs are left out."""
    runs = storage.runs(accesses, write=True)
    present = np.bincount(runs["block"], minlength=len(steps)) > 0
    runs["block"] = (np.cumsum(present) - 1)[runs["block"]]
    sizes = block_bytes(accesses, len(steps), element_bytes)
    return Stores(runs, sizes[present], steps[present].astype(np.int32))


def block_bytes(accesses: Sequence[Access], count: int, element_bytes: int) -> Integers:
    """Bytes of each of `count` blocks."""
    total = np.zeros(count, np.int64)
    for access in accesses:
        np.add.at(total, access.blocks, areas(access.rects) * element_bytes)
    return total
