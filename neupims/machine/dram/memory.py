"""The memory of a device: all its channels behind one door, compiled or interpreted."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.isa.memory import TRACE
from neupims.machine.dram.interpreter import Channel
from neupims.machine.dram.state import Blocks

Ints = NDArray[np.int64]
Engine = Literal["fast", "plain", "reference"]
"""`fast` and `plain` are compiled; `plain` runs every command of every channel. `reference` is the interpreter."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What the channels have done so far."""

    commands: Ints
    """Commands issued [channel, command]."""
    pim_busy: Ints
    """Cycles with PIM commands queued [channel]."""
    macs: Ints
    """PIM_MAC steps, those of composite commands included [channel]."""


class Memory(Protocol):
    """All channels of a device. Cycles are those of the DRAM clock."""

    @property
    def now(self) -> int:
        """Every channel has run up to, not including, this cycle."""
        ...

    def blocks(self, parts: Ints) -> int:
        """Register blocks, each complete when so many bursts or results are; returns the first one's id."""
        ...

    def add_parts(self, block: int, parts: int) -> None:
        """Let a block that is not complete have so many parts more (less, if negative) than was registered."""
        ...

    def submit(self, runs: NDArray[Any], port: int, first: int = 0, follow: int = 0) -> None:
        """Queue RUNs at port 0 (NPU program) or 1 (PIM program), visible from `now` on; their block 0 is `first`.

        So many arrays of about their length as `follow` are to come next, for which room may be made now.
        """
        ...

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        """Append INSTRUCTIONs with block ids to the in-order PIM programs of their channels.

        The parts of a block that an instruction waits for (`gate`) must lie in its own channel.
        """
        ...

    def advance(self, until: int, step: int = 0) -> tuple[Ints, Ints]:
        """Run the cycles up to `until` - 1; ids and cycles of blocks that became known to complete.

        With a `step`, run no further than the first so many cycles in which one became known.
        Sorted by cycle and id. A cycle may lie behind `until`: data on their way are known beforehand.
        """
        ...

    def counters(self) -> Counters:
        """Commands and busy cycles so far."""
        ...

    def simulated(self) -> int:
        """Commands that were really run; the others are those of channels that did the same."""
        ...

    def idle(self) -> bool:
        """Whether nothing is queued anywhere; data may still be on their way."""
        ...

    def trace(self) -> NDArray[Any]:
        """Issued commands (TRACE) by cycle and channel, when built with `trace`."""
        ...


class ReferenceMemory:
    """Channels run by the readable interpreter."""

    def __init__(self, memory: MemorySpec, pim: PimSpec | None, trace: bool = False) -> None:
        self._blocks = Blocks()
        self._traces = trace
        self.channels = [Channel(memory, pim, self._blocks) for _ in range(memory.organization.channels)]

    @property
    def now(self) -> int:
        """Cycles run."""
        return self.channels[0].state.cycle

    def blocks(self, parts: Ints) -> int:
        """See Memory."""
        first = len(self._blocks.left)
        self._blocks.left.extend(int(n) for n in parts)
        self._blocks.done.extend([0] * len(parts))
        return first

    def add_parts(self, block: int, parts: int) -> None:
        """See Memory."""
        self._blocks.left[block] += parts

    def submit(self, runs: NDArray[Any], port: int, first: int = 0, follow: int = 0) -> None:
        """See Memory."""
        runs = runs.copy()
        runs["block"] += first
        for number, channel in enumerate(self.channels):
            channel.submit(runs[runs["channel"] == number], port)

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        """See Memory."""
        for number, channel in enumerate(self.channels):
            channel.submit_pim(instructions[instructions["channel"] == number])

    def advance(self, until: int, step: int = 0) -> tuple[Ints, Ints]:
        """See Memory."""
        while self.now < until and (step == 0 or not self._blocks.finished):
            self._run(until if step == 0 else min(until, self.now + step))
        ids = np.array(self._blocks.finished, np.int64)
        self._blocks.finished.clear()
        return by_time(ids, np.array(self._blocks.done, np.int64)[ids])

    def _run(self, until: int) -> None:
        for channel in self.channels:
            while channel.state.cycle < until:
                channel.tick()
            if not self._traces and len(channel.issued) > 1:
                del channel.issued[:-1]

    def counters(self) -> Counters:
        """See Memory."""
        states = [channel.state for channel in self.channels]
        counts = [[channel.counts[command] for command in Command] for channel in self.channels]
        busy, macs = [state.pim_busy for state in states], [state.mac_steps for state in states]
        return Counters(np.array(counts), np.array(busy), np.array(macs))

    def simulated(self) -> int:
        """See Memory."""
        return int(self.counters().commands.sum())

    def idle(self) -> bool:
        """See Memory."""
        return not any(channel.busy for channel in self.channels)

    def trace(self) -> NDArray[Any]:
        """See Memory."""
        rows = [(x[0], c, *x[1:]) for c, channel in enumerate(self.channels) for x in channel.issued]
        return np.sort(np.array(rows, TRACE), order=("cycle", "channel"))


def by_time(ids: Ints, cycles: Ints) -> tuple[Ints, Ints]:
    """Both sorted by cycle, then id."""
    if len(ids) == 1:
        return ids, cycles
    order = np.lexsort((ids, cycles))
    return ids[order], cycles[order]


def build_memory(memory: MemorySpec, pim: PimSpec | None, engine: Engine = "fast", trace: bool = False) -> Memory:
    """A memory at rest."""
    if engine == "reference":
        return ReferenceMemory(memory, pim, trace)
    from neupims.machine.dram.fast.memory_arrays import FastMemory  # loads the compiler

    return FastMemory(memory, pim, trace, plain=engine == "plain")
