"""Memories of one channel, small programs for them, and how to run both; the `dram` fixture is this module."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.load import load_system
from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.isa.memory import RUN
from neupims.machine.dram.memory import Engine, Memory, build_memory
from neupims.validation.channel import (
    attend,
    attention,
    gwrite,
    logit,
    own_path,
    program,
    submit_program,
    submit_runs,
    tile,
)

__all__ = ["attend", "attention", "gwrite", "logit", "program", "submit_program", "submit_runs", "tile"]

Table = NDArray[Any]


@dataclass(frozen=True)
class World:
    """The memory side and, where there is one, the PIM side of a system."""

    memory: MemorySpec
    pim: PimSpec | None

    def build(self, engine: Engine = "fast", trace: bool = True) -> Memory:
        """A memory at rest that keeps its trace."""
        return build_memory(self.memory, self.pim, engine, trace)

    def controller(self, **changes: object) -> "World":
        return World(with_part(self.memory, "controller", **changes), self.pim)

    def timing(self, **changes: object) -> "World":
        return World(with_part(self.memory, "timing", **changes), self.pim)

    def organization(self, **changes: object) -> "World":
        return World(with_part(self.memory, "organization", **changes), self.pim)

    def switches(self, **changes: object) -> "World":
        assert self.pim is not None
        return World(self.memory, PimSpec.model_validate(self.pim.model_dump() | changes))


def with_part(memory: MemorySpec, part: str, **changes: object) -> MemorySpec:
    data = memory.model_dump()
    return MemorySpec.model_validate(data | {part: data[part] | changes})


def world(system: str, *overrides: str) -> World:
    """One channel of a shipped system, in which each program has its own path."""
    spec = load_system(system, ["memory.organization.channels=1", *overrides])
    assert spec.memory is not None
    return World(spec.memory, own_path(spec.pim))


# Programs -----------------------------------------------------------------------------------------


def sequential(bursts: int, write: bool = False, banks: int = 32, per_row: int = 16) -> Table:
    """Row after row, bank after bank."""
    place = np.arange(bursts)
    runs = np.zeros(bursts, RUN)
    runs["bank"] = place // per_row % banks
    runs["row"], runs["column"] = place // per_row // banks, place % per_row
    runs["bursts"], runs["write"] = 1, write
    return runs


# Running ------------------------------------------------------------------------------------------


def until_idle(memory: Memory, limit: int, step: int = 1000) -> dict[int, int]:
    """Cycle of completion of each block that completes; fails when work is left at `limit`."""
    done: dict[int, int] = {}
    while not memory.idle():
        assert memory.now < limit, f"still busy at cycle {limit}"
        ids, cycles = memory.advance(min(memory.now + step, limit))
        done.update(zip(ids.tolist(), cycles.tolist(), strict=True))
    return done


def makespan(world: World, runs: Table | None = None, instructions: Table | None = None, limit: int = 1_000_000) -> int:
    """Cycle at which the last burst and the last result are there, on the compiled engine."""
    memory = world.build(trace=False)
    if runs is not None:
        submit_runs(memory, runs)
    if instructions is not None:
        submit_program(memory, instructions)
    return max(until_idle(memory, limit, 50_000).values())


def listing(trace: Table, names: Sequence[str] = ()) -> list[str]:
    """`ACT 11 b0` per command, of the kinds in `names` or of all."""
    return list(_lines(trace, names))


def _lines(trace: Table, names: Sequence[str]) -> Iterator[str]:
    for cycle, _, command, bank, _, _ in trace.tolist():
        name = Command(command).name
        if not names or name in names:
            yield f"{name} {cycle}" + (f" b{bank}" if bank >= 0 else "")
