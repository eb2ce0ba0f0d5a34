"""Stores of one operator: sent when their step has ended, and acknowledged when the memory has taken them."""

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neupims.events.join import Join
from neupims.isa.memory import bursts_between
from neupims.isa.work import Records, Stores
from neupims.machine.core import Core
from neupims.machine.transfers import NEVER, NPU_PORT

Ints = NDArray[np.int64]
PIECE = 1024
NOTHING_BEHIND = 1 << 30


class StoreQueue:
    """The stores of one operator, in the order of their steps.

    The memory reports them in pieces of about `PIECE` bursts, which tells how far it has come.
    """

    def __init__(self, stores: Stores, core: Core) -> None:
        self.stores, self.core, self.count = stores, core, len(stores.bytes)
        self._steps: list[int] = stores.step.tolist()
        offsets = np.searchsorted(stores.runs["block"], np.arange(self.count + 1, dtype=np.int32))
        self._offsets: list[int] = offsets.tolist()
        edges = _edges_of_pieces(stores.runs, offsets) if core.transfers.counter is None else offsets
        self._pieces = len(edges) - 1
        self._first = core.transfers.register(bursts_between(stores.runs["bursts"], edges)) if self.count else 0
        self._runs = stores.runs.copy()
        self._runs["block"] = np.repeat(np.arange(self._first, self._first + self._pieces), np.diff(edges))
        self._blocks = np.arange(self._first, self._first + self.count)
        self.sent = 0
        """Stores that have left."""
        self._time = 0
        self._at_memory = False
        self._behind: Ints = np.empty(0, np.int64)
        self._unknown: Ints = np.arange(self._pieces)

    def begin(self, now: int, done: Callable[[int], None]) -> None:
        """The operator begins; `done` gets the time of the last acknowledgement."""
        self._time = now
        self.core.transfers.watch_join(self._first, self._pieces, Join(self._pieces, now, done))

    def loaded(self, loads: int, reach: Ints) -> None:
        """So many loads are known to arrive, load i - 1 by `reach[i]`."""

    def issued(self, ready: Ints) -> None:
        """The operands of the next steps arrive at `ready`."""

    def wants(self, loads: int) -> bool:
        """Whether a store may follow a load beyond the first `loads` without a step between them."""
        return False

    def cause(self, step: int, last: int) -> int:
        """First step from `step` on that has a store, or `last` if there is none."""
        place = bisect_left(self._steps, step)
        return self._steps[place] if place < self.count else last

    def send(self, part: slice, ends: Ints) -> None:
        """Send the stores of the steps `part`, which end at `ends`."""
        low, until = self.sent, bisect_left(self._steps, part.stop, self.sent)
        times = ends[self.stores.step[low:until] - part.start].tolist()
        for place, time in enumerate(times, self.sent):
            if time > self._time:
                self._send(low, place)
                low, self._time = place, time
        self._send(low, until)
        self.sent = until

    def _send(self, low: int, high: int) -> None:
        """Send some stores at the time of the last."""
        if low == high:
            return
        runs = self._runs[self._offsets[low] : self._offsets[high]]
        sizes = (self._blocks[low:high], self.stores.bytes[low:high])
        then = self._arrive if high == self.count else None
        self.core.transfers.send(self._time, 0, [lambda: runs], NPU_PORT, sizes, then)

    def _arrive(self) -> None:
        self._at_memory = True
        if self.core.transfers.counter is None:
            self._behind = _least_behind(self._runs, self._first, self._pieces)
        else:
            self._behind = np.zeros(self._pieces, np.int64)

    @property
    def lookahead(self) -> int:
        """Cycles that memory may run before the last acknowledgement can cause a request.

        A channel takes bursts in order, `accepts_per_cycle` at most. Where a piece still has a burst
        that was not taken, all bursts behind it have yet to be taken.
        """
        transfers = self.core.transfers
        if not self._at_memory:
            return transfers.longest_window
        self._unknown = self._unknown[transfers.arrived[self._first + self._unknown] == NEVER]
        if not len(self._unknown):
            return transfers.longest_window
        waiting = int(self._behind[self._unknown].max()) // self.core.accepts_per_cycle
        return transfers.reaction(self.core.ahead.access + waiting, 0)


def _edges_of_pieces(runs: Records, offsets: Ints) -> Ints:
    """First runs of pieces of about PIECE bursts, each of one store; `offsets` are those of the stores."""
    if not len(runs):
        return offsets
    until: Ints = np.cumsum(runs["bursts"], dtype=np.int64)
    return np.union1d(offsets, np.searchsorted(until, np.arange(PIECE, int(until[-1]) + 1, PIECE)))


def _least_behind(runs: Records, first: int, pieces: int) -> Ints:
    """Bursts behind each piece, in the channel of its own that has the fewest of them."""
    channels = int(runs["channel"].max()) + 1
    place = (runs["block"].astype(np.int64) - first) * channels + runs["channel"]
    bursts = np.bincount(place, weights=runs["bursts"], minlength=pieces * channels).astype(np.int64)
    bursts = bursts.reshape(pieces, channels)
    behind = bursts.sum(axis=0) - np.cumsum(bursts, axis=0)
    return np.where(bursts > 0, behind, NOTHING_BEHIND).min(axis=1)
