"""Rows of decode attention on the vector units: when each starts, and when its result leaves.

Row `request * results + result` is a head's softmax, or the sum of partial results. As a compiler would have it,
a row starts when its data are there. In the published simulator rows are one program: one starts per cycle, none
before those in front of it, and their results leave in the same way.
"""

from collections.abc import Callable, Sequence
from functools import partial

from neupims.machine.core import Core
from neupims.machine.ranks import NEXT_ROW

Done = Callable[[int, int], None]
"""Gets a row and the time at which its result leaves, once that is known."""


class ReadyRows:
    """Rows in the order in which their data arrive."""

    def __init__(self, program: Sequence[int], core: Core, done: Done) -> None:
        self._core, self._done = core, done

    def arrived(self, row: int, latency: int) -> None:
        """The data of `row` are there now; on a unit it takes `latency` cycles."""
        self._core.vector.run(1, latency, "pim", lambda end: self._done(row, self._core.clock.ps(end)))


class RowsInOrder:
    """Rows as one program."""

    def __init__(self, program: Sequence[int], core: Core, done: Done) -> None:
        self._core, self._done, self._program = core, done, program
        self._period = core.clock.period_ps
        self._latency: dict[int, int] = {}
        self._next = 0
        self._free = 0
        self._left = 0

    def arrived(self, row: int, latency: int) -> None:
        """The data of `row` are there now; on a unit it takes `latency` cycles."""
        self._latency[row] = latency
        if row == self._program[self._next]:
            if self._free > self._core.now:
                self._core.agenda.at(self._free, NEXT_ROW, self._start)
            else:
                self._start()

    def _start(self) -> None:
        row = self._program[self._next]
        self._next += 1
        self._free = self._core.now + self._period
        self._core.vector.run(1, self._latency.pop(row), "pim", partial(self._leave, row))
        if self._next < len(self._program) and self._program[self._next] in self._latency:
            self._core.agenda.at(self._free, NEXT_ROW, self._start)

    def _leave(self, row: int, end: int) -> None:
        self._left = max(self._core.clock.ps(end), self._left + self._period)
        self._done(row, self._left)


ROWS: dict[str, type[ReadyRows] | type[RowsInOrder]] = {"ready": ReadyRows, "program": RowsInOrder}
