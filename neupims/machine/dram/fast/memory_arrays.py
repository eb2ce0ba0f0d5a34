"""The compiled memory: the engine's arrays behind the interface of `machine.dram.memory`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.memory import INSTRUCTION, RUN, TRACE, transactions
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.build import build_channels, build_constants
from neupims.machine.dram.fast.channel import advance
from neupims.machine.dram.fast.layout import Array
from neupims.machine.dram.fast.ports import append, is_idle
from neupims.machine.dram.memory import Counters, by_time

RUN_FIELDS = [name for name in RUN.names or () if name != "channel"]
INSTRUCTION_FIELDS = [name for name in INSTRUCTION.names or () if name != "channel"]
TRACE_WINDOW = 4096
"""Cycles run at a time when every command is kept."""


class FastMemory:
    """All channels of a device, run by compiled code; see `machine.dram.memory.Memory`."""

    def __init__(self, memory: MemorySpec, pim: PimSpec | None, trace: bool = False) -> None:
        self._k = build_constants(memory, pim, TRACE_WINDOW if trace else 0)
        self._channels = build_channels(memory, pim, self._k)
        count = len(self._channels)
        self._runs = np.zeros((2, count, 64, len(RUN_FIELDS) + 1), np.int64)
        self._programs = np.zeros((count, 64, len(INSTRUCTION_FIELDS) + 1), np.int64)
        self._blocks = _block_table(1024)
        self._registered = 0
        self._traces: list[NDArray[Any]] = []
        self._trace = trace

    @property
    def now(self) -> int:
        """Cycles run."""
        return int(self._channels[0, at.S_CYCLE])

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
        """Change the parts of a block of which nothing has been submitted."""
        self._blocks[at.B_LEFT + block] += parts

    def submit(self, runs: NDArray[Any], port: int) -> None:
        """Queue RUNs at a port."""
        owners, records = _columns(runs, RUN_FIELDS)
        places = np.array([at.S_RUN_HEAD0 + port, at.S_RUN_N0 + port, at.S_UNSENT0 + port])
        items, done = runs["bursts"].astype(np.int64), 0
        while (done := append(self._channels, self._runs[port], places, owners, records, items, done)) < len(owners):
            self._runs = np.concatenate([self._runs, np.zeros_like(self._runs)], axis=2)

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        """Append INSTRUCTIONs to the PIM programs."""
        owners, records = _columns(instructions, INSTRUCTION_FIELDS)
        places = np.array([at.S_PROG_HEAD, at.S_PROG_N, at.S_UNSENT1])
        items, done = transactions(instructions, bool(self._k[at.P_COMPOSITE])), 0
        while (done := append(self._channels, self._programs, places, owners, records, items, done)) < len(owners):
            self._programs = np.concatenate([self._programs, np.zeros_like(self._programs)], axis=1)

    def advance(self, until: int) -> tuple[Array, Array]:
        """Run the cycles up to `until` - 1; blocks that became known to complete, and when."""
        while self._trace and until - self.now > TRACE_WINDOW:
            self._run(self.now + TRACE_WINDOW)
        self._run(until)
        b, n = self._blocks, int(self._blocks[at.B_N])
        finished = at.B_LEFT + 2 * n
        ids = b[finished : finished + b[at.B_FINISHED]].copy()
        b[at.B_FINISHED] = 0
        return by_time(ids, b[at.B_LEFT + n + ids])

    def _run(self, until: int) -> None:
        advance(self._k, self._channels, self._blocks, self._runs, self._programs, until)
        if self._trace:
            self._keep_trace()

    def _keep_trace(self) -> None:
        start = self._k[at.O_TRACE]
        for number, x in enumerate(self._channels):
            rows = x[start : start + x[at.S_TRACED] * at.TRACED].reshape(-1, at.TRACED)
            kept = np.zeros(len(rows), TRACE)
            kept["channel"] = number
            for column, name in enumerate(("cycle", "command", "bank", "row", "macs")):
                kept[name] = rows[:, column]
            self._traces.append(kept)
            x[at.S_TRACED] = 0

    def counters(self) -> Counters:
        """Commands and busy cycles so far."""
        x = self._channels
        commands = x[:, at.COUNTS : at.COUNTS + at.KINDS].copy()
        return Counters(commands, x[:, at.S_PIM_BUSY].copy(), x[:, at.S_MACS].copy())

    def idle(self) -> bool:
        """Whether nothing is queued anywhere."""
        return bool(is_idle(self._k, self._channels))

    def trace(self) -> NDArray[Any]:
        """Issued commands by cycle and channel."""
        empty = np.zeros(0, TRACE)
        return np.sort(np.concatenate([empty, *self._traces]), order=("cycle", "channel"))


def _columns(records: NDArray[Any], fields: list[str]) -> tuple[Array, Array]:
    """Channels, and the other fields as columns."""
    columns = np.empty((len(records), len(fields)), np.int64)
    for place, name in enumerate(fields):
        columns[:, place] = records[name]
    return records["channel"].astype(np.int64), columns


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
