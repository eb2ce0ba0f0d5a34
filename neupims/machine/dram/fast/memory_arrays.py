"""The compiled memory: the engine's arrays behind the interface of `machine.dram.memory`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.memory import TRACE, transactions
from neupims.jit import Array, Narrow
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.blocks import Blocks
from neupims.machine.dram.fast.build import build_channels, build_constants
from neupims.machine.dram.fast.canonical import has_pim_work
from neupims.machine.dram.fast.channel import advance
from neupims.machine.dram.fast.classes import Classes
from neupims.machine.dram.fast.likeness import Likeness, Named
from neupims.machine.dram.fast.namesakes import Namesakes, tell_blocks
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
        self._blocks = Blocks()
        self._traces: list[NDArray[Any]] = []
        self._trace, self._plain = trace, plain
        self._classes = Classes(count, alone=plain)
        self._likeness = Likeness(self._k, self._channels, self._queues)
        self._namesakes: list[Namesakes] = []
        """Classes whose channels have names of their own."""
        self._more = np.zeros((count, len(COUNTED)), np.int64)
        """What each channel has counted more than the one that stands for it."""
        self._next_join, self._pause = JOIN_EVERY, JOIN_EVERY
        self._compared: list[int] = []
        """Channels whose states were compared last."""
        self.now = 0
        """Cycles run."""
        self._simulated = self._begun = 0
        self._first = np.arange(count)
        self._regroup()

    def blocks(self, parts: Array) -> int:
        """Register blocks of so many parts each; returns the first one's id."""
        return self._blocks.register(parts)

    def add_parts(self, block: int, parts: int) -> None:
        """See Memory."""
        self._blocks.add(block, parts)

    def submit(self, runs: NDArray[Any], port: int, first: int = 0, follow: int = 0) -> None:
        """Queue RUNs at a port; see Memory."""
        if self._namesakes and not self._fit_names(runs):
            self._give_names_back()
        self._part(runs)
        x, of, done = self._channels, self._classes.of, 0
        while (done := append_runs(x, of, self._queues[port], port, runs, first, done)) < len(runs):
            self._lengthen(port, runs[done:], follow * len(runs) // len(x))

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        """Append INSTRUCTIONs to the PIM programs."""
        self._give_names_back()
        self._part(instructions)
        items = transactions(instructions, bool(self._k[at.P_COMPOSITE]))
        x, of, done = self._channels, self._classes.of, 0
        while (done := append_instructions(x, of, self._queues[PROGRAM], instructions, items, done)) < len(items):
            self._lengthen(PROGRAM, instructions[done:])
        self._pause = JOIN_EVERY

    def _lengthen(self, which: int, records: NDArray[Any], each: int = 0) -> None:
        """Make some queues so long that two thirds of them hold what waits, `records`, and so many for each channel."""
        first, x, queues, (head, end) = self._first, self._channels, self._queues[which], at.ENDS[which]
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
        blocks = self._blocks
        while self.now < until and (step == 0 or not blocks.table[at.B_FINISHED]):
            self._run(min(until, self.now + WINDOW), step)
        return by_time(*blocks.take()) if blocks.table[at.B_FINISHED] else (NOTHING, NOTHING)

    def _run(self, until: int, step: int) -> None:
        if self.now >= self._next_join and not self._plain:
            self._join()
        npu, side, programs = self._queues
        self.now = advance(self._k, self._channels, self._first, self._blocks.table, npu, side, programs, until, step)
        if self._namesakes:
            tell_blocks(self._blocks, self._namesakes)
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
            self._copy(old, new)
        if parts:
            self._regroup()

    def _copy(self, old: int, new: int) -> None:
        self._channels[new] = self._channels[old]
        x = self._channels[new]
        for queues, (head, end) in zip(self._queues, at.ENDS, strict=True):
            queues[new, x[head] : x[end]] = queues[old, x[head] : x[end]]

    def _join(self) -> None:
        """Join the classes whose states agree; the longer the same ones do not, the more rarely it is tried."""
        self._namesakes = [each for each in self._namesakes if self._in_use(each)]
        kept = {each.first for each in self._namesakes}
        idle = [c for c in self._first.tolist() if c not in kept and not has_pim_work(self._channels[c])]
        groups = list(self._likeness.groups(idle))
        for group in groups:
            self._join_all(group)
        if groups:
            self._regroup()
        again = bool(idle) and not groups and idle == self._compared
        self._pause = min(2 * self._pause, JOIN_PATIENCE * JOIN_EVERY) if again else JOIN_EVERY
        self._compared = idle
        self._next_join = self.now + self._pause

    def _join_all(self, group: list[Named]) -> None:
        counted = self._counted(np.array([each.channel for each in group]))
        first = group[0]
        for other, own in zip(group[1:], counted[1:], strict=True):
            self._more[self._classes.members(other.channel)] += own - counted[0]
            if other.names == first.names:
                self._classes.join(first.channel, other.channel)
        if others := [other for other in group[1:] if other.names != first.names]:
            self._join_namesakes([first, *others])

    # Names ----------------------------------------------------------------------------------

    def _join_namesakes(self, group: list[Named]) -> None:
        """Join classes that are in the same state but for names."""
        members = [self._classes.members(named.channel) for named in group]
        stand_in = self._blocks.register(group[0].parts * sum(map(len, members)))
        joined = Namesakes(group, members, stand_in)
        for named in group[1:]:
            self._classes.join(joined.first, named.channel)
        self._likeness.rename(joined.first, joined.names[0], joined.of_all)
        self._namesakes.append(joined)

    def _in_use(self, joined: Namesakes) -> bool:
        """Whether names are about that are others in another channel."""
        return bool(joined.parts.any()) or joined.own(self._likeness.named(joined.first).names.rows)

    def _fit_names(self, runs: NDArray[Any]) -> bool:
        """Whether channels that have other names are given the same, and none of it has other names in another one."""
        rows = runs["row"]
        return not any(each.own(rows) for each in self._namesakes) and self._classes.gives_alike(runs)

    def _give_names_back(self) -> None:
        """Let all that were joined in spite of their names be classes of their own."""
        if not self._namesakes:
            return
        for joined in self._namesakes:
            for stand_in in joined.stand_ins:
                joined.tell(self._blocks, stand_in)
            for first, names in zip(joined.firsts[::-1], joined.names[::-1], strict=True):
                if first != joined.first:
                    self._copy(joined.first, first)
                self._likeness.rename(first, joined.of_all, names)
            self._classes.divide(list(zip(joined.firsts, joined.members, strict=True)))
        self._namesakes = []
        self._regroup()

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
            for joined in self._namesakes:
                if run == joined.first != number:
                    kept["row"] = joined.rows_of(number, kept["bank"], kept["row"])
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
