"""The comparisons of DRAM and PIM hold, and would not hold for another timing."""

import numpy as np
import pytest

from neupims.hardware.load import load_memory
from neupims.isa.commands import Command
from neupims.validation import dram, dram_simulators, pim
from neupims.validation.channel import Bench, attention, bench, bursts, finish, issued, makespan, traced
from neupims.validation.check import References

CASES = [case for room in (dram, pim, dram_simulators) for case in room.CASES]
MILLIONS = ("dram.simulators.dramsim3", "dram.simulators.ramulator")
PARAMETERS = [pytest.param(case, id=case.name, marks=[pytest.mark.slow] * (case.name in MILLIONS)) for case in CASES]


@pytest.mark.parametrize("case", PARAMETERS)
def test_every_check_of_a_case_passes(case):
    checks = list(case.measure(References()))
    assert checks
    assert [check.name for check in checks if not check.ok] == []
    assert all(check.name.startswith(f"{case.name}.") for check in checks)
    counted = [check for check in checks if check.against == pim.LIBRARY and not check.name.endswith("read-share")]
    assert {check.tolerance for check in counted} <= {0}


def test_names_are_unique():
    names = [check.name for case in dram.CASES for check in case.measure(References())]
    assert len(names) == len(set(names)) >= 50
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("change", ["t_rcd_rd_ns=15", "t_cl_ns=15"])
def test_latency_follows_its_parameters(change):
    plain, changed = bench("npu-only"), bench("npu-only", f"memory.timing.{change}")
    burst = bursts(plain.memory, [0])
    assert makespan(changed, burst) == makespan(plain, burst) + 1


def test_places_follow_the_address_map():
    memory = load_memory("hbm2-2gb-ramulator")
    runs = bursts(memory, [0, 1, 2, 8, 8 * 32, 8 * 32 * 4])
    assert runs["channel"].tolist() == [0, 1, 0, 0, 0, 0]
    assert runs["bank"].tolist() == [0, 0, 4, 0, 1, 0]
    assert runs["column"].tolist() == [0, 0, 0, 1, 0, 0]
    assert runs["row"].tolist() == [0, 0, 0, 0, 0, 1]


def test_places_wrap_round():
    memory = load_memory("hbm2-4gb-dramsim3")
    whole = memory.organization.channel_bytes // 64
    assert bursts(memory, [whole + 5])[0] == bursts(memory, [5])[0]


@pytest.mark.parametrize(
    ("system", "groups", "macs", "period"),
    [
        ("neupims-authors", 4, 8, 197),
        ("neupims-authors", 1, 32, 143),
        ("npu-pim-authors", 4, 8, 213),
        ("npu-pim-authors", 1, 32, 207),
        ("neupims", 4, 8, 215),
        ("neupims", 1, 32, 209),
    ],
)
def test_periods_of_tiles(system, groups, macs, period):
    """143 + (h - 1) 2 (max(n, 6) + 1) and 141 + h (2 n + 2) as published; without a free last group otherwise."""
    assert pim.tile_period(bench(system), groups, macs) == period


@pytest.mark.parametrize("system", ["neupims", "npu-pim"])
def test_a_longer_window_lengthens_the_tile(system):
    short, long = (bench(system, f"memory.timing.t_faw_ns={faw}") for faw in (30, 40))
    assert pim.tile_period(long, 4, 8) == pim.tile_period(short, 4, 8) + 3 * 10


def test_finish_waits_for_its_own_blocks_only():
    made = bench("npu-only")
    memory = made.build()
    runs = bursts(made.memory, range(16))
    runs["block"] = memory.blocks(np.ones(16, np.int64)) + np.arange(16)
    memory.submit(runs, 0)
    assert finish(memory, range(3, 5)).tolist() == [31 + 2 * 3, 31 + 2 * 4]


def test_a_trace_can_start_later():
    made = Bench(load_memory("hbm2-4gb-dramsim3"))
    trace = traced(made, bursts(made.memory, [0]), None, 100, start=7)
    assert issued(trace, Command.RD) == [7 + 1 + 14]


def test_programs_give_each_tile_a_row():
    made = attention("both", 512)
    rows = made["row"][made["kind"] == 1]
    assert len(set(rows.tolist())) == len(rows) == 4 * (2 * 16 + 8 * 4)
