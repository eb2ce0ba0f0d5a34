"""Wrong engines: one timing parameter, or one rule of the table, is a cycle too short, and the checker must notice.

The wrong engine runs random traffic (`fuzz`), and the protocol checker audits what it issues by the true rules.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from neupims.hardware.memory import MemorySpec
from neupims.machine.dram.checker import check_trace
from neupims.machine.dram.fast.build import build_constants
from neupims.machine.dram.fast.memory_arrays import WINDOW, FastMemory
from neupims.machine.dram.memory import build_memory
from neupims.machine.dram.rules import Rule, rules_of
from neupims.validation.fuzz import drive
from neupims.validation.worlds import Dice, World, draw_world

PATIENCE = 20_000
"""Cycles after which a wrong engine without completions is left alone."""


PARAMETERS = (
    *("cl", "cwl", "rcd_rd", "rcd_wr", "rp", "ras", "rrd_s", "rrd_l", "faw", "wr", "ccd_s", "ccd_l"),
    *("wtr_s", "wtr_l", "rtp", "rtrs", "rfc"),
)
"""Timing parameters of which no engine may have too little; too long a tREFI shows after nine of them only."""


class WrongMemory(FastMemory):
    """A compiled memory that keeps another table of rules than its own."""

    def __init__(self, world: World, table: tuple[Rule, ...]) -> None:
        super().__init__(world.memory, world.pim, trace=True)
        self._k = build_constants(world.memory, world.pim, WINDOW, table)


class Mutant(NamedTuple):
    """A rule, and what a wrong table has in its place."""

    rule: Rule
    wrong: Rule


def mutants(rule: Rule) -> Iterator[Mutant]:
    """The rule a cycle shorter; one that keeps a command out of a span is shortened at both ends."""
    if rule.until is None:
        yield Mutant(rule, replace(rule, gap=f"{rule.gap} - 1"))
        return
    yield Mutant(rule, replace(rule, gap=f"{rule.gap} + 1"))
    yield Mutant(rule, replace(rule, until=f"{rule.until} - 1"))


def is_parameter_caught(seed: int, name: str, commands: int) -> bool:
    """Whether the checker notices an engine with a timing parameter that is a cycle too short; False at 1 cycle."""
    dice = Dice(seed)
    world = draw_world(dice)
    data, key = world.memory.model_dump(), f"t_{name}_ns"
    data["timing"][key] -= 1 / world.memory.clock_ghz
    if data["timing"][key] <= 0:
        return False
    memory = build_memory(MemorySpec.model_validate(data), world.pim, "fast", trace=True)
    drive(memory, world, dice, commands, PATIENCE)
    return bool(check_trace(memory.trace(), world.memory, world.pim))


def is_caught(seed: int, mutant: Mutant, commands: int) -> bool:
    """Whether the checker finds a violation in the traffic of `seed` on an engine with the wrong rule.

    Raises:
        ValueError: the memory of this seed does not have the rule.
    """
    dice = Dice(seed)
    world = draw_world(dice)
    table = list(rules_of(world.memory, world.pim))
    table[table.index(mutant.rule)] = mutant.wrong
    memory = WrongMemory(world, tuple(table))
    drive(memory, world, dice, commands, PATIENCE)
    return bool(check_trace(memory.trace(), world.memory, world.pim))
