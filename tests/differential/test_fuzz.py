"""Any memory under any traffic: the checker finds no broken rule, and both engines issue the same commands."""

import numpy as np
import pytest

from neupims.machine.dram.memory import build_memory
from neupims.validation.fuzz import audits, drive
from neupims.validation.worlds import Dice, draw_world

QUICK, QUICK_COMMANDS = range(100_000, 100_130), 8_000
MANY, MANY_COMMANDS, SHARE = range(2900), 40_000, 25
"""More than 100 million commands: a published memory that is stuck ends earlier."""


def assert_clean(seeds, commands):
    """No violation anywhere; work is left for good by published switches only. Commands in all."""
    total = 0
    for audit in audits(seeds, commands):
        assert audit.violations == [], audit.seed
        assert not (audit.stuck and audit.world.clean), audit.seed
        total += audit.commands
    return total


def test_no_rule_is_broken_on_any_memory():
    assert assert_clean(QUICK, QUICK_COMMANDS) > 900_000


FOUND = {
    65: (500, "a tile's GEMV waited behind a read that waited for the tile"),
    277: (3000, "tCCD_S from PIM_READ to RD was left out where it is longer than the turn of the bus"),
    677: (40_000, "writes kept a tile from its MACs, and the tile its ranks from their refreshes"),
    1452: (2000, "the result of a GEMV with few MACs came too near to the burst of a read before it"),
    2134: (2000, "a write waited tRCD for a group activation, not tRCDWR"),
}
"""Seeds that found something, and what."""


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed):
    assert assert_clean([seed], FOUND[seed][0]) >= FOUND[seed][0]


@pytest.mark.slow
@pytest.mark.parametrize("first", MANY[::SHARE])
def test_no_rule_is_broken_by_a_hundred_million_commands(first):
    assert assert_clean(range(first, first + SHARE), MANY_COMMANDS) > SHARE * MANY_COMMANDS // 2


class Recorded:
    """A memory that keeps the answers of each `advance`."""

    def __init__(self, world, engine):
        self.memory, self.answers = build_memory(world.memory, world.pim, engine, trace=True), []

    def __getattr__(self, name):
        return getattr(self.memory, name)

    def advance(self, until):
        answer = self.memory.advance(until)
        self.answers.append([part.tolist() for part in answer])
        return answer


def assert_engines_agree(seed, commands):
    made = []
    for engine in ("fast", "reference"):
        dice = Dice(seed)
        world = draw_world(dice)
        made.append(Recorded(world, engine))
        drive(made[-1], world, dice, commands, patience=3000)
    fast, reference = made
    assert np.array_equal(fast.trace(), reference.trace())
    assert fast.answers == reference.answers
    assert fast.counters().commands.tolist() == reference.counters().commands.tolist()
    assert len(fast.trace()) > 0


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5, 7, 9, 10, 11])  # small waves: the interpreter is slow
def test_engines_agree_on_any_memory(seed):
    assert_engines_agree(seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 400))
def test_engines_agree_on_many_more_memories(seed):
    assert_engines_agree(seed, 500)


def test_worlds_differ():
    """All kinds of memory, all precharge scopes, one and several groups and ranks, refreshes on and off."""
    worlds = [draw_world(Dice(seed)) for seed in range(120)]
    pims = [world.pim for world in worlds if world.pim]
    assert {pim.row_buffers for pim in pims} == {"single", "dual"}
    assert {pim.precharge_scope for pim in pims} == {"bank", "bank_group", "all"}
    assert {(world.pim is None, world.clean) for world in worlds} == {(True, True), (False, True), (False, False)}
    shapes = {(w.memory.organization.ranks, w.memory.organization.bank_groups) for w in worlds}
    assert {(1, 1), (4, 8)} <= shapes
    assert {world.memory.controller.refresh for world in worlds} == {"rank_staggered", "off"}
    assert len({world.memory.timing.model_dump_json() for world in worlds}) == len(worlds)
