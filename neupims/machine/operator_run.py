"""One operator in progress on the NPU: steps start when their loads have arrived, stores follow steps."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event

from neupims.events.join import Join
from neupims.isa.work import NpuWork
from neupims.machine.core import Core
from neupims.machine.early_stores import EarlyStores
from neupims.machine.loader import LoadQueue
from neupims.machine.outcome import OperatorSpan
from neupims.machine.ranks import END_OF_NPU
from neupims.machine.step_units import UNITS
from neupims.machine.store_queue import StoreQueue
from neupims.machine.transfers import NEVER

Ints = NDArray[np.int64]
Released = Callable[[list[int]], None]


class OperatorRun:
    """State of an NpuWork from the first prefetch to its last acknowledged store.

    Array steps are timed as soon as the arrivals of their loads are known; vector steps at the time
    at which their loads have arrived, because the vector units are shared.
    """

    def __init__(self, work: NpuWork, core: Core, released: Released) -> None:
        self.work, self.core, self._released = work, core, released
        self._steps, self._loads = len(work.steps), len(work.loads.bytes)
        self.queue = LoadQueue(work.loads, core) if self._loads else None
        self._need: Ints = np.maximum.accumulate(work.steps["loads"].astype(np.int64))
        self._last_need = int(self._need[-1]) if self._steps else 0
        self._frees: Ints = work.steps["frees"].astype(np.int64)
        self._reach = np.zeros(self._loads + 1, np.int64)
        self._known = 0
        self._next = 0
        self._last_end = 0
        self._state: tuple[int, int, int, bool] | None = None
        """What the lookahead of loads depends on, as it was when that was last computed."""
        self._load_lookahead = 0
        self._stores = (StoreQueue if work.stores.early is None else EarlyStores)(work.stores, core)
        if self._last_need > self._loads:
            raise RuntimeError(f"{work.name}: a step wants {self._last_need} loads but there are {self._loads}")
        self._unit = UNITS[work.unit](work, core)
        self.finished = Event(core.env)
        self.start = self.end = 0

    # Beginning and end ----------------------------------------------------------------------

    def begin(self, start: int) -> None:
        """The operators before this one ended at `start`; its work may begin now."""
        now = self.core.now
        self.start, self._last_end = start, now
        self._reach[0] = now
        self._end = Join(3, now, self._finish_at)
        self._stores.begin(now, self._end.count_down)
        if self.queue is None:
            self._end.count_down(now)
        if not self._steps:
            self._end.count_down(now)
        self.proceed()

    def _finish_at(self, time: int) -> None:
        self.end = time
        self.core.agenda.at(time, END_OF_NPU, self._finish)

    def _finish(self) -> None:
        unfreed = int(self.work.loads.bytes.sum()) - int(self._frees.sum())
        if unfreed < 0:
            raise RuntimeError(f"{self.work.name}: its steps free {-unfreed} bytes more than it loads")
        self.core.scratchpad.release(unfreed, self.core.now)
        self.finished.succeed()

    def span(self) -> OperatorSpan:
        """What the operator did, once it has finished."""
        work = self.work
        read, written = int(work.loads.bytes.sum()), int(work.stores.bytes.sum())
        counts = (work.macs, work.other_ops, read, written)
        return OperatorSpan(work.name, work.kind, work.unit, self.start, self.end, *counts, self._unit.busy_ps)

    # Steps ----------------------------------------------------------------------------------

    def proceed(self) -> None:
        """Time the steps whose loads are known to arrive."""
        if not self._learn() and self._next:
            return
        self._stores.loaded(self._known, self._reach)
        until = int(np.searchsorted(self._need, self._known, "right"))
        if until > self._next:
            part = slice(self._next, until)
            self._next = until
            ready = self._reach[self._need[part]]
            self._stores.issued(ready)
            self._unit.issue(part, ready, self._ended)

    def lookahead(self, loader_waits: bool) -> int:
        """Cycles that memory may run before anything that it completes in them can cause a request."""
        state = (self._known, self._next, self._stores.sent, loader_waits)
        if state != self._state:
            self._state, self._load_lookahead = state, self._lookahead_of_loads(loader_waits)
        return min(self._load_lookahead, self._stores.lookahead)

    def _lookahead_of_loads(self, loader_waits: bool) -> int:
        """The same for loads.

        They can cause the next store, the end of the operator, or other loads if the loader waits for room.
        """
        transfers = self.core.transfers
        if self._known == self._loads:
            return transfers.longest_window
        if self._next == self._steps or self._last_need < self._loads or self._stores.wants(self._known):
            return transfers.reaction(self.core.ahead.access, 0)
        cause = self._next if loader_waits else self._stores.cause(self._next, self._steps - 1)
        return transfers.reaction(self.core.ahead.access, self.core.clock.ps(self._unit.delay(self._next, cause)))

    def _learn(self) -> bool:
        """Note arrivals that have become known, in the order of the loads."""
        if self.queue is None or self._known == self._loads:
            return False
        arrived, first = self.core.transfers.arrived, self.queue.first
        if arrived[first + self._known] == NEVER:
            return False
        times = arrived[first + self._known : first + self._loads]
        count = int((times == NEVER).argmax()) or len(times)
        reach = np.maximum.accumulate(times[:count])
        self._reach[self._known + 1 : self._known + 1 + count] = np.maximum(reach, self._reach[self._known])
        self._known += count
        if self._known == self._loads:
            self._end.count_down(int(self._reach[-1]))
        return True

    def _ended(self, part: slice, ends: Ints) -> None:
        """Steps `part` end at `ends`: free the scratchpad, send the stores."""
        self._last_end = max(self._last_end, int(ends.max()))
        frees = self._frees[part]
        given = frees.nonzero()[0]
        times = ends[given].tolist()
        for amount, end in zip(frees[given].tolist(), times, strict=True):
            self.core.scratchpad.release(amount, end)
        self._stores.send(part, ends)
        self._released(times)
        if self.queue is not None:
            self._released(self.queue.ended(part, ends))
        if part.stop == self._steps:
            self._end.count_down(self._last_end)
