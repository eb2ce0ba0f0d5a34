"""Addresses from one running counter, as the published simulator makes them (spec section 4.3)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.isa.address import AddressMap
from neupims.isa.hash_order import HashOrder
from neupims.isa.run_source import GivenRuns, HashedRuns, RunSource

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
    _order: HashOrder = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._order = HashOrder(self.address, self.wrap)

    def take(self, sizes: Integers, blocks: Integers, write: bool) -> NDArray[Any]:
        """RUNs of the next bytes: instruction i has `sizes[i]` of them and belongs to block `blocks[i]`."""
        starts = self._advance(sizes)
        if self.hashed:
            return self._order.runs(starts, sizes, blocks, write)
        low, high, owner = _wrapped(starts, starts + sizes, self.wrap)
        return self.address.runs(low, high - low, write, blocks[owner])

    def reads(self, sizes: Integers, blocks: Integers) -> RunSource:
        """The same for reads; in the order of a hash table they are listed when they are sent."""
        if not self.hashed:
            return GivenRuns(self.take(sizes, blocks, write=False))
        return HashedRuns(self._order, self._advance(sizes), sizes, blocks)

    def _advance(self, sizes: Integers) -> Integers:
        """First byte of each of the next instructions, before it is wrapped."""
        starts = self.cursor + self.element_bytes + np.cumsum(sizes) - sizes
        self.cursor = (self.cursor + int(sizes.sum())) % self.wrap
        return starts


def _wrapped(starts: Integers, ends: Integers, wrap: int) -> tuple[Integers, Integers, Integers]:
    """Cut ranges where the counter starts anew: first byte, byte after the last, and range of each piece."""
    laps = (ends - 1) // wrap - starts // wrap + 1
    owner = np.repeat(np.arange(len(starts)), laps)
    lap = starts[owner] // wrap + np.arange(len(owner)) - np.repeat(np.cumsum(laps) - laps, laps)
    low = np.maximum(starts[owner], lap * wrap)
    high = np.minimum(ends[owner], (lap + 1) * wrap)
    return low - lap * wrap, high - lap * wrap, owner
