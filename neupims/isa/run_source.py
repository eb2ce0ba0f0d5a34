"""Where the runs of loads come from: they are given, or listed when they are sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neupims.isa.hash_order import HashOrder
from neupims.isa.memory import RUN

Integers = NDArray[np.int64]
Parts = Sequence[Callable[[], NDArray[Any]]]
"""RUNs in parts, each of which is listed by a call."""

LISTED = 1 << 18
"""Bytes whose bursts are listed at a time, about, so that their RUNs are in the cache when the memory takes them."""


class RunSource(Protocol):
    """RUNs in pieces, each of one block."""

    @property
    def blocks(self) -> NDArray[Any]:
        """Block of each piece, ascending."""
        ...

    @property
    def bursts(self) -> NDArray[Any]:
        """Bursts of each piece."""
        ...

    @property
    def runs(self) -> NDArray[Any]:
        """RUNs of all pieces."""
        ...

    def of(self, pieces: Sequence[slice]) -> Parts:
        """RUNs of some pieces, one slice after the other."""
        ...


@dataclass(frozen=True, slots=True)
class GivenRuns:
    """RUNs that are known, sorted by block; each is a piece."""

    runs: NDArray[Any] = field(default_factory=lambda: np.empty(0, RUN))

    @property
    def blocks(self) -> NDArray[Any]:
        """See RunSource."""
        return self.runs["block"]

    @property
    def bursts(self) -> NDArray[Any]:
        """See RunSource."""
        return self.runs["bursts"]

    def of(self, pieces: Sequence[slice]) -> Parts:
        """See RunSource."""
        return [partial(_joined, self.runs, pieces)]


@dataclass(frozen=True, slots=True)
class HashedRuns:
    """Bursts of instructions that read, in the order of a hash table; each instruction is a piece.

    A burst takes a RUN of its own, so that those of a whole operator would fill hundreds of megabytes.
    """

    order: HashOrder
    starts: Integers
    """First byte of each instruction."""
    sizes: Integers
    """Bytes of each instruction."""
    blocks: Integers

    @property
    def bursts(self) -> NDArray[Any]:
        """See RunSource."""
        return self.order.bursts(self.starts, self.sizes)

    @property
    def runs(self) -> NDArray[Any]:
        """See RunSource."""
        return self.order.runs(self.starts, self.sizes, self.blocks, write=False)

    def of(self, pieces: Sequence[slice]) -> Parts:
        """See RunSource."""
        starts, sizes, blocks = (_joined(each, pieces) for each in (self.starts, self.sizes, self.blocks))
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // LISTED)) + 1
        parts = zip(*(np.split(each, cuts) for each in (starts, sizes, blocks)), strict=True)
        return [partial(self.order.runs, *part, write=False) for part in parts]


def _joined(records: NDArray[Any], parts: Sequence[slice]) -> NDArray[Any]:
    return records[parts[0]] if len(parts) == 1 else np.concatenate([records[part] for part in parts])
