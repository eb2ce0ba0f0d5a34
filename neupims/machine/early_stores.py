"""Stores that do not wait for the last partial sum, as in the published simulator; see `isa.work.Accumulation`."""

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neupims.isa.work import Accumulation, Stores
from neupims.machine.core import Core
from neupims.machine.ranks import NEXT_STORE
from neupims.machine.store_queue import StoreQueue
from neupims.machine.transfers import NEVER

Ints = NDArray[np.int64]


class EarlyStores(StoreQueue):
    """The head of the queue looks at its accumulator when a step that adds to it has ended."""

    def __init__(self, stores: Stores, core: Core) -> None:
        super().__init__(stores, core)
        assert stores.early is not None
        self._early: Accumulation = stores.early
        steps = len(self._early.of_step)
        order = np.argsort(self._early.of_step, kind="stable")
        cuts = np.flatnonzero(np.diff(self._early.of_step[order])) + 1
        members = np.split(order, cuts)
        self._members = [members[self._early.of_step[step]] for step in stores.step.tolist()]
        first = np.array([steps_of[0] for steps_of in self._members], np.int64)
        behind = np.maximum(self._early.behind, 0)
        causes = np.maximum.accumulate(np.where(self._early.filled_by < 0, first, behind))
        self._causes: list[int] = causes.tolist()
        self._issue: Ints = np.full(steps, NEVER)
        self._end: Ints = np.full(steps, NEVER)
        self._last_issue = self._issued = 0
        self._filled: Ints = np.full(len(first), NEVER)
        self._armed = NEVER

    def begin(self, now: int, done: Callable[[int], None]) -> None:
        """See StoreQueue."""
        super().begin(now, done)
        self._free = now

    def wants(self, loads: int) -> bool:
        """See StoreQueue."""
        return self.sent < self.count and int(self._early.filled_by[self.sent]) >= loads

    def cause(self, step: int, last: int) -> int:
        """See StoreQueue."""
        place = bisect_left(self._causes, step, self.sent)
        return self._causes[place] if place < self.count else last

    def loaded(self, loads: int, reach: Ints) -> None:
        """See StoreQueue."""
        known = (self._early.filled_by >= 0) & (self._early.filled_by < loads)
        self._filled[known] = reach[self._early.filled_by[known] + 1]
        self._arm()

    def issued(self, ready: Ints) -> None:
        """See StoreQueue. Steps issue in order, one per cycle."""
        period = self.core.clock.period_ps
        turns = np.arange(len(ready)) * period
        issue = np.maximum.accumulate(np.maximum(ready, self._last_issue + period) - turns) + turns
        self._issue[self._issued : self._issued + len(ready)] = issue
        self._issued += len(ready)
        self._last_issue = int(issue[-1])

    def send(self, part: slice, ends: Ints) -> None:
        """Steps `part` end at `ends`."""
        self._end[part] = ends
        self._arm()

    def _arm(self) -> None:
        """Come back when the head of the queue may leave, as far as that is known."""
        if self.sent == self.count:
            return
        time = self._next_look()
        if time < self._armed:
            self._armed = time
            self.core.agenda.at(time, NEXT_STORE, self._look)

    def _next_look(self) -> int:
        """The earliest time at which the accumulator of the head may be free of steps; NEVER if that is open."""
        now, head = self.core.now, self.sent
        behind, steps = int(self._early.behind[head]), self._members[head]
        least = max(now, self._free, int(self._end[behind]) if behind >= 0 else 0)
        ends, issues = self._end[steps], self._issue[steps]
        for filled in [int(self._filled[head]), *ends.tolist()]:
            time = max(filled, least)
            if time < NEVER and not ((issues < time) & (ends > time)).any():
                return time
        return NEVER

    def _look(self) -> None:
        """Let the head go if it may."""
        if self.core.now != self._armed:
            return
        self._armed = NEVER
        if self.sent < self.count and self._next_look() == self.core.now:
            low, self.sent = self.sent, self.sent + 1
            self._free = self.core.now + self.core.clock.period_ps
            self._time = self.core.now
            self._send(low, self.sent)
        self._arm()
