"""Results of PIM on their way to memory: a part of a request's writes leaves when the last of its results is there."""

from collections.abc import Callable, Sequence

import numpy as np

from neupims.events.join import Join
from neupims.machine.core import Core
from neupims.machine.pim_batch import Writes
from neupims.machine.transfers import NEVER, PIM_PORT


class PendingWrites:
    """Writes of the requests of a batch, some of which may have none; `action` gets the time of the last.

    Result r of a request is row `request * results + r`. There are tens of thousands of rows and parts, so what
    is known of them beforehand is in lists.
    """

    def __init__(
        self,
        writes: Writes,
        results: int,
        sizes: Sequence[int],
        core: Core,
        action: Callable[[int], None],
        requests: int,
        first_key: int = 0,
    ) -> None:
        """A part of request i that leaves by itself has `sizes[i]` bytes; `requests` have results."""
        self._writes, self._core = writes, core
        parts, rows = writes.parts, np.arange(len(writes.parts)) * results
        part_of_row = (writes.starts[:, None] + np.arange(results) * parts[:, None] // results).ravel()
        self._part: list[int] = part_of_row.tolist()
        self._left: list[int] = np.bincount(part_of_row).tolist()
        self._latest = [core.now] * len(self._left)
        keys = first_key + np.repeat(rows - writes.starts, parts) + np.arange(len(self._left))
        self._keys: list[int] = keys.tolist()
        self._sizes = np.repeat(np.array(sizes, np.int64), parts)
        self._known = Join(writes.count + requests - writes.requests, core.now, action)
        self._unsent, self._unknown = writes.leaving, writes.count
        self.earliest = NEVER
        """When the first of them is complete."""
        core.transfers.watch(writes.first, writes.count, self._learn)

    @property
    def _window(self) -> int:
        return self._core.transfers.reaction(self._core.ahead.access, 0)

    def result(self, row: int, time: int) -> None:
        """The result of `row` leaves its unit at `time`."""
        part = self._part[row]
        if self._left[part] == 0:
            raise RuntimeError("a part of a request's writes has more results than it waits for")
        if time > self._latest[part]:
            self._latest[part] = time
        self._left[part] -= 1
        if self._left[part] == 0:
            self._send(part, self._latest[part])

    def _send(self, part: int, time: int) -> None:
        runs, block = self._writes.of(part)
        if len(runs):
            sizes = (block, self._sizes[part : part + 1])
            self._core.transfers.send(time, self._keys[part], [lambda: runs], PIM_PORT, sizes, self._sent)
        else:
            self._known.count_down(time)

    def _sent(self) -> None:
        self._unsent -= 1
        if self._unsent == 0:
            self._core.transfers.holds.add(self._window)

    def _learn(self, block: int) -> None:
        self._unknown -= 1
        if self._unknown == 0:
            self._core.transfers.holds.remove(self._window)
        arrival = int(self._core.transfers.arrived[block])
        if arrival < self.earliest:
            self.earliest = arrival
        self._known.count_down(arrival)
