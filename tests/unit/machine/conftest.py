"""A tiny memory with fixed bandwidth and latency, and small works to run on it."""

from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neupims.hardware.load import load_system
from neupims.hardware.system import SystemSpec
from neupims.isa.commands import Command
from neupims.isa.memory import GWRITE, INSTRUCTION, RUN, TILE
from neupims.isa.run_source import GivenRuns
from neupims.isa.work import STEP, Loads, NpuWork, PimRequest, PimWork, Stores
from neupims.machine.dram.memory import Counters

BURST, LATENCY, GWRITE_CYCLES, GROUP_CYCLES = 2, 16, 96, 18


@dataclass
class SimpleMemory:
    """Each channel moves a burst in BURST cycles, in order of arrival; PIM has a data path of its own."""

    channels: int
    now: int = 0
    left: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    free: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    pim_free: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    programs: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    coming: list[tuple[int, int, int]] = field(default_factory=list)
    log: list[tuple[int, int, int, str]] = field(default_factory=list)
    """Cycle, channel, block or row, and what was seen: read, write (as submitted), gwrite, tile (as begun)."""

    def __post_init__(self) -> None:
        self.count = Counters(
            *(np.zeros(s, np.int64) for s in ((self.channels, len(Command)), self.channels, self.channels))
        )

    def blocks(self, parts: NDArray[np.int64]) -> int:
        first = len(self.left)
        self.left += parts.tolist()
        self.done += [0] * len(parts)
        return first

    def submit(self, runs: NDArray[Any], port: int, first: int = 0, follow: int = 0) -> None:
        for run in runs:
            channel, block, write = int(run["channel"]), first + int(run["block"]), bool(run["write"])
            for _ in range(int(run["bursts"])):
                start = max(self.now, self.free[channel])
                self.free[channel] = start + BURST
                self.coming.append((start, start + (1 if write else LATENCY), block))
            self.log.append((self.now, channel, block, "write" if write else "read"))

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        for instruction in instructions:
            self.programs[int(instruction["channel"])].append((self.now, instruction))

    def _run_pim(self, until: int) -> None:
        for channel, program in self.programs.items():
            while program and self._step(channel, *program[0], until):
                program.pop(0)

    def _step(self, channel: int, seen: int, instruction: Any, until: int) -> bool:
        gate = int(instruction["gate"])
        if gate >= 0 and self.left[gate]:
            return False
        start = max(self.pim_free[channel], seen, self.done[gate] if gate >= 0 else 0)
        if start >= until:
            return False
        self.log.append(
            (start, channel, int(instruction["row"]), "gwrite" if instruction["kind"] == GWRITE else "tile")
        )
        if instruction["kind"] == GWRITE:
            self.pim_free[channel] = start + GWRITE_CYCLES
            return True
        for group in range(int(instruction["groups"])):
            end = start + GROUP_CYCLES * (group + 1)
            if instruction["block"] >= 0:
                self.coming.append((end, end + LATENCY, int(instruction["block"]) + group))
            self.count.macs[channel] += int(instruction["macs"])
        self.count.commands[channel, Command.PIM_HEADER] += 1
        self.pim_free[channel] = start + GROUP_CYCLES * int(instruction["groups"])
        return True

    def advance(self, until: int, step: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        assert until > self.now
        found: list[tuple[int, int]] = []
        while self.now < until and not (step and found):
            found += self._advance(min(until, self.now + step) if step else until)
        found.sort()
        cycles, ids = (np.array([f[i] for f in found], np.int64) for i in (0, 1))
        return ids, cycles

    def _advance(self, until: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        while True:
            due = [entry for entry in self.coming if entry[0] < until]
            self.coming = [entry for entry in self.coming if entry[0] >= until]
            for _, cycle, block in due:
                self.left[block] -= 1
                self.done[block] = max(self.done[block], cycle)
                if not self.left[block]:
                    found.append((self.done[block], block))
            before = len(self.coming)
            self._run_pim(until)
            if len(self.coming) == before and not due:
                break
        self.now = until
        return found

    def counters(self) -> Counters:
        return deepcopy(self.count)

    def simulated(self) -> int:
        return int(self.count.commands.sum())

    def idle(self) -> bool:
        return not self.coming and not any(self.programs.values())


CHANNELS = 4

Make = Callable[..., Any]


@pytest.fixture
def new_memory() -> Callable[[], SimpleMemory]:
    """Makes memories of CHANNELS channels."""
    return lambda: SimpleMemory(CHANNELS)


@pytest.fixture
def system() -> Callable[..., SystemSpec]:
    """Makes systems with CHANNELS channels; overrides as on the command line."""

    def build(*overrides: str, name: str = "neupims") -> SystemSpec:
        return load_system(name, [f"memory.organization.channels={CHANNELS}", *overrides])

    return build


def striped(blocks: int, bursts: int, write: bool = False, row: int = 0) -> NDArray[Any]:
    """Each block has `bursts` bursts in every channel."""
    runs = np.zeros(blocks * CHANNELS, RUN)
    runs["block"] = np.repeat(np.arange(blocks), CHANNELS)
    runs["channel"] = np.tile(np.arange(CHANNELS), blocks)
    runs["row"] = row + runs["block"]
    runs["bursts"], runs["write"] = bursts, write
    return runs


@pytest.fixture
def npu_work() -> Make:
    """An operator of `steps` steps, each with one load of `bursts` per channel and, if wanted, one store."""

    def build(
        name: str = "op",
        unit: str = "array",
        kind: str = "gemm",
        steps: int = 4,
        bursts: int = 2,
        store: int = 1,
        early: bool = False,
        **fields: int,
    ) -> NpuWork:
        records = np.zeros(steps, STEP)
        records["loads"] = np.arange(steps) + 1
        records["stream"], records["preload"], records["rows"] = 64, 128 * (unit == "array"), 8
        size = bursts * CHANNELS * 64
        records["frees"] = size
        for field_name, value in fields.items():
            records[field_name] = value
        loads = Loads(GivenRuns(striped(steps, bursts)), np.full(steps, size), np.full(steps, early))
        stores = Stores()
        if store:
            stores = Stores(
                striped(steps, store, True), np.full(steps, store * CHANNELS * 64), np.arange(steps, dtype=np.int32)
            )
        return NpuWork(name, kind, unit, records, loads, stores, macs=1000)  # type: ignore[arg-type]

    return build


def program(channel: int, tiles: int, groups: int, row: int) -> NDArray[Any]:
    """A GWRITE, then `tiles` tiles whose groups report to blocks 0 .. groups - 1."""
    records = np.zeros(tiles + 1, INSTRUCTION)
    records["channel"], records["gate"], records["row"] = channel, -1, row
    records["kind"][1:], records["groups"][1:], records["macs"][1:] = TILE, groups, 8
    records["block"][0] = -1
    return records


@pytest.fixture
def pim_work() -> Make:
    """Attention of requests given by (channel, length), with two heads; request i uses row 10 i and 10 i + 1."""

    def build(*requests: tuple[int, int], output: bool = True, scores: bool = True, attend_tiles: int = 2) -> PimWork:
        made: list[PimRequest] = []
        for index, (channel, length) in enumerate(requests):
            runs = striped(1, 1, True)[channel : channel + 1]
            logit = program(channel, -(-length // 32), 2, 10 * index)
            attend = program(channel, attend_tiles, 2, 10 * index + 1)
            nothing = np.empty(0, RUN)
            made.append(
                PimRequest(
                    index, channel, length, logit, attend, runs if scores else nothing, runs if output else nothing
                )
            )
        return PimWork("attention", 2, 64, tuple(made), macs=100)

    return build
