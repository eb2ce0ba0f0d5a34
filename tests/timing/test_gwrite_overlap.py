"""A second vector buffer, and tiles that open their rows while the vector buffer fills."""

import numpy as np
import pytest

from neupims.errors import ConfigError
from neupims.hardware.load import load_system
from neupims.isa.commands import Command
from neupims.machine.dram.checker import check_trace

OVERLAPS = pytest.mark.parametrize("scope", ["bank", "bank_group", "all"])


def overlapping(dram, **switches):
    return dram.world("neupims").switches(gwrite_overlap=True, **switches)


def traced(dram, world, program):
    memory = world.build()
    dram.submit_program(memory, program)
    dram.until_idle(memory, 1_000_000)
    return memory.trace()


def cycles(trace, name):
    return trace["cycle"][trace["command"] == Command[name]]


@pytest.mark.parametrize("n", [1, 8, 32])
def test_a_second_vector_buffer_is_filled_beside_the_macs(channel, n):
    probe = channel("neupims", vector_buffers=2)
    probe.issue("PIM_GEMV", n=n)
    probe.assert_tight("PIM_GWRITE", bank=0, at=probe.t["tCCDO"])
    probe.assert_tight("PIM_GEMV", at=probe.t["tMAC"] * (max(n, probe.t["nTREE"]) + 1))
    probe.issue("PIM_GWRITE", bank=0, at=2)
    probe.assert_tight("PIM_GEMV", at=2 + probe.t["tGWRITE"])


@OVERLAPS
def test_the_next_tile_opens_its_rows_during_a_gwrite_and_waits_with_its_macs(dram, scope):
    world = overlapping(dram, precharge_scope=scope)
    trace = traced(dram, world, dram.attention("attend", 500))
    gwrites, activations, gemvs = (cycles(trace, name) for name in ("PIM_GWRITE", "PIM_ACT", "PIM_GEMV"))
    behind = gemvs[np.searchsorted(gemvs, gwrites)]
    assert (behind - gwrites >= 96).all()
    opened = np.searchsorted(activations, gwrites + 96) - np.searchsorted(activations, gwrites)
    assert (opened[1:] > 0).mean() > 0.8


def test_without_overlap_nothing_opens_during_a_gwrite(dram):
    trace = traced(dram, dram.world("neupims"), dram.attention("attend", 500))
    gwrites, activations = cycles(trace, "PIM_GWRITE"), cycles(trace, "PIM_ACT")
    assert (np.searchsorted(activations, gwrites + 96) == np.searchsorted(activations, gwrites)).all()


def test_a_hidden_gwrite_takes_no_time_between_tiles(dram):
    """Between refreshes, tiles follow each other at the same pace with a GWRITE between them and without."""
    trace = traced(dram, overlapping(dram, precharge_scope="all"), dram.attention("attend", 500))
    gemvs, gwrites = cycles(trace, "PIM_GEMV"), cycles(trace, "PIM_GWRITE")
    apart = np.diff(gemvs)
    filled = np.diff(np.searchsorted(gwrites, gemvs)) > 0
    assert filled.any()
    assert min(apart[filled]) == min(apart[~filled])
    assert np.median(apart[filled]) == np.median(apart[~filled])


def test_a_second_vector_buffer_adds_nothing_to_the_overlap(dram):
    program = dram.attention("both", 500)
    one, two = (dram.makespan(overlapping(dram, vector_buffers=n), instructions=program) for n in (1, 2))
    assert one == two < dram.makespan(dram.world("neupims").switches(vector_buffers=2), instructions=program)


@OVERLAPS
@pytest.mark.parametrize("buffers", [1, 2])
@pytest.mark.parametrize("postpone", [0, 3])
def test_the_checker_finds_nothing(dram, scope, buffers, postpone):
    world = overlapping(dram, precharge_scope=scope, vector_buffers=buffers).controller(refresh_postpone=postpone)
    memory = world.build()
    dram.submit_program(memory, dram.attention("both", 700))
    dram.submit_runs(memory, dram.sequential(20_000))
    dram.until_idle(memory, 1_000_000)
    assert check_trace(memory.trace(), world.memory, world.pim) == []


def test_the_checker_tells_one_vector_buffer_from_two(dram):
    two = dram.world("neupims").switches(vector_buffers=2)
    trace = traced(dram, two, dram.attention("attend", 500))
    found = check_trace(trace, two.memory, dram.world("neupims").pim)
    assert {(violation.rule, violation.command) for violation in found} == {("gemv", Command.PIM_GWRITE)}


@pytest.mark.parametrize("system", ["npu-pim", "neupims-authors"])
def test_overlap_needs_two_row_buffers_and_exact_deadlines(system):
    with pytest.raises(ConfigError, match="gwrite_overlap needs row_buffers 'dual' and deadline 'exact'"):
        load_system(system, ["pim.gwrite_overlap=true"])
