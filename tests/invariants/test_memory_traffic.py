"""What holds for any traffic on memories with physical timing: no rule broken, nothing lost, no bound beaten."""

import numpy as np
import pytest

from neupims.isa.commands import Command
from neupims.isa.memory import GWRITE, TILE
from neupims.machine.dram.checker import check_trace
from neupims.machine.dram.timing import build_timing

LIMIT = 400_000
QUICK = range(80)
MANY = range(10_000, 12_000)


def finish(dram, case):
    """Run a case to its end; the memory and how often each block was reported complete, and when."""
    memory = case.world.build()
    memory.blocks(case.parts)
    reports = []
    for number, ((runs, instructions), cut) in enumerate(zip(case.slices, case.cuts, strict=True)):
        memory.submit(runs, number % 2)
        memory.submit_pim(instructions)
        reports.append(memory.advance(cut))
    while not memory.idle():
        assert memory.now < LIMIT, "work is left"
        reports.append(memory.advance(memory.now + 2000))
    ids, cycles = (np.concatenate([report[i] for report in reports]) for i in (0, 1))
    return memory, ids, cycles


def everything(case):
    runs, instructions = (np.concatenate([part[i] for part in case.slices]) for i in (0, 1))
    return runs, instructions


def assert_no_rule_is_broken(dram, case):
    memory, _, _ = finish(dram, case)
    trace = memory.trace()
    assert len(trace) > 0
    assert check_trace(trace, case.world.memory, case.world.pim) == []


@pytest.mark.parametrize("seed", QUICK)
def test_no_rule_is_broken(dram, draw, seed):
    assert_no_rule_is_broken(dram, draw(seed, clean=True))


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_no_rule_is_broken_in_much_more_traffic(dram, draw, seed):
    assert_no_rule_is_broken(dram, draw(seed, clean=True))


@pytest.mark.parametrize("seed", QUICK)
def test_everything_comes_back_once(dram, draw, seed):
    """Each block once; each write, GWRITE, MAC and result as one command; a read as one, or from a waiting write."""
    case = draw(seed, clean=True)
    memory, ids, _ = finish(dram, case)
    assert sorted(ids.tolist()) == list(range(len(case.parts)))
    runs, instructions = everything(case)
    counters = memory.counters()
    issued = dict(zip(Command, counters.commands.sum(axis=0).tolist(), strict=True))
    writes, tiles = runs["write"] == 1, instructions[instructions["kind"] == TILE]
    reads = int(runs["bursts"][~writes].sum())
    merges = case.world.memory.controller.merge_duplicates  # one command for several accesses of one address
    assert issued[Command.WR] == runs["bursts"][writes].sum() or merges
    assert issued[Command.WR] <= runs["bursts"][writes].sum()
    assert issued[Command.RD] <= reads
    assert issued[Command.RD] == reads or writes.any() or merges
    assert issued[Command.PIM_GWRITE] == (instructions["kind"] == GWRITE).sum()
    assert issued[Command.PIM_HEADER] == len(tiles)
    assert issued[Command.PIM_GEMV] + issued[Command.PIM_READ] == tiles["groups"].sum()
    assert counters.macs.sum() == (tiles["groups"] * tiles["macs"]).sum()


@pytest.mark.parametrize("seed", QUICK)
def test_counters_are_those_of_the_trace(dram, draw, seed):
    memory, _, _ = finish(dram, draw(seed, clean=True))
    trace, counted = memory.trace(), memory.counters().commands
    for channel, kinds in enumerate(counted):
        own = trace["command"][trace["channel"] == channel]
        assert np.bincount(own, minlength=len(Command)).tolist() == kinds.tolist()


@pytest.mark.parametrize("seed", QUICK)
def test_nothing_beats_the_data_bus_or_the_macs(dram, draw, seed):
    """In a channel every burst and result holds the bus for tBURST, every MAC the banks for tMAC."""
    case = draw(seed, clean=True)
    memory, _, cycles = finish(dram, case)
    timing, counters = build_timing(case.world.memory, case.world.pim), memory.counters()
    bursts = counters.commands[:, [Command.RD, Command.WR, Command.PIM_GEMV, Command.PIM_READ]].sum(axis=1)
    end = max(int(cycles.max()), int(memory.trace()["cycle"].max()) + timing["tCWL"] + timing["tBURST"])
    assert end >= timing["tBURST"] * bursts.max()
    assert end >= timing["tMAC"] * counters.macs.max()


@pytest.mark.parametrize("seed", QUICK)
def test_one_command_per_channel_and_cycle(dram, draw, seed):
    memory, _, _ = finish(dram, draw(seed, clean=True))
    slots = memory.trace()[["channel", "cycle"]]
    assert len(np.unique(slots)) == len(slots)
