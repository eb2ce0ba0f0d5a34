"""Between core and memory: requests on their way out, completions on their way back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from simpy.core import Environment

from neupims.events.agenda import Agenda
from neupims.events.clock import Clock
from neupims.events.holds import Holds
from neupims.events.join import Join
from neupims.hardware.memory import MemorySpec
from neupims.isa.counter import RunningCounter
from neupims.isa.run_source import Parts
from neupims.isa.work import Records
from neupims.machine.dram.memory import Memory
from neupims.machine.ranks import REQUEST
from neupims.units import cycles

Ints = NDArray[np.int64]
Sizes = tuple[Ints, Ints]
Handler = Callable[[int], None]

NEVER = int(np.iinfo(np.int64).max)
NPU_PORT, PIM_PORT = 0, 1
LONGEST_WINDOW = 1 << 16
PATIENCE = 2_000_000
"""Cycles without any completion after which a busy memory is held to be stuck."""
QUIET = 10_000
"""Cycles without any completion after which it is worth asking whether the memory is idle."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Cycles by which the memory knows a completion before it happens, at least."""

    access: int
    """Reads and writes: both may be answered from the write buffer in the next cycle, unless responses queue up."""
    result: int
    """PIM results: the read latency."""


def known_ahead(memory: MemorySpec) -> Ahead:
    """What the timing of a memory guarantees."""
    burst = memory.organization.burst_length // 2
    at_once = memory.controller.responses_per_cycle is None
    return Ahead(int(at_once), cycles(memory.timing.t_cl_ns, memory.clock_ghz) + burst)


def _bursts(runs: Records, blocks: Ints) -> list[int]:
    """Bursts of each of several blocks, of which `runs` has some each and in this order."""
    if len(blocks) == 1:
        return [int(np.add.reduce(runs["bursts"]))]
    return np.add.reduceat(runs["bursts"], np.searchsorted(runs["block"], blocks)).tolist()


class Transfers:
    """The memory as the programs of a device see it; the partner of their SimPy environment.

    `arrived[block]` is the time at which the core knows a block to be complete, or NEVER while that
    is unknown. Everything takes `interconnect_ps` each way.
    """

    def __init__(
        self,
        memory: Memory,
        clock: Clock,
        env: Environment,
        agenda: Agenda,
        interconnect_ps: int,
        longest_window: int = LONGEST_WINDOW,
        counter: RunningCounter | None = None,
    ) -> None:
        self.memory, self.clock, self.env, self.agenda = memory, clock, env, agenda
        self.counter = counter
        """Where addresses come from when requests reach the memory; None where plans know them."""
        self.interconnect_ps = interconnect_ps
        self.holds = Holds(longest_window)
        self.longest_window = longest_window
        self.arrived: Ints = np.empty(0, np.int64)
        self._times: memoryview = self.arrived.data
        """The same numbers; one of them is written in a tenth of the time."""
        self.listeners: list[Callable[[], None]] = []
        """Called after each window in which something became known."""
        self.bounds: list[Callable[[], int]] = []
        """Limits of the lookahead that change as programs go on, besides the holds."""
        self._handlers: list[Handler | None] = []
        self._watched: list[slice] = []
        self._last_activity = memory.now

    # Blocks ---------------------------------------------------------------------------------

    def register(self, parts: Ints) -> int:
        """New blocks of so many parts each; returns the id of the first."""
        if len(parts) and int(parts.min()) < 1:
            raise RuntimeError("a block without parts would never complete")
        first = self.memory.blocks(parts)
        self._grow(first + len(parts))
        return first

    def _grow(self, size: int) -> None:
        short = size - len(self.arrived)
        if short > 0:
            short = max(short, len(self.arrived))
            self.arrived = np.concatenate((self.arrived, np.full(short, NEVER)))
            self._times = self.arrived.data
            self._handlers += [None] * short

    def watch(self, first: int, count: int, handler: Handler) -> None:
        """Call `handler(block)` as soon as the completion of one of `count` blocks is known."""
        self._watched.append(slice(first, first + count))
        self._handlers[first : first + count] = [handler] * count

    def forget(self) -> None:
        """A stage has ended, and with it all its transfers: what watched their blocks is let go.

        Raises:
            RuntimeError: one of its blocks has not completed.
        """
        for blocks in self._watched:
            if (self.arrived[blocks] == NEVER).any():
                raise RuntimeError("a stage ended before all its transfers did")
            self._handlers[blocks] = [None] * (blocks.stop - blocks.start)
        self._watched.clear()

    def watch_join(self, first: int, count: int, join: Join) -> None:
        """Count `join` down with the arrival of each of `count` blocks."""
        self.watch(first, count, lambda block: join.count_down(int(self.arrived[block])))

    # Requests -------------------------------------------------------------------------------

    def send(
        self,
        time: int,
        key: int,
        runs: Parts,
        port: int,
        sizes: Sizes,
        then: Callable[[], None] | None = None,
        first: int = 0,
    ) -> None:
        """Runs leave the core at `time`; `key` orders those that leave together. `then`: on arrival.

        `first` is block 0 of the runs, `sizes` are their blocks, from there on, and the bytes of these.
        """

        def arrive() -> None:
            self._arrive()
            for number, part in enumerate(runs, 1):
                listed = part()
                given = listed if self.counter is None else self._relocated(listed, sizes, first, self.counter)
                self.memory.submit(given, port, first, len(runs) - number)
            if then is not None:
                then()

        self.agenda.at(time + self.interconnect_ps, (REQUEST, port, key), arrive)

    def _relocated(self, runs: Records, sizes: Sizes, first: int, counter: RunningCounter) -> Records:
        """The requests of `runs` at the addresses that the counter gives them now."""
        blocks, size = sizes
        moved = counter.take(size, blocks, bool(runs["write"][0]))
        for block, now, before in zip(blocks.tolist(), _bursts(moved, blocks), _bursts(runs, blocks), strict=True):
            if now != before:
                self.memory.add_parts(first + block, now - before)
        return moved

    def send_pim(self, time: int, key: int, instructions: Records) -> None:
        """PIM instructions leave the core at `time`."""

        def arrive() -> None:
            self._arrive()
            self.memory.submit_pim(instructions)

        self.agenda.at(time + self.interconnect_ps, (REQUEST, PIM_PORT, key), arrive)

    def _arrive(self) -> None:
        self._last_activity = self.memory.now
        cycle = self.clock.edge(int(self.env.now))
        if cycle != self.memory.now:
            raise RuntimeError(f"a request for cycle {cycle} meets a memory that has run to {self.memory.now}")

    # Coupling -------------------------------------------------------------------------------

    def reaction(self, ahead: int, react_ps: int) -> int:
        """Window that is safe when a completion is known `ahead` and answered `react_ps` after its arrival."""
        return min(ahead + self.clock.edge(2 * self.interconnect_ps + react_ps), self.longest_window)

    @property
    def now(self) -> int:
        """Cycles that the memory has run."""
        return self.memory.now

    @property
    def lookahead(self) -> int:
        """Cycles that the memory may run ahead."""
        least = self.holds.least
        for bound in self.bounds:
            least = min(least, bound())
        return least

    def advance(self, until: int) -> None:
        """Run the memory as far as its lookahead allows, and note what became known.

        As long as nothing does, the device stays as it is, and so does the lookahead.
        """
        ids, done = self.memory.advance(min(until, self.memory.now + QUIET), self.lookahead)
        if not len(ids):
            return
        self._last_activity = self.memory.now
        blocks: list[int] = ids.tolist()
        period, away = self.clock.period_ps, self.interconnect_ps
        for block, cycle in zip(blocks, done.tolist(), strict=True):
            self._times[block] = cycle * period + away
        for block in blocks:
            if (handler := self._handlers[block]) is not None:
                handler(block)
        for listener in self.listeners:
            listener()

    def stuck(self, alone: bool) -> str | None:
        """Why no completion will come any more, or None."""
        quiet = self.memory.now - self._last_activity
        if quiet < QUIET:
            return None
        if quiet > PATIENCE and not self.memory.idle():
            return f"the memory has work but has completed nothing for {PATIENCE} cycles (a gate that never opens?)"
        if alone and self.memory.idle():
            return "the memory is idle, no event is due, and yet a program waits"
        return None
