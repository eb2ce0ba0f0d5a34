"""Traffic for the engine alone: a saturated read stream and an endless PIM program, on one channel."""

from itertools import count
from time import process_time
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.load import load_system
from neupims.isa.memory import GWRITE, INSTRUCTION, RUN, TILE
from neupims.machine.dram.memory import Engine, Memory, build_memory

Kind = Literal["pim", "reads", "both"]

PIM_ROW = 16_384
"""First row of the keys; the read stream stays below it."""
HEADS_PER_ROW = 4
TILES = 64
"""Tiles for each vector: keys of 2,048 tokens in 32 banks."""
TILE_CYCLES = 120
"""No tile is faster than this, so that a program never ends too early."""
WARM_CYCLES = 1_000
STEP_CYCLES = 4_096


def read_stream(bursts: int) -> NDArray[np.void]:
    """Rows one after the other, bank by bank, as addresses ascend."""
    memory = load_system("neupims").memory
    assert memory is not None
    org = memory.organization
    number = np.arange(-(-bursts // org.bursts_per_row))
    runs = np.zeros(len(number), RUN)
    runs["row"], runs["bank"] = number // org.banks % PIM_ROW, number % org.banks
    runs["bursts"], runs["block"] = org.bursts_per_row, -1
    return runs


def logit_tiles(tiles: int) -> NDArray[np.void]:
    """K^T q: a GWRITE for each TILES tiles, each with a result for each of the heads that share a row."""
    program = np.zeros(tiles + -(-tiles // TILES), INSTRUCTION)
    place = np.arange(len(program))
    gwrite = place % (TILES + 1) == 0
    program["kind"], program["row"] = np.where(gwrite, GWRITE, TILE), PIM_ROW + np.where(gwrite, 0, 1 + place % 8192)
    program["groups"], program["macs"] = np.where(gwrite, 0, HEADS_PER_ROW), np.where(gwrite, 0, 8)
    program["block"] = program["gate"] = -1
    return program


def loaded(engine: Engine, kind: Kind, cycles: int) -> Memory:
    """A memory with one channel and traffic for so many cycles: `pim`, `reads`, or `both`."""
    system = load_system("neupims", ["memory.organization.channels=1"])
    assert system.memory is not None
    memory = build_memory(system.memory, system.pim, engine)
    if kind != "pim":
        runs = read_stream(cycles + cycles // 2)
        runs["block"] = memory.blocks(np.array([int(runs["bursts"].sum())]))
        memory.submit(runs, 0)
    if kind != "reads":
        memory.submit_pim(logit_tiles(cycles // TILE_CYCLES + TILES))
    return memory


def rate(engine: Engine, kind: Kind, cycles: int) -> tuple[int, float]:
    """Commands issued in so many cycles, and the CPU seconds that they took."""
    memory = loaded(engine, kind, cycles + WARM_CYCLES)
    memory.advance(WARM_CYCLES)
    before, start = memory.counters().commands.sum(), process_time()
    for until in count(WARM_CYCLES + STEP_CYCLES, STEP_CYCLES):
        memory.advance(min(until, WARM_CYCLES + cycles))
        if until >= WARM_CYCLES + cycles:
            break
    seconds = process_time() - start
    return int(memory.counters().commands.sum() - before), seconds
