"""Cycle counts of the published simulator for whole programs and streams on one channel: all exact."""

import pytest

from neupims.isa.commands import Command
from neupims.validation.pim import BESIDE_READS, FOUR_REQUESTS, OTHER_HEADS, PARTS, SYSTEMS

CELLS = [(*key, part, cycles) for key, row in FOUR_REQUESTS.items() for part, cycles in zip(PARTS, row, strict=True)]


@pytest.mark.parametrize(("kind", "length", "part", "cycles"), CELLS)
def test_four_requests(dram, kind, length, part, cycles):
    assert dram.makespan(dram.world(SYSTEMS[kind]), instructions=dram.attention(part, length)) == cycles


@pytest.mark.parametrize(("heads", "cycles"), OTHER_HEADS.items())
def test_four_requests_of_other_models(dram, heads, cycles):
    program = dram.attention("both", 300, heads)
    assert dram.makespan(dram.world("neupims-authors"), instructions=program) == cycles


@pytest.mark.parametrize(
    ("kind", "length", "part"), [("dual", 32, "logit"), ("dual", 64, "logit"), ("single", 32, "logit")]
)
def test_four_requests_interpreted(dram, kind, length, part):
    memory = dram.world(SYSTEMS[kind]).build("reference", trace=False)
    dram.submit_program(memory, dram.attention(part, length))
    assert max(dram.until_idle(memory, 10_000).values()) == FOUR_REQUESTS[kind, length][PARTS.index(part)]


def plain(dram):
    """The memory without PIM as published: 96 requests under way."""
    return dram.world("npu-only", "memory.controller.outstanding=96")


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("system", ["npu-only", "npu-pim-authors", "neupims-authors"])
def test_reads_of_an_idle_bank(dram, system, engine):
    """The first burst takes 31 cycles: one to its bank queue, tRCD, tCL and its own two; sixteen take 61."""
    memory = dram.world(system).build(engine)
    first = dram.submit_runs(memory, dram.sequential(16))
    done = dram.until_idle(memory, 200)
    assert [done[first + i] for i in range(16)] == [31 + 2 * i for i in range(16)]


@pytest.mark.parametrize(("write", "without_pim", "with_pim"), [(False, 227192, 202266), (True, 198870, 198870)])
def test_a_hundred_thousand_bursts(dram, write, without_pim, with_pim):
    """One request per cycle is offered. The memory without PIM lets 96 requests be under way."""
    runs = dram.sequential(100_000, write)
    for made in (plain(dram), dram.world("neupims-authors"), dram.world("npu-pim-authors")):
        expected = without_pim if made.pim is None else with_pim
        assert dram.makespan(made.controller(accepts_per_cycle=1), runs) == expected


@pytest.mark.parametrize(("every", "without_pim", "with_pim"), [(2, 213623, 211066), (4, 217419, 209790)])
def test_a_hundred_thousand_reads_and_writes(dram, every, without_pim, with_pim):
    """One request per cycle; the first of every two or four writes, the others read."""
    runs = dram.sequential(100_000)
    runs["write"][::every] = 1
    for made in (plain(dram), dram.world("neupims-authors"), dram.world("npu-pim-authors")):
        expected = without_pim if made.pim is None else with_pim
        memory = made.controller(accepts_per_cycle=1).build(trace=False)
        dram.submit_runs(memory, runs)
        _, cycles = memory.advance(230_000)
        assert (len(cycles), cycles.max()) == (100_000, expected)


@pytest.mark.parametrize(("part", "cycles"), BESIDE_READS.items())
def test_reads_beside_pim(dram, part, cycles):
    """Reads are offered all the time: they slow PIM a little and go on at 0.787 to 0.791 of the peak."""
    memory = dram.world("neupims-authors").controller(accepts_per_cycle=1).build()
    dram.submit_runs(memory, dram.sequential(40_000))
    first = dram.submit_program(memory, dram.attention(part, 300))
    done = dram.until_idle(memory, 200_000, 10_000)
    end = max(cycle for block, cycle in done.items() if block >= first)
    trace = memory.trace()
    reads = ((trace["command"] == Command.RD) & (trace["cycle"] < end)).sum()
    assert end == cycles
    assert 0.7865 <= 2 * reads / cycles < 0.7915
