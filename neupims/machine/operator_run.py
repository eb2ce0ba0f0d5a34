"""One operator in progress on the NPU: steps start when their loads have arrived, stores follow steps."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event

from neupims.events.join import Join
from neupims.isa.work import NpuWork
from neupims.machine.core import Core
from neupims.machine.loader import LoadQueue
from neupims.machine.outcome import OperatorSpan
from neupims.machine.ranks import END_OF_NPU
from neupims.machine.step_units import UNITS
from neupims.machine.transfers import NEVER, NPU_PORT, parts_of

Ints = NDArray[np.int64]
Released = Callable[[list[int]], None]


class OperatorRun:
    """State of an NpuWork from the first prefetch to its last acknowledged store.

    Array steps are timed as soon as the arrivals of their loads are known; vector steps at the time
    at which their loads have arrived, because the vector units are shared.
    """

    def __init__(self, work: NpuWork, core: Core, released: Released) -> None:
        self.work, self.core, self._released = work, core, released
        steps, loads, stores = work.steps, len(work.loads.bytes), len(work.stores.bytes)
        self.queue = LoadQueue(work.loads, core) if loads else None
        self._need: Ints = np.maximum.accumulate(steps["loads"].astype(np.int64))
        self._reach = np.zeros(loads + 1, np.int64)
        self._known = 0
        self._next = 0
        self._store = 0
        self._store_time = 0
        self._last_end = 0
        self._first_store = core.transfers.register(parts_of(work.stores.runs, stores)) if stores else 0
        self._store_offsets = np.searchsorted(work.stores.runs["block"], np.arange(stores + 1))
        if len(steps) and self._need[-1] > loads:
            raise RuntimeError(f"{work.name}: a step wants {self._need[-1]} loads but there are {loads}")
        self._unit = UNITS[work.unit](work, core)
        self.finished = Event(core.env)
        self.start = self.end = 0

    # Beginning and end ----------------------------------------------------------------------

    def begin(self) -> None:
        """The operators before this one have ended."""
        self.start = self._last_end = self._store_time = self.core.now
        self._reach[0] = self.start
        self._end = Join(3, self.start, self._finish_at)
        stores, loads = len(self.work.stores.bytes), len(self.work.loads.bytes)
        self._stores_done = Join(stores, self.start, self._stored)
        if stores:
            self.core.transfers.watch_join(self._first_store, stores, self._stores_done)
        if not loads:
            self._end.count_down(self.start)
        if not len(self.work.steps):
            self._end.count_down(self.start)
        self.proceed()

    def _stored(self, latest: int) -> None:
        if len(self.work.stores.bytes):
            self.core.transfers.holds.remove(self._store_hold)
        self._end.count_down(latest)

    @property
    def _store_hold(self) -> int:
        return self.core.transfers.reaction(self.core.ahead.access, 0)

    def _finish_at(self, time: int) -> None:
        self.end = time
        self.core.agenda.at(time, END_OF_NPU, self._finish)

    def _finish(self) -> None:
        unfreed = int(self.work.loads.bytes.sum()) - int(self.work.steps["frees"].sum())
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
        until = int(np.searchsorted(self._need, self._known, "right"))
        if until > self._next:
            part = slice(self._next, until)
            self._next = until
            self._unit.issue(part, self._reach[self._need[part]], self._ended)

    def lookahead(self, loader_waits: bool) -> int:
        """Cycles that memory may run before a load that arrives in them can cause a request.

        A store, the end of the operator or, if the loader waits for room, any step can.
        """
        transfers, steps = self.core.transfers, len(self.work.steps)
        if self._known == len(self.work.loads.bytes):
            return transfers.longest_window
        if self._next == steps or self._need[-1] < len(self.work.loads.bytes):
            return transfers.reaction(self.core.ahead.access, 0)
        stores = self.work.stores.step
        store = int(np.searchsorted(stores, self._next))
        cause = int(stores[store]) if store < len(stores) else steps - 1
        delay = self._unit.delay(self._next, self._next if loader_waits else cause)
        return transfers.reaction(self.core.ahead.access, self.core.clock.ps(delay))

    def _learn(self) -> bool:
        """Note arrivals that have become known, in the order of the loads."""
        loads = len(self.work.loads.bytes)
        if self.queue is None or self._known == loads:
            return False
        times = self.core.transfers.arrived[self.queue.first + self._known : self.queue.first + loads]
        unknown = np.flatnonzero(times == NEVER)
        count = int(unknown[0]) if len(unknown) else len(times)
        if count:
            reach = np.maximum.accumulate(np.concatenate(([self._reach[self._known]], times[:count])))
            self._reach[self._known + 1 : self._known + 1 + count] = reach[1:]
            self._known += count
            if self._known == loads:
                self._end.count_down(int(self._reach[-1]))
        return count > 0

    def _ended(self, part: slice, ends: Ints) -> None:
        """Steps `part` end at `ends`: free the scratchpad, send the stores."""
        self._last_end = max(self._last_end, int(ends.max()))
        frees = self.work.steps["frees"][part]
        given = np.flatnonzero(frees)
        for amount, end in zip(frees[given].tolist(), ends[given].tolist(), strict=True):
            self.core.scratchpad.release(amount, end)
        self._send_stores(part, ends)
        self._released(ends[given].tolist())
        if part.stop == len(self.work.steps):
            self._end.count_down(self._last_end)

    def _send_stores(self, part: slice, ends: Ints) -> None:
        step, stop = self.work.stores.step, int(part.stop)
        until = int(np.searchsorted(step, stop, "left"))
        if until == self._store:
            return
        ready: Ints = np.maximum(ends[step[self._store : until] - part.start], self._store_time)
        times: Ints = np.maximum.accumulate(ready)
        cuts = np.flatnonzero(np.diff(times)) + 1
        edges: list[int] = [0, *cuts.tolist(), len(times)]
        for low, high in pairwise(edges):
            self._send_store(self._store + low, self._store + high, int(times[low]))
        self._store, self._store_time = until, int(times[-1])

    def _send_store(self, low: int, high: int, time: int) -> None:
        runs = self.work.stores.runs[self._store_offsets[low] : self._store_offsets[high]].copy()
        runs["block"] += self._first_store
        last = high == len(self.work.stores.bytes)
        then = partial(self.core.transfers.holds.add, self._store_hold) if last else None
        self.core.transfers.send(time, 0, runs, NPU_PORT, then)
