"""Refreshes that wait for each other: how many, when all of them come, and what PIM gains."""

import numpy as np
import pytest

from neupims.errors import ConfigError
from neupims.hardware.load import load_system
from neupims.isa.commands import Command
from neupims.machine.dram.checker import check_trace

ENGINES = pytest.mark.parametrize("engine", ["fast", "reference"])
TICK, RFC = 3900 // 2, 260


def postponing(dram, number, system="neupims"):
    return dram.world(system).controller(refresh_postpone=number)


def of_kind(trace, command):
    return trace[trace["command"] == command]


@ENGINES
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_channel_with_pim_work_catches_up_with_all_that_are_due(dram, engine, number):
    """The work waits for a block that never completes."""
    memory = postponing(dram, number).build(engine)
    waiting = dram.program(dram.gwrite())
    waiting["gate"] = memory.blocks(np.ones(1, np.int64))
    memory.submit_pim(waiting)
    memory.advance(4 * TICK + 2 * RFC)
    refreshes = of_kind(memory.trace(), Command.REF)
    rounds = {
        0: [(TICK, 0), (2 * TICK, 1), (3 * TICK, 0), (4 * TICK, 1)],
        1: [(2 * TICK, 0), (2 * TICK + 1, 1), (4 * TICK, 0), (4 * TICK + 1, 1)],
        2: [(3 * TICK, 0), (3 * TICK + 1, 1), (3 * TICK + RFC, 0)],
        3: [(4 * TICK, 0), (4 * TICK + 1, 1), (4 * TICK + RFC, 0), (4 * TICK + RFC + 1, 1)],
    }
    assert list(zip(refreshes["cycle"].tolist(), (refreshes["bank"] // 16).tolist(), strict=True)) == rounds[number]


@ENGINES
def test_without_pim_work_nothing_waits(dram, engine):
    memory = postponing(dram, 7).build(engine)
    memory.advance(3 * TICK)
    assert of_kind(memory.trace(), Command.REF)["cycle"].tolist() == [TICK, 2 * TICK]


def test_reads_alone_are_as_fast_as_without_postponing(dram):
    runs = dram.sequential(20_000)
    assert dram.makespan(postponing(dram, 7), runs) == dram.makespan(postponing(dram, 0), runs)


@pytest.mark.parametrize("system", ["neupims", "npu-pim"])
@pytest.mark.parametrize("number", [0, 1, 3, 15])
def test_no_tile_runs_into_a_refresh_that_cannot_wait(dram, system, number):
    world = postponing(dram, number, system)
    memory = world.build()
    dram.submit_program(memory, dram.attention("both", 2000))
    dram.until_idle(memory, 1_000_000)
    trace = memory.trace()
    assert check_trace(trace, world.memory, world.pim) == []
    refreshes = of_kind(trace, Command.REF)["cycle"]
    assert refreshes[0] >= (number + 1) * TICK
    assert len(refreshes) >= memory.now // TICK - number - 1


def test_ranks_that_are_refreshed_together_stop_pim_once(dram):
    """What two refreshes in turn cost PIM is tRFC and the time in which no tile fits, each time."""
    times = [dram.makespan(postponing(dram, number), instructions=dram.attention("both", 2000)) for number in (0, 1, 3)]
    assert times[0] > times[1] > times[2]
    pairs = times[0] // (2 * TICK)
    assert times[0] - times[1] > 0.8 * pairs * RFC


@pytest.mark.parametrize("number", [1, 3])
def test_the_checker_knows_how_many_may_wait(dram, number):
    world = postponing(dram, number)
    memory = world.build()
    dram.submit_program(memory, dram.attention("both", 1000))
    dram.until_idle(memory, 1_000_000)
    found = check_trace(memory.trace(), postponing(dram, number - 1).memory, world.pim)
    assert {violation.rule for violation in found} == {"tile fits"}


def test_more_than_the_standard_allows_is_refused():
    with pytest.raises(ConfigError, match=r"refresh_postpone 16 must be less than 16: JEDEC lets 8 refreshes of each"):
        load_system("neupims", ["memory.controller.refresh_postpone=16"])
