"""The compiled memory: the engine's arrays behind the interface of `machine.dram.memory`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.memory import TRACE, transactions
from neupims.jit import Array, Narrow
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.build import build_channels, build_constants
from neupims.machine.dram.fast.canonical import has_pim_work, write_canonical
from neupims.machine.dram.fast.channel import advance
from neupims.machine.dram.fast.classes import Classes, groups_of
from neupims.machine.dram.fast.ports import append_instructions, append_runs, is_idle
from neupims.machine.dram.fast.relative import relative_state
from neupims.machine.dram.memory import Counters, by_time

WINDOW = 4096
"""Cycles run at a time, at most; where every command is kept, there is room for those of so many."""
JOIN_EVERY, JOIN_PATIENCE = 2048, 8
"""Cycles after which channels are compared, at first, and by how much this may grow while none can be joined."""
COUNTED = np.array([*range(at.COUNTS, at.COUNTS + at.KINDS), at.S_PIM_BUSY, at.S_MACS])
PLACES = 1024
"""Of a queue, at first."""
ENDS = ((at.S_RUN_HEAD0, at.S_RUN_N0), (at.S_RUN_HEAD1, at.S_RUN_N1), (at.S_PROG_HEAD, at.S_PROG_N))
"""Where in the state of a channel the first entry of each of its queues is, and the end."""
PROGRAM = 2
"""The queue of PIM instructions."""
NOTHING = np.empty(0, np.int64)


class FastMemory:
    """All channels of a device, run by compiled code; see `machine.dram.memory.Memory`.

    Channels that do the same are run once; `plain` runs each of them.
    """

    def __init__(self, memory: MemorySpec, pim: PimSpec | None, trace: bool = False, plain: bool = False) -> None:
        self._k = build_constants(memory, pim, WINDOW if trace else 0)
        self._channels = build_channels(memory, pim, self._k)
        count = len(self._channels)
        self._queues = [_new_queues(count, fields) for fields in (at.RUN_FIELDS, at.RUN_FIELDS, at.INSTRUCTION_FIELDS)]
        """Runs at port 0, at port 1, and PIM programs."""
        self._blocks = _block_table(1024)
        self._registered = 0
        self._traces: list[NDArray[Any]] = []
        self._trace, self._plain = trace, plain
        self._classes = Classes(count, alone=plain)
        self._more = np.zeros((count, len(COUNTED)), np.int64)
        """What each channel has counted more than the one that stands for it."""
        self._next_join, self._pause = JOIN_EVERY, JOIN_EVERY
        self.now = 0
        """Cycles run."""
        self._simulated = self._begun = 0
        self._first = np.arange(count)
        self._regroup()

    def blocks(self, parts: Array) -> int:
        """Register blocks of so many parts each; returns the first one's id."""
        first, size = self._registered, int(self._blocks[at.B_N])
        self._registered += len(parts)
        if self._registered > size:
            self._blocks = _longer(self._blocks, max(2 * size, self._registered))
        left = at.B_LEFT + first
        self._blocks[left : left + len(parts)] = parts
        return first

    def add_parts(self, block: int, parts: int) -> None:
        """See Memory."""
        self._blocks[at.B_LEFT + block] += parts

    def submit(self, runs: NDArray[Any], port: int, first: int = 0, follow: int = 0) -> None:
        """Queue RUNs at a port; see Memory."""
        self._part(runs)
        x, of, done = self._channels, self._classes.of, 0
        while (done := append_runs(x, of, self._queues[port], port, runs, first, done)) < len(runs):
            self._lengthen(port, runs[done:], follow * len(runs) // len(x))

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        """Append INSTRUCTIONs to the PIM programs."""
        self._part(instructions)
        items = transactions(instructions, bool(self._k[at.P_COMPOSITE]))
        x, of, done = self._channels, self._classes.of, 0
        while (done := append_instructions(x, of, self._queues[PROGRAM], instructions, items, done)) < len(items):
            self._lengthen(PROGRAM, instructions[done:])
        self._pause = JOIN_EVERY

    def _lengthen(self, which: int, records: NDArray[Any], each: int = 0) -> None:
        """Make some queues so long that two thirds of them hold what waits, `records`, and so many for each channel."""
        first, x, queues, (head, end) = self._first, self._channels, self._queues[which], ENDS[which]
        waiting = x[first, end] - x[first, head]
        more = np.bincount(records["channel"], minlength=len(x))[first]
        need, places = (int((waiting + more).max()) + each) * 3 // 2, queues.shape[1]
        longer = np.zeros((len(x), -(-need // places) * places, queues.shape[2]), queues.dtype)
        for channel, here, last in zip(first.tolist(), x[first, head].tolist(), x[first, end].tolist(), strict=True):
            longer[channel, : last - here] = queues[channel, here:last]
        x[first, end] = waiting
        x[first, head] = 0
        self._queues[which] = longer

    def advance(self, until: int, step: int = 0) -> tuple[Array, Array]:
        """See Memory."""
        b = self._blocks
        while self.now < until and (step == 0 or b[at.B_FINISHED] == 0):
            self._run(min(until, self.now + WINDOW), step)
        count = int(b[at.B_FINISHED])
        if not count:
            return NOTHING, NOTHING
        b[at.B_FINISHED] = 0
        n = int(b[at.B_N])
        finished = at.B_LEFT + 2 * n
        ids = b[finished : finished + count].copy()
        return by_time(ids, b[at.B_LEFT + n + ids])

    def _run(self, until: int, step: int) -> None:
        if self.now >= self._next_join and not self._plain:
            self._join()
        npu, side, programs = self._queues
        self.now = advance(self._k, self._channels, self._first, self._blocks, npu, side, programs, until, step)
        if self._trace:
            self._keep_trace()

    # Classes --------------------------------------------------------------------------------

    def _regroup(self) -> None:
        """Take up the classes as they are now."""
        self._simulated = self.simulated()
        self._first = self._classes.first
        self._channels[self._first, at.S_WEIGHT] = self._classes.sizes
        self._begun = self._commands()

    def _commands(self) -> int:
        return int(self._channels[self._first, at.COUNTS : at.COUNTS + at.KINDS].sum())

    def _part(self, records: NDArray[Any]) -> None:
        """Part the classes of which not all channels are given the same."""
        parts = self._classes.part(records)
        for old, new in parts:
            self._channels[new] = self._channels[old]
            x = self._channels[new]
            for queues, (head, end) in zip(self._queues, ENDS, strict=True):
                queues[new, x[head] : x[end]] = queues[old, x[head] : x[end]]
        if parts:
            self._regroup()

    def _join(self) -> None:
        """Join the classes whose states agree; the longer none does, the more rarely it is tried."""
        joined, idle = False, [channel for channel in self._first.tolist() if not self._busy(channel)]
        for group in groups_of((channel, self._sign(channel)) for channel in idle).values():
            if len(group) > 1:
                for alike in groups_of((channel, self._canonical(channel)) for channel in group).values():
                    joined |= self._join_all(alike)
        if joined:
            self._regroup()
        self._pause = JOIN_EVERY if joined else min(2 * self._pause, JOIN_PATIENCE * JOIN_EVERY)
        self._next_join = self.now + self._pause

    def _join_all(self, alike: list[int]) -> bool:
        counted = self._counted(np.array(alike))
        for other, own in zip(alike[1:], counted[1:], strict=True):
            self._more[self._classes.members(other)] += own - counted[0]
            self._classes.join(alike[0], other)
        return len(alike) > 1

    def _busy(self, channel: int) -> bool:
        return bool(has_pim_work(self._channels[channel]))

    def _sign(self, channel: int) -> bytes:
        """What is likely to differ if anything does."""
        x, k = self._channels[channel], self._k
        rows = [x[k[place] : k[place] + k[at.P_BANKS]] for place in (at.O_MEMORY_ROW, at.O_PIM_ROW, at.O_QUEUE_N)]
        return np.concatenate((*rows, x[[at.S_POINTER, at.S_READS, at.S_WRITES]])).tobytes()

    def _canonical(self, channel: int) -> bytes:
        x = self._channels[channel]
        waiting = x[at.S_RUN_N0] - x[at.S_RUN_HEAD0] + x[at.S_RUN_N1] - x[at.S_RUN_HEAD1]
        out = np.empty(2 * len(x) + int(waiting) * at.R_TICKET, np.int64)
        return out[: write_canonical(self._k, x, self._queues[0][channel], self._queues[1][channel], out)].tobytes()

    def _counted(self, channels: Array) -> Array:
        """Commands of each kind, busy cycles and MACs of channels that are run [channel, count]."""
        return self._channels[channels[:, np.newaxis], COUNTED]

    def relative_state(self) -> bytes:
        """That of the first channel; see `relative`."""
        return relative_state(self._k, self._channels[0], self._queues[0][0], self._queues[PROGRAM][0])

    # What happened --------------------------------------------------------------------------

    def _keep_trace(self) -> None:
        start = self._k[at.O_TRACE]
        for number, run in enumerate(self._classes.of.tolist()):
            x = self._channels[run]
            rows = x[start : start + x[at.S_TRACED] * at.TRACED].reshape(-1, at.TRACED)
            kept = np.zeros(len(rows), TRACE)
            kept["channel"] = number
            for column, name in enumerate(("cycle", "command", "bank", "row", "macs")):
                kept[name] = rows[:, column]
            self._traces.append(kept)
        self._channels[:, at.S_TRACED] = 0

    def counters(self) -> Counters:
        """Commands and busy cycles so far."""
        counted = self._counted(self._classes.of) + self._more
        return Counters(counted[:, : at.KINDS], counted[:, at.KINDS], counted[:, at.KINDS + 1])

    def simulated(self) -> int:
        """Commands that were really run; the others are those of channels that did the same."""
        return self._simulated + self._commands() - self._begun

    def idle(self) -> bool:
        """Whether nothing is queued anywhere."""
        return bool(is_idle(self._k, self._channels, self._first))

    def trace(self) -> NDArray[Any]:
        """Issued commands by cycle and channel."""
        empty = np.zeros(0, TRACE)
        return np.sort(np.concatenate([empty, *self._traces]), order=("cycle", "channel"))


def _new_queues(channels: int, fields: int) -> Narrow:
    """A queue for each channel."""
    return np.zeros((channels, PLACES, fields), np.int32)


def _block_table(size: int) -> Array:
    table = np.zeros(at.B_LEFT + 3 * size, np.int64)
    table[at.B_N] = size
    return table


def _longer(table: Array, size: int) -> Array:
    longer, n = _block_table(size), int(table[at.B_N])
    longer[at.B_FINISHED] = table[at.B_FINISHED]
    for part in range(3):
        old, new = at.B_LEFT + part * n, at.B_LEFT + part * size
        longer[new : new + n] = table[old : old + n]
    return longer
