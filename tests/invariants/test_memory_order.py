"""Which memory is never slower than which."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neupims.isa.memory import RUN, TILE
from neupims.machine.dram.timing import build_timing

STREAMING = 0.985
"""Share of the refresh-limited peak that a stream of reads reaches."""

SYSTEMS = ("npu-only", "npu-pim", "npu-pim-authors", "neupims", "neupims-authors")
quick = settings(max_examples=15, deadline=None, derandomize=True)


@pytest.mark.parametrize("system", SYSTEMS)
def test_streaming_reads_reach_the_refresh_limited_peak(dram, system):
    world, bursts = dram.world(system), 100_000
    timing = build_timing(world.memory, world.pim)
    share = bursts * timing["tBURST"] / dram.makespan(world, dram.sequential(bursts))
    assert share >= STREAMING * (1 - timing["tRFC"] / timing["tREFI"])
    assert share <= 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_ranks_that_take_turns_hide_their_refreshes(dram, system):
    """While one rank refreshes the other one streams, so nearly all of the plain peak is left."""
    world, bursts = dram.world(system), 100_000
    assert bursts * 2 / dram.makespan(world, dram.sequential(bursts)) >= STREAMING


def programs(dram, seed):
    """A PIM program of attention shapes and a stream of reads beside it."""
    rng = np.random.default_rng(seed)
    heads, length = int(rng.choice([4, 8, 10])), int(rng.integers(33, 700))
    program = dram.attention(str(rng.choice(["logit", "attend", "both"])), length, heads, requests=1)
    return program, dram.sequential(int(rng.integers(200, 6000)))


@pytest.mark.parametrize("seed", range(40))
def test_dual_row_buffers_are_never_slower_beside_reads(dram, seed):
    program, reads = programs(dram, seed)
    dual, single = (dram.makespan(dram.world(name), reads, program) for name in ("neupims", "npu-pim"))
    assert dual <= single


@pytest.mark.parametrize("seed", range(40))
def test_dual_row_buffers_cost_pim_alone_next_to_nothing(dram, seed):
    """Before a refresh, one slot: the row that GWRITE left open is closed too. Against MACs one by one, a step per
    tile: a command that stands for several MACs and their read holds the banks that much longer.
    """
    program, _ = programs(dram, seed)
    blocked = dram.world("npu-pim")
    timing, tiles = build_timing(blocked.memory, blocked.pim), int((program["kind"] == TILE).sum())
    dual = dram.makespan(dram.world("neupims"), None, program)
    slots = dual // timing["tREFTICK"]
    assert dual <= dram.makespan(blocked.switches(composite_gemv=True), None, program) + slots
    assert dual <= dram.makespan(blocked, None, program) + slots + timing["tMAC"] * tiles


def striped(bursts, channels):
    """A stream of reads dealt out to channels, burst by burst."""
    place = np.arange(bursts)
    own = place // channels
    runs = np.zeros(bursts, RUN)
    runs["channel"], runs["bank"], runs["row"] = place % channels, own // 16 % 32, own // 512
    runs["column"], runs["bursts"] = own % 16, 1
    return runs


@quick
@given(st.sampled_from(SYSTEMS), st.integers(100, 2000))
def test_more_channels_are_not_slower(dram, system, bursts):
    spans = [dram.makespan(dram.world(system).organization(channels=n), striped(bursts, n)) for n in (1, 2, 4, 8)]
    assert spans == sorted(spans, reverse=True)


@quick
@given(st.sampled_from(SYSTEMS), st.integers(100, 2000), st.booleans())
def test_shorter_bursts_are_not_slower(dram, system, bursts, write):
    """Half the beats per access: the same accesses on a bus with twice the bandwidth."""
    world, runs = dram.world(system).controller(drain_above=0), dram.sequential(bursts, write)
    fast = world.organization(burst_length=2).timing(t_ccd_l_ns=1)
    assert dram.makespan(fast, runs) <= dram.makespan(world, runs)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("key", ["t_refi_ns", "t_rfc_ns"])
def test_fewer_or_shorter_refreshes_are_not_slower(dram, system, key):
    """Where a refresh falls in the order of rows moves the end of a stream by up to a row cycle."""
    values = {"t_refi_ns": (1950, 3900, 7800), "t_rfc_ns": (520, 260, 65)}[key]
    world, runs = dram.world(system), dram.sequential(20_000)
    row_cycle = build_timing(world.memory, world.pim)["tRC"]
    spans = [dram.makespan(world.timing(**{key: value}), runs) for value in values]
    for more, less in pairwise(spans):
        assert less <= more + row_cycle
    assert dram.makespan(world.controller(refresh="off"), runs) < min(spans)


@pytest.mark.parametrize("system", ["neupims", "npu-pim"])
@pytest.mark.parametrize("part", ["logit", "attend", "both"])
def test_pim_without_refreshes_is_not_slower(dram, system, part):
    world, program = dram.world(system), dram.attention(part, 300, requests=2)
    free = world.controller(refresh="off")
    assert dram.makespan(free, instructions=program) < dram.makespan(world, instructions=program)


@pytest.mark.parametrize("part", ["logit", "attend", "both"])
def test_wider_precharges_are_not_slower(dram, part):
    world, program = dram.world("neupims"), dram.attention(part, 300, requests=2)
    scopes = ("bank", "bank_group", "all")
    spans = [dram.makespan(world.switches(precharge_scope=scope), instructions=program) for scope in scopes]
    assert spans == sorted(spans, reverse=True)
    assert spans[-1] < spans[0]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("system", ["neupims", "npu-pim", "neupims-authors", "npu-pim-authors"])
def test_pim_keeps_its_own_bounds(dram, system, seed):
    """Each tile opens its groups at one per tFAW and rank, and each group of MACs holds all banks."""
    program, _ = programs(dram, seed)
    world = dram.world(system)
    timing, org = build_timing(world.memory, world.pim), world.memory.organization
    tiles = program[program["kind"] == TILE]
    opening = len(tiles) * timing["tFAW"] * (org.bank_groups - 1)
    span = dram.makespan(world, instructions=program)
    assert span >= opening
    assert span >= timing["tMAC"] * int((tiles["groups"] * tiles["macs"]).sum())
