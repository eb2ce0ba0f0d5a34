"""Accesses of one address that wait at the same time share a command where `merge_duplicates` says so."""

import numpy as np
import pytest

from neupims.isa.commands import Command
from neupims.isa.memory import RUN

ENGINES = pytest.mark.parametrize("engine", ["fast", "reference"])


def bursts(*accesses):
    """One RUN for each (bank, row, column, write, feeds_pim)."""
    runs = np.zeros(len(accesses), RUN)
    for name, values in zip(("bank", "row", "column", "write", "feeds_pim"), zip(*accesses, strict=True), strict=True):
        runs[name] = values
    runs["bursts"] = 1
    return runs


def read(column, bank=0, row=3):
    return bank, row, column, 0, 0


def write(column, bank=0, row=3, feeds=0):
    return bank, row, column, 1, feeds


def run(made, engine, runs, instructions=None, until=400):
    memory = made.build(engine)
    dram_first = submit(memory, runs)
    if instructions is not None:
        memory.submit_pim(instructions)
    ids, cycles = memory.advance(until)
    done = dict(zip((ids - dram_first).tolist(), cycles.tolist(), strict=True))
    return done, memory


def submit(memory, runs):
    runs = runs.copy()
    first = memory.blocks(np.ones(len(runs), np.int64))
    runs["block"] = first + np.arange(len(runs))
    memory.submit(runs, 0)
    return first


def count(memory, *commands):
    counted = memory.counters().commands[0]
    return [int(counted[command]) for command in commands]


def merging(dram, system="npu-only", **changes):
    return dram.world(system).controller(merge_duplicates=True, drain_above=0, **changes)


@ENGINES
def test_waiting_reads_share_one_command(dram, engine):
    done, memory = run(merging(dram), engine, bursts(read(0), read(1), read(0), read(0)))
    assert done == {0: 31, 1: 33, 2: 31, 3: 31}
    assert count(memory, Command.RD) == [2]


@ENGINES
def test_each_read_costs_a_command_by_default(dram, engine):
    done, memory = run(dram.world("npu-only"), engine, bursts(read(0), read(0)))
    assert done == {0: 31, 1: 33}
    assert count(memory, Command.RD) == [2]


@ENGINES
def test_a_read_after_the_command_has_its_own(dram, engine):
    made = merging(dram)
    memory = made.build(engine)
    submit(memory, bursts(read(0)))
    memory.advance(20)
    submit(memory, bursts(read(0)))
    memory.advance(100)
    assert count(memory, Command.RD) == [2]


@ENGINES
def test_other_banks_rows_and_columns_are_not_the_same(dram, engine):
    _, memory = run(merging(dram), engine, bursts(read(0), read(0, bank=1), read(0, row=4), read(1)))
    assert count(memory, Command.RD) == [4]


@ENGINES
def test_merged_reads_count_as_outstanding(dram, engine):
    """Two may be under way: the third enters in the cycle in which the first two are answered."""
    done, memory = run(merging(dram, outstanding=2), engine, bursts(read(0), read(0), read(1)))
    assert done == {0: 31, 1: 31, 2: 31 + 18}
    assert count(memory, Command.RD) == [2]


@ENGINES
def test_waiting_writes_share_one_command(dram, engine):
    done, memory = run(merging(dram), engine, bursts(write(0), write(1), write(0)))
    assert done == {0: 1, 1: 1, 2: 2}
    assert count(memory, Command.WR) == [2]


@ENGINES
def test_each_write_costs_a_command_by_default(dram, engine):
    _, memory = run(dram.world("npu-only").controller(drain_above=0), engine, bursts(write(0), write(1), write(0)))
    assert count(memory, Command.WR) == [3]


@ENGINES
@pytest.mark.parametrize("drain_above", [0, 8])
def test_a_write_that_feeds_pim_is_not_forgotten(dram, engine, drain_above):
    """It is merged with one that does not, in a bank queue or in the buffer; the tile still waits for it."""
    made = merging(dram, "neupims", accepts_per_cycle=1).controller(drain_above=drain_above)
    memory = made.build(engine)
    submit(memory, bursts(write(0)))
    memory.advance(1)
    submit(memory, bursts(write(0, feeds=1)))
    memory.submit_pim(dram.program(dram.tile(3, 1, 8)))
    memory.advance(400)
    trace = memory.trace()
    first = {kind: trace["cycle"][trace["command"] == kind].min() for kind in (Command.WR, Command.PIM_HEADER)}
    assert count(memory, Command.WR) == [1]
    assert first[Command.WR] < first[Command.PIM_HEADER]


@ENGINES
@pytest.mark.parametrize(("column", "first"), [(0, "PIM_GWRITE"), (1, "ACT")])
def test_published_write_waits_for_an_earlier_gwrite_of_its_address(dram, engine, column, first):
    """The address of a GWRITE is that of its row's first burst; a write to it holds up those behind it."""
    memory = dram.world("neupims-authors").controller(drain_above=0).build(engine)
    memory.submit_pim(dram.program(dram.gwrite(0, 3)))
    memory.advance(1)
    submit(memory, bursts(write(column), write(0, bank=1)))
    memory.advance(400)
    lines = dram.listing(memory.trace(), ["PIM_GWRITE", "ACT", "WR"])
    assert lines[0] == "ACT 1 b0"
    assert lines[1].split()[0] == first
    assert sum(line.startswith("WR") for line in lines) == 2
