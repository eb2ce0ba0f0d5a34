"""How accesses to places become runs of bursts: at their real addresses, or from one running counter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neupims.isa.counter import RunningCounter
from neupims.isa.memory import RUN
from neupims.isa.run_source import GivenRuns, RunSource
from neupims.isa.work import Loads, Records, Stores
from neupims.lowering.places import Integers, Place, areas

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

    def reads(self, accesses: Sequence[Access]) -> RunSource:
        """The same for reads, which may be listed when they are sent."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedStorage:
    """Every matrix at its place."""

    def runs(self, accesses: Sequence[Access], write: bool = False) -> Records:
        """RUNs of all accesses, sorted by block."""
        parts = [access.place.runs(access.rects, access.blocks, write) for access in accesses]
        return by_block(parts)

    def reads(self, accesses: Sequence[Access]) -> RunSource:
        """See Storage."""
        return GivenRuns(self.runs(accesses))


@dataclass(frozen=True, slots=True)
class CounterStorage:
    """All loads and stores from one running counter; places are ignored, only the sizes of the rectangles count."""

    counter: RunningCounter

    def runs(self, accesses: Sequence[Access], write: bool = False) -> Records:
        """RUNs of all accesses in the order of their blocks, one after the other."""
        return self.counter.take(*self._instructions(accesses), write)

    def reads(self, accesses: Sequence[Access]) -> RunSource:
        """See Storage."""
        return self.counter.reads(*self._instructions(accesses))

    def _instructions(self, accesses: Sequence[Access]) -> tuple[Integers, Integers]:
        """Bytes and block of each rectangle, in the order of their blocks."""
        blocks = np.concatenate([access.blocks for access in accesses])
        sizes = np.concatenate([areas(access.rects) for access in accesses]) * self.counter.element_bytes
        order = np.argsort(blocks, kind="stable")
        return sizes[order], blocks[order]


def by_block(parts: Sequence[Records]) -> Records:
    """RUNs of several parts as one array, sorted by block; inside a block the parts keep their order."""
    used = [part for part in parts if len(part)]
    if len(used) < 2:
        return used[0] if used else np.empty(0, RUN)
    runs = np.concatenate(used, dtype=RUN)
    return runs.take(np.argsort(runs["block"], kind="stable"))


def loads(storage: Storage, accesses: Sequence[Access], early: Flags, element_bytes: int) -> Loads:
    """Loads of the accesses; `early[i]` says whether load i waits for no earlier operator."""
    return Loads(storage.reads(accesses), block_bytes(accesses, len(early), element_bytes), early)


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
