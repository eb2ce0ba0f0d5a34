"""Random traffic on random memories, every command audited by the protocol checker.

A seed gives a memory (`worlds`) and waves of reads, writes, GWRITEs and tiles: few banks and rows or many,
streams or single bursts, alone or together, with idle time between them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.isa.memory import INSTRUCTION, RUN, TILE
from neupims.machine.dram.checker import Violation, check_trace
from neupims.machine.dram.memory import Memory, build_memory
from neupims.validation.worlds import Dice, World, draw_world

Records = NDArray[Any]

PATIENCE = 400_000
"""Cycles without any completion after which a memory with work left is called stuck."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the checker says of one seed."""

    seed: int
    world: World
    commands: int
    violations: list[Violation]
    stuck: bool
    """Whether work was left that never ended; only published switches may lead there."""


@dataclass(frozen=True, slots=True)
class Wave:
    """RUNs for each port and INSTRUCTIONs that arrive together; blocks count from 0."""

    runs: tuple[Records, Records]
    instructions: Records
    parts: NDArray[np.int64]


def audits(seeds: Iterable[int], commands: int) -> Iterator[Audit]:
    """One memory for each seed, at least so many commands on each, all audited."""
    return (audit(seed, commands) for seed in seeds)


def audit(seed: int, commands: int) -> Audit:
    """The memory and the traffic of `seed` on the compiled engine, until it has issued `commands` commands."""
    dice = Dice(seed)
    world = draw_world(dice)
    memory = build_memory(world.memory, world.pim, "fast", trace=True)
    stuck = drive(memory, world, dice, commands)
    trace = memory.trace()
    return Audit(seed, world, len(trace), check_trace(trace, world.memory, world.pim), stuck)


def drive(memory: Memory, world: World, dice: Dice, commands: int, patience: int = PATIENCE) -> bool:
    """Send waves until the memory has issued so many commands; True when it is stuck, `patience` cycles long."""
    while memory.counters().commands.sum() < commands:
        wave = draw_wave(dice, world)
        submit(memory, wave)
        if not _finish(memory, dice, len(wave.parts), patience):
            return not memory.idle()
    return False


def _finish(memory: Memory, dice: Dice, blocks: int, patience: int) -> bool:
    """Run in steps of random length until all blocks are complete; False when the rest never ends."""
    waited = 0
    while blocks > 0 and waited < patience:
        step = dice.one(1, 50, 700, 5000)
        ids, _ = memory.advance(memory.now + step)
        blocks -= len(ids)
        waited = 0 if len(ids) else waited + step
    memory.advance(memory.now + dice.one(1, 1, 1, 30, 2000))
    return blocks == 0


def submit(memory: Memory, wave: Wave) -> None:
    """Register the blocks of a wave and hand it over."""
    first = memory.blocks(wave.parts)
    for port, runs in enumerate(wave.runs):
        moved = runs.copy()
        moved["block"] += first
        memory.submit(moved, port)
    instructions = wave.instructions.copy()
    for field in ("block", "gate"):
        instructions[field][instructions[field] >= 0] += first
    memory.submit_pim(instructions)


# Traffic ----------------------------------------------------------------------------------------


def draw_wave(dice: Dice, world: World) -> Wave:
    """Memory traffic, a PIM program, or both."""
    mix = dice.one("memory", "memory", "both", "both", "pim") if world.pim else "memory"
    runs = _runs(dice, world, 0 if mix == "pim" else dice.one(1, 20, 200, 1000))
    instructions = _instructions(dice, world, 0 if mix == "memory" else dice.one(1, 10, 60))
    tiles = instructions["kind"] == TILE
    results = np.where(tiles, instructions["groups"], 0).astype(np.int64)
    runs["block"] = np.arange(len(runs))
    instructions["block"] = np.where(tiles, len(runs) + np.cumsum(results) - results, -1)
    if len(runs) and dice.often(0.3):
        _gate(dice, runs, instructions)
    parts = np.concatenate([runs["bursts"].astype(np.int64), np.ones(int(results.sum()), np.int64)])
    second = dice.rng.random(len(runs)) < dice.one(0, 0.1, 0.5)
    return Wave((runs[~second], runs[second]), instructions, parts)


def _runs(dice: Dice, world: World, count: int) -> Records:
    org, rng = world.memory.organization, dice.rng
    runs = np.zeros(count, RUN)
    place = np.arange(count) // dice.one(1, 4, 16)
    banks, rows = dice.one(1, 2, org.banks), dice.one(1, 2, 8, org.rows)
    if dice.often(0.3):  # a stream: bank after bank, row after row
        runs["bank"], runs["row"] = place % org.banks, place // org.banks % org.rows
    else:
        runs["bank"] = rng.integers(0, min(banks, org.banks), count)
        runs["row"] = rng.integers(0, min(rows, org.rows), count)
    runs["channel"] = rng.integers(0, org.channels, count)
    runs["column"] = rng.integers(0, org.bursts_per_row, count)
    most = np.minimum(org.bursts_per_row - runs["column"], dice.one(1, 4, 16))
    runs["bursts"] = rng.integers(1, most + 1)
    runs["write"] = rng.random(count) < dice.one(0, 0.1, 0.5, 0.9, 1)
    runs["feeds_pim"] = runs["write"] * (rng.random(count) < 0.3)
    return runs


def _instructions(dice: Dice, world: World, count: int) -> Records:
    org, rng = world.memory.organization, dice.rng
    made = np.zeros(count, INSTRUCTION)
    made["channel"] = rng.integers(0, org.channels, count)
    made["kind"] = rng.random(count) < dice.one(0.5, 0.9, 1)
    made["bank"] = rng.integers(0, org.banks, count)
    made["row"] = rng.integers(0, min(dice.one(1, 2, 8, org.rows), org.rows), count)
    made["groups"] = rng.integers(1, world.results + 1, count)
    made["macs"] = rng.integers(1, world.macs + 1, count)
    made["gate"] = -1
    return made


def _gate(dice: Dice, runs: Records, instructions: Records) -> None:
    """Some instructions wait for a run of their channel."""
    for place in np.flatnonzero(dice.rng.random(len(instructions)) < 0.2).tolist():
        own = np.flatnonzero(runs["channel"] == instructions["channel"][place])
        if len(own):
            instructions["gate"][place] = own[int(dice.rng.integers(len(own)))]
