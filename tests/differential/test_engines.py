"""The compiled engine is the interpreter: the same commands, completions and counters for any traffic."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from neupims.isa.memory import INSTRUCTION, RUN, TILE
from neupims.machine.dram.memory import Counters

LIMIT = 20_000


def run(case, engine, windows=None):
    """Answers of each `advance`, the trace and the counters. `windows`: further cycles at which to stop and ask."""
    memory = case.world.build(engine)
    memory.blocks(case.parts)
    answers = []
    for number, ((runs, instructions), cut) in enumerate(zip(case.slices, case.cuts, strict=True)):
        memory.submit(runs, number % 2)
        memory.submit_pim(instructions)
        stops = [] if windows is None else [stop for stop in windows if memory.now < stop < cut]
        answers += [memory.advance(stop) for stop in [*stops, cut]]
    while not memory.idle() and memory.now < LIMIT:
        answers.append(memory.advance(memory.now + 500))
    return answers, memory.trace(), memory.counters(), memory.now


def first_difference(a, b):
    """Place and neighbourhood, for the message."""
    shared = min(len(a), len(b))
    place = int(np.argmax(a[:shared] != b[:shared])) if (a[:shared] != b[:shared]).any() else shared
    return place, a[max(0, place - 2) : place + 2].tolist(), b[max(0, place - 2) : place + 2].tolist()


def assert_same_trace(a, b):
    assert len(a) == len(b), first_difference(a, b)
    assert (a == b).all(), first_difference(a, b)


def assert_same_counters(a, b):
    for field in fields(Counters):
        assert getattr(a, field.name).tolist() == getattr(b, field.name).tolist(), field.name


def assert_engines_agree(case):
    fast, reference = run(case, "fast"), run(case, "reference")
    assert_same_trace(fast[1], reference[1])
    assert len(fast[0]) == len(reference[0])
    for a, b in zip(fast[0], reference[0], strict=True):
        assert [part.tolist() for part in a] == [part.tolist() for part in b]
    assert_same_counters(fast[2], reference[2])
    assert fast[3] == reference[3]
    assert len(fast[1]) > 0


@pytest.mark.parametrize("seed", [*range(40), 1025])
def test_engines_agree(draw, seed):
    assert_engines_agree(draw(seed))


@pytest.mark.parametrize("seed", range(100, 124))
def test_engines_agree_on_many_banks(draw, seed):
    """More banks than a word of the compiled engine has bits."""
    case, ranks = draw(seed), (3, 4, 5)[seed % 3]
    world = case.world.organization(ranks=ranks, bank_groups=4, banks_per_group=4)
    for runs, instructions in case.slices:
        for records in (runs, instructions):
            records["bank"] = records["bank"] * 7 % (16 * ranks)
    assert_engines_agree(replace(case, world=world))


@pytest.mark.parametrize("seed", range(124, 136))
def test_engines_agree_on_long_queues(draw, seed):
    """More reads and writes than a word of the compiled engine has bits, in bank queues that are soon full."""
    case = draw(seed)
    assert_engines_agree(replace(case, world=case.world.controller(read_queue=70, write_buffer=100, bank_queue=4)))


def tiles_and_a_few_accesses(dram, seed):
    """Tiles of one row after the other, all given at once; accesses come now and then, many to rows of these tiles."""
    rng = np.random.default_rng(seed)
    name = ("neupims", "neupims-authors", "npu-pim")[seed % 3]
    cuts, tiles = np.cumsum(rng.integers(5, 300, 60)), 50
    runs, instructions = np.zeros(240, RUN), np.zeros(tiles, INSTRUCTION)
    when = np.sort(rng.integers(0, len(cuts), len(runs)))
    near = cuts[when] * tiles // cuts[-1] + rng.integers(-2, 3, len(runs))
    runs["row"] = np.where(rng.random(len(runs)) < 0.3, np.clip(near, 0, tiles - 1), rng.integers(90, 99, len(runs)))
    runs["bank"], runs["bursts"] = rng.integers(0, 32, len(runs)), rng.integers(1, 4, len(runs))
    runs["write"], runs["block"] = rng.random(len(runs)) < 0.3, np.arange(len(runs))
    instructions["kind"], instructions["row"], instructions["gate"] = TILE, np.arange(tiles), -1
    instructions["groups"], instructions["macs"] = rng.integers(1, 3, tiles), rng.integers(4, 33, tiles)
    instructions["block"] = len(runs) + np.cumsum(instructions["groups"]) - instructions["groups"]
    slices = [(runs[when == index], instructions[: 0 if index else tiles]) for index in range(len(cuts))]
    parts = np.concatenate([runs["bursts"], np.ones(int(instructions["groups"].sum()), np.int64)])
    return SimpleNamespace(world=dram.world(name), slices=slices, parts=parts, cuts=cuts.tolist())


@pytest.mark.parametrize("seed", range(36))
def test_engines_agree_where_rows_close_in_a_line(dram, seed):
    """Most rows before a tile are closed in one step, which whatever comes or waits must end or survive."""
    assert_engines_agree(tiles_and_a_few_accesses(dram, seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 3000))
def test_engines_agree_on_many_more(draw, seed):
    assert_engines_agree(draw(seed))


@pytest.mark.parametrize("seed", range(60, 72))
@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_windows_do_not_matter(draw, seed, engine):
    """Stopping to look in between changes neither the commands nor when anything is complete."""
    case = draw(seed)
    stops = np.sort(np.random.default_rng(seed).integers(1, case.cuts[-1] + 1, 25)).tolist()
    whole, cut = run(case, engine), run(case, engine, sorted(set(stops)))
    assert_same_trace(whole[1], cut[1])
    assert_same_counters(whole[2], cut[2])
    completions = [
        sorted((i, c) for a in r[0] for i, c in zip(*map(np.ndarray.tolist, a), strict=True)) for r in (whole, cut)
    ]
    assert completions[0] == completions[1]


def test_draws_differ_and_cover_the_switches(draw):
    cases = [draw(seed) for seed in range(40)]
    kinds = {case.world.pim and case.world.pim.row_buffers for case in cases}
    scopes = {case.world.pim.precharge_scope for case in cases if case.world.pim}
    assert kinds == {None, "single", "dual"}
    assert scopes == {"bank", "bank_group", "all"}
    assert len({case.world.memory.organization.banks for case in cases}) >= 4
