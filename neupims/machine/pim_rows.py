"""Rows of decode attention on the vector units: when each starts, and when its result leaves.

Row `request * heads + head` is that head's softmax, or the sum of its partial results. As a compiler would have it,
a row starts when its data are there. In the published simulator rows are one program: one starts per cycle, none
before those in front of it, and their results leave in the same way.
"""

from collections.abc import Callable
from functools import partial

from neupims.machine.core import Core
from neupims.machine.ranks import NEXT_ROW

Done = Callable[[int, int], None]
"""Gets a row and the time at which its result leaves, once that is known."""


class ReadyRows:
    """Rows in the order in which their data arrive."""

    waits = False
    """Whether a row may be held up by others."""

    def __init__(self, count: int, core: Core, done: Done) -> None:
        self._core, self._done = core, done

    def arrived(self, row: int, latency: int) -> None:
        """The data of `row` are there now; on a unit it takes `latency` cycles, or none if that is 0."""
        if latency == 0:
            self._done(row, self._core.now)
        else:
            self._core.vector.run(1, latency, "pim", lambda end: self._done(row, self._core.clock.ps(end)))


class RowsInOrder:
    """Rows as one program."""

    waits = True

    def __init__(self, count: int, core: Core, done: Done) -> None:
        self._core, self._done, self._count = core, done, count
        self._latency: dict[int, int] = {}
        self._next = 0
        self._free = 0
        self._left = 0

    def arrived(self, row: int, latency: int) -> None:
        """The data of `row` are there now; on a unit it takes `latency` cycles, or none if that is 0."""
        self._latency[row] = latency
        if row == self._next:
            self._start()

    def _start(self) -> None:
        now, period = self._core.now, self._core.clock.period_ps
        while self._next in self._latency:
            if self._free > now:
                self._core.agenda.at(self._free, NEXT_ROW, self._start)
                return
            row, latency = self._next, self._latency.pop(self._next)
            self._next += 1
            if latency:
                self._free = now + period
                self._core.vector.run(1, latency, "pim", partial(self._leave, row))
            else:
                self._done(row, now)

    def _leave(self, row: int, end: int) -> None:
        self._left = max(self._core.clock.ps(end), self._left + self._core.clock.period_ps)
        self._done(row, self._left)


ROWS: dict[str, type[ReadyRows] | type[RowsInOrder]] = {"as_ready": ReadyRows, "in_order": RowsInOrder}
