"""Addresses from one running counter, as the published simulator makes them (spec section 4.3)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.isa.address import AddressMap
from neupims.isa.hash_order import hash_order

Integers = NDArray[np.int64]


@dataclass(slots=True)
class RunningCounter:
    """A counter of bytes that starts anew after `wrap` bytes.

    It is advanced before it is used, by one element, so an instruction of whole bursts begins in the middle of one and
    shares its first and its last burst with its neighbours. `cursor` is the byte that was used last; `hashed` lists
    the bursts of an instruction as a hash table would, not by address.
    """

    address: AddressMap
    wrap: int
    element_bytes: int
    hashed: bool = False
    cursor: int = 0

    def take(self, sizes: Integers, blocks: Integers, write: bool) -> NDArray[Any]:
        """RUNs of the next bytes: instruction i has `sizes[i]` of them and belongs to block `blocks[i]`."""
        ends = self.cursor + self.element_bytes + np.cumsum(sizes)
        starts = ends - sizes
        self.cursor = int(ends[-1] - self.element_bytes) % self.wrap if len(ends) else self.cursor
        low, high, owner = _wrapped(starts, ends, self.wrap)
        if self.hashed:
            return self._hashed(low, high, owner, blocks, write)
        return self.address.runs(low, high - low, write, blocks[owner])

    def _hashed(self, low: Integers, high: Integers, owner: Integers, blocks: Integers, write: bool) -> NDArray[Any]:
        first = low // self.address.burst_bytes
        counts = -(-high // self.address.burst_bytes) - first
        part = np.repeat(np.arange(len(low)), counts)
        bursts = first[part] + np.arange(len(part)) - np.repeat(np.cumsum(counts) - counts, counts)
        order = hash_order(self.address.linear(bursts), owner[part])
        return self.address.single_bursts(bursts[order], write, blocks[owner[part][order]])


def _wrapped(starts: Integers, ends: Integers, wrap: int) -> tuple[Integers, Integers, Integers]:
    """Cut ranges where the counter starts anew: first byte, byte after the last, and range of each piece."""
    laps = (ends - 1) // wrap - starts // wrap + 1
    owner = np.repeat(np.arange(len(starts)), laps)
    lap = starts[owner] // wrap + np.arange(len(owner)) - np.repeat(np.cumsum(laps) - laps, laps)
    low = np.maximum(starts[owner], lap * wrap)
    high = np.minimum(ends[owner], (lap + 1) * wrap)
    return low - lap * wrap, high - lap * wrap, owner
