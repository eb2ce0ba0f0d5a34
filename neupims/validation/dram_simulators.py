"""Streams on one memory against other DRAM simulators: DRAMsim3, Ramulator 2.1, the published NeuPIMs DRAM library.

The same organisation, timing and traffic; part files under hwconfigs/parts/dram have the memories. The NeuPIMs
library is reproduced cycle by cycle. DRAMsim3 and Ramulator give HBM a second command slot, for rows beside
columns, which is not modelled here: a read waits now and then for an ACT or PRE of another bank.
"""

from collections.abc import Iterator

import numpy as np

from neupims.hardware.load import load_memory
from neupims.hardware.memory import MemorySpec
from neupims.isa.commands import Command
from neupims.validation.channel import Bench, Records, bench, bursts, issued, makespan, traced
from neupims.validation.check import Case, Check, References

SECTION = "DRAM against other simulators"
COUNT = 1_000_000

DRAMSIM3 = {"sequential": 2_175_857, "random": 8_142_689}
"""HBM2_4Gb_x128, one channel, refresh on: cycles of a million reads of 64 bytes, one offered per cycle."""

DRAMSIM3_NOTES = {
    "sequential": "DRAMsim3 issues a row and a column command in one cycle; without (hbm_dual_cmd) it needs 2,175,931",
    "random": "another draw of addresses: two draws in DRAMsim3 differ by 260 cycles; its second slot saves it 1,260",
}

RAMULATOR = {"with-refresh": 1_059_580, "no-refresh": 999_986}
"""HBM2_2Gb, two pseudo channels, FR-FCFS: cycles of a million reads of 32 bytes, round robin."""

RAMULATOR_NOTE = "four of five late reads wait for the slot of an ACT or PRE; Ramulator has a bus for rows beside it"

LIBRARY = {
    "sequential": (202_266, 227_192),
    "alternate": (211_066, 213_623),
    "three-reads-one-write": (209_790, 217_419),
}
"""HBM2_8Gb_x128, refresh on: cycles of 100,000 accesses of 64 bytes, one offered per cycle; with PIM and without."""

LIBRARY_WRITES = {"alternate": 2, "three-reads-one-write": 4}
"""The first of so many accesses is a write."""

ONE_BANK = {"sixteen-reads-a-row": (16, 4721), "one-read-a-row": (1, 387)}
"""HBM2_8Gb_x128, refresh on: reads of a row, and reads that one bank serves in 20,000 cycles."""

WINDOW = 20_000
START = 1
"""The reader of the traces offers the first access behind the memory's first cycle."""


def _dramsim3(_: References) -> Iterator[Check]:
    memory = load_memory("hbm2-4gb-dramsim3")
    random = np.random.default_rng(0).integers(0, memory.organization.channel_bytes // 64, COUNT)
    for pattern, places in (("sequential", range(COUNT)), ("random", random)):
        ours, note = makespan(Bench(memory), bursts(memory, places)), DRAMSIM3_NOTES[pattern]
        name = f"dram.simulators.dramsim3.{pattern}"
        yield Check(name, "DRAMsim3, HBM2_4Gb_x128", ours, DRAMSIM3[pattern], "cycles", 0.0005, note)


def _without_refresh(memory: MemorySpec) -> MemorySpec:
    return memory.model_copy(update={"controller": memory.controller.model_copy(update={"refresh": "off"})})


def _ramulator(_: References) -> Iterator[Check]:
    memory = load_memory("hbm2-2gb-ramulator")
    for state, made in (("with-refresh", memory), ("no-refresh", _without_refresh(memory))):
        ours = makespan(Bench(made), bursts(made, range(COUNT)))
        name = f"dram.simulators.ramulator.{state}"
        yield Check(name, "Ramulator 2.1, HBM2_2Gb", ours, RAMULATOR[state], "cycles", 0.002, RAMULATOR_NOTE)


def _controllers() -> dict[str, Bench]:
    rate = "memory.controller.accepts_per_cycle=1"
    systems = {"dual": "neupims-authors", "single": "npu-pim-authors", "plain": "npu-only-authors"}
    return {name: bench(system, rate) for name, system in systems.items()}


def _library(_: References) -> Iterator[Check]:
    for pattern, (with_pim, without) in LIBRARY.items():
        for kind, made in _controllers().items():
            runs = bursts(made.memory, range(100_000))
            if pattern in LIBRARY_WRITES:
                runs["write"][:: LIBRARY_WRITES[pattern]] = 1
            theirs = without if kind == "plain" else with_pim
            name = f"dram.simulators.neupims.{pattern}.{kind}"
            yield Check(name, "NeuPIMs DRAM library", makespan(made, runs), theirs, "cycles", 0)


def one_bank(memory: MemorySpec, per_row: int, count: int) -> Records:
    """Reads of one bank: so many of a row, then of the next."""
    runs = bursts(memory, np.arange(count) % per_row)
    runs["row"] = np.arange(count) // per_row
    return runs


def _one_bank(_: References) -> Iterator[Check]:
    for pattern, (per_row, served) in ONE_BANK.items():
        for kind, made in _controllers().items():
            trace = traced(made, one_bank(made.memory, per_row, 2 * served), None, WINDOW, START)
            latency = made.timing["tCL"] + made.timing["tBURST"]
            ours = sum(cycle + latency < WINDOW for cycle in issued(trace, Command.RD))
            name = f"dram.simulators.neupims.one-bank.{pattern}.{kind}"
            yield Check(name, "NeuPIMs DRAM library", ours, served, "reads", 0)


CASES = (
    Case("dram.simulators.dramsim3", SECTION, _dramsim3, slow=True),
    Case("dram.simulators.ramulator", SECTION, _ramulator),
    Case("dram.simulators.neupims", SECTION, lambda found: (*_library(found), *_one_bank(found))),
)
