"""Which loads go to memory, and when: the fetch side of the NPU program.

Loads of the operator at hand leave in order as soon as the scratchpad has room. With
`prefetch: stage`, loads of later operators that depend on nothing (weights, KV cache) follow: into at
most half of the scratchpad, and by a fetch engine that looks every `POLL_CYCLES` whether it has less
than two such periods' worth of peak bandwidth outstanding, so that stores and urgent loads never wait
behind more than that.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from neupims.isa.memory import RUN, bursts_between
from neupims.isa.run_source import GivenRuns, Parts
from neupims.isa.work import Loads, Records
from neupims.machine.core import Core
from neupims.machine.ranks import LOADER
from neupims.machine.transfers import NEVER, NPU_PORT

Ints = NDArray[np.int64]

POLL_CYCLES = 128
"""Period of the fetch engine, in DRAM cycles."""
FIRST_LOAD = -(1 << 40)
"""Key of the first load: of what leaves together, loads go before stores, whose keys are not negative."""


class LoadQueue:
    """The loads of one operator and which of them have left."""

    def __init__(self, loads: Loads, core: Core) -> None:
        self.bytes = loads.bytes
        self._early: Ints = np.flatnonzero(loads.early)
        self._early_bytes: Ints = np.cumsum(loads.bytes[self._early])
        self._fetched = 0
        """Early loads that have gone before the operator began."""
        source = loads.source
        edges = np.searchsorted(source.blocks, np.arange(len(loads.bytes) + 1, dtype=np.int32))
        parts = bursts_between(source.bursts, edges)
        self._source, self._edges = source, edges
        if core.transfers.counter is not None:
            self._source, self._edges = GivenRuns(_in_one(parts)), np.arange(len(parts) + 1)
        self.first = core.transfers.register(parts)
        self.waiting = np.ones(len(loads.bytes), np.bool_)
        self.ahead = 0
        """Bytes taken before the operator began."""
        self._after = np.full(len(loads.bytes), -1) if loads.after is None else loads.after
        self._last_after = int(self._after[-1])
        """The last step that a load waits for, or -1."""
        self._opens = np.where(self._after < 0, 0, NEVER)
        self.left = len(loads.bytes)
        """Loads that have not gone."""
        self._low, self._high = 0, int(np.searchsorted(self._after, 0))
        """Before the first and behind the last load that may be a candidate."""
        self._reply = 2 * core.transfers.interconnect_ps + core.transfers.clock.period_ps

    def candidates(self, now: int) -> Ints:
        """Loads that wait for nothing but room."""
        while self._low < len(self.waiting) and not self.waiting[self._low]:
            self._low += 1
        here = slice(self._low, self._high)
        return self._low + np.flatnonzero(self.waiting[here] & (self._opens[here] <= now))

    def next_early(self) -> int | None:
        """Bytes of the early load whose turn it is, before the operator has begun."""
        return int(self.bytes[self._early[self._fetched]]) if self._fetched < len(self._early) else None

    def fetch(self, room: int) -> Ints:
        """The next early loads that fit into `room` bytes, which go now, before the operator has begun."""
        low = self._fetched
        self._fetched = int(self._early_bytes.searchsorted(self.ahead + room, "right"))
        chosen = self._early[low : self._fetched]
        self.ahead += int(self.bytes[chosen].sum())
        return chosen

    def ended(self, part: slice, ends: Ints) -> list[int]:
        """Steps `part` end at `ends`: the times at which loads behind them may leave, if they have no delay."""
        if self._last_after < part.start:
            return []
        low, high = self._after.searchsorted((part.start, part.stop)).tolist()
        self._opens[low:high] = ends[self._after[low:high] - part.start] + self._reply
        self._high = max(self._high, high)
        return np.unique(self._opens[low:high]).tolist()

    def take(self, chosen: Ints) -> Parts:
        """Mark loads as gone; returns their runs."""
        self.waiting[chosen] = False
        self.left -= len(chosen)
        low, high = int(chosen[0]), int(chosen[-1]) + 1
        if high - low == len(chosen):
            return self._source.of([self._pieces(low, high)])
        inner = np.flatnonzero(np.diff(chosen) > 1)
        starts, ends = [low, *chosen[inner + 1].tolist()], [*(chosen[inner] + 1).tolist(), high]
        return self._source.of(list(map(self._pieces, starts, ends)))

    def _pieces(self, low: int, high: int) -> slice:
        """Pieces of the source in loads low to high - 1."""
        return slice(self._edges[low], self._edges[high])


def _in_one(parts: Ints) -> Records:
    """A RUN for each load, that tells only how many bursts it has: a counter is to give their addresses."""
    runs = np.zeros(len(parts), RUN)
    runs["block"], runs["bursts"] = np.arange(len(parts)), parts
    return runs


class Loader:
    """Feeds the loads of a stage's operators to memory."""

    def __init__(self, core: Core, queues: Sequence[LoadQueue | None]) -> None:
        self.core, self.queues = core, queues
        self.index = -1
        """Operator at hand; -1 before the first."""
        self.blocked = False
        """Whether the next load waits for room in the scratchpad, or for a step."""
        self._round = 0
        self._due = set[int]()
        """Times at which the loader will look again."""
        self._out: Ints = np.empty(0, np.int64)
        self._out_bytes: Ints = np.empty(0, np.int64)
        """Loads fetched ahead that were still on their way at the last look, and their bytes."""
        self._sent = FIRST_LOAD
        self._free_at = 0
        memory = core.system.memory
        assert memory is not None
        per_cycle = memory.organization.channels * memory.organization.bus_bits // 4
        self._limit = 2 * POLL_CYCLES * per_cycle
        largest = max((int(queue.bytes.max()) for queue in queues if queue is not None), default=0)
        if largest > core.scratchpad.capacity:
            raise RuntimeError(f"a load of {largest} bytes can never fit a scratchpad of {core.scratchpad.capacity}")

    def open(self, index: int) -> None:
        """Operator `index` begins."""
        self.index = index
        queue = self.queues[index]
        if queue is not None:
            self.core.scratchpad.begin(queue.ahead)
        self.pump()

    def pump(self) -> None:
        """Send what can be sent now."""
        self.blocked = False
        self._round += 1
        queue = self.queues[self.index] if self.index >= 0 else None
        if queue is not None and queue.left:
            self._send_urgent(queue)
            if queue.left:
                self._wait_for_room()
                return
        if self.core.npu.prefetch == "stage":
            self._send_ahead()

    def released(self, times: Iterable[int]) -> None:
        """Loads may leave at `times`, at which the scratchpad gets room or what they wait for is done."""
        if self.blocked:
            for time in times:
                self._pump_at(time)

    def _send_urgent(self, queue: LoadQueue) -> None:
        waiting = queue.candidates(self.core.now)
        room = self.core.scratchpad.free(self.core.now)
        chosen = waiting[: np.searchsorted(np.cumsum(queue.bytes[waiting]), room, "right")]
        if len(chosen):
            self.core.scratchpad.try_take(int(queue.bytes[chosen].sum()), self.core.now)
            self._send(queue, chosen)

    def _wait_for_room(self) -> None:
        self.blocked = True
        time = self.core.scratchpad.next_return
        if time is not None:
            self._pump_at(time)

    def _pump_at(self, time: int) -> None:
        if time not in self._due:
            self._due.add(time)
            self.core.agenda.at(time, (LOADER,), self._pump_now)

    def _pump_now(self) -> None:
        self._due.discard(self.core.now)
        self.pump()

    def _send(self, queue: LoadQueue, chosen: Ints) -> None:
        rate = self.core.npu.loads_per_cycle or len(chosen)
        for part in np.split(chosen, range(rate, len(chosen), rate)):
            self._sent += 1
            time = max(self.core.now, self._free_at)
            sizes = (part, queue.bytes[part])
            self.core.transfers.send(time, self._sent, queue.take(part), NPU_PORT, sizes, first=queue.first)
            if self.core.npu.loads_per_cycle is not None:
                self._free_at = time + self.core.clock.period_ps

    # Ahead of time --------------------------------------------------------------------------

    def _send_ahead(self) -> None:
        out = self._outstanding()
        for queue in self.queues[self.index + 1 :]:
            if queue is None or (size := queue.next_early()) is None:
                continue
            allowance = max(self._limit - out, 0 if out else size)
            room = min(self.core.scratchpad.room_ahead(self.core.now), allowance)
            if size <= room:
                out += self._send_early(queue, queue.fetch(room))
            if (size := queue.next_early()) is not None:
                self._come_back(size)
                return

    def _send_early(self, queue: LoadQueue, chosen: Ints) -> int:
        sizes = queue.bytes[chosen]
        total = int(sizes.sum())
        self.core.scratchpad.try_take_ahead(total, self.core.now)
        self._send(queue, chosen)
        self._out = np.concatenate((self._out, chosen + queue.first))
        self._out_bytes = np.concatenate((self._out_bytes, sizes))
        return total

    def _come_back(self, size: int) -> None:
        """What keeps the next load of `size` bytes: other loads on their way, the steps, or the half that is full."""
        pad, now = self.core.scratchpad, self.core.now
        if size <= pad.room_ahead(now):
            self._poll_later()
        elif size > pad.free(now):
            self._wait_for_room()

    def _poll_later(self) -> None:
        this_round = self._round

        def poll() -> None:
            if self._round == this_round:
                self.pump()

        period = self.core.transfers.clock.ps(POLL_CYCLES)
        self.core.agenda.at(self.core.now + period, (LOADER,), poll)

    def _outstanding(self) -> int:
        """Bytes fetched ahead that are still on their way."""
        under_way = self.core.transfers.arrived[self._out] > self.core.now
        if not under_way.all():
            self._out, self._out_bytes = self._out[under_way], self._out_bytes[under_way]
        return int(self._out_bytes.sum())
