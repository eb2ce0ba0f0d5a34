"""One channel of memory on its own: what it is made of, small traffic for it, and when that is answered.

All times are cycles of the memory clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.load import load_system
from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.isa.memory import GWRITE, INSTRUCTION, RUN, TILE
from neupims.machine.dram.memory import Memory, build_memory
from neupims.machine.dram.timing import Timing, build_timing

Records = NDArray[Any]
Step = tuple[int, ...]

WINDOW = 50_000
"""Cycles run at a time."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A memory and, where there is one, its PIM."""

    memory: MemorySpec
    pim: PimSpec | None = None

    @property
    def timing(self) -> Timing:
        """Timing parameters in cycles, under the names of `machine.dram.timing`."""
        return build_timing(self.memory, self.pim)

    def build(self, trace: bool = False) -> Memory:
        """The memory at rest, on the compiled engine."""
        return build_memory(self.memory, self.pim, "fast", trace)


def bench(system: str, *overrides: str) -> Bench:
    """One channel of a shipped system, with settings like those of `--set`, and a path for each program."""
    spec = load_system(system, ["memory.organization.channels=1", *overrides])
    assert spec.memory is not None
    return Bench(spec.memory, own_path(spec.pim))


def own_path(pim: PimSpec | None) -> PimSpec | None:
    """The PIM without the link that its program shares with that of the NPU."""
    if pim is None:
        return None
    return pim.model_copy(update={"front_end": pim.front_end.model_copy(update={"path": "own"})})


# Traffic --------------------------------------------------------------------------------------------


def bursts(
    memory: MemorySpec, places: Sequence[int] | Records, write: Sequence[bool] | Records | bool = False
) -> Records:
    """A RUN for each place in the order of the address map, counted in bursts and wrapped round at the end."""
    org, rest = memory.organization, np.asarray(places, np.int64)
    sizes = {
        "row": org.rows,
        "rank": org.ranks,
        "group": org.bank_groups,
        "bank": org.banks_per_group,
        "column": org.bursts_per_row,
        "channel": org.channels,
    }
    parts: dict[str, NDArray[np.int64]] = {}
    for name in reversed(memory.address_map):
        rest, parts[name] = np.divmod(rest, sizes[name])
    runs = np.zeros(len(rest), RUN)
    runs["bank"] = (parts["rank"] * org.bank_groups + parts["group"]) * org.banks_per_group + parts["bank"]
    runs["channel"], runs["row"], runs["column"] = parts["channel"], parts["row"], parts["column"]
    runs["bursts"], runs["write"] = 1, write
    return runs


def gwrite(bank: int = 0, row: int = 0) -> Step:
    """An INSTRUCTION that fills the vector buffer."""
    return 0, GWRITE, bank, row, 0, 0, -1, -1, 0


def tile(row: int, groups: int, macs: int) -> Step:
    """An INSTRUCTION for one GEMV tile."""
    return 0, TILE, 0, row, groups, macs, -1, -1, 0


def program(*steps: Step) -> Records:
    """INSTRUCTIONs for channel 0 that report to nobody yet."""
    return np.array(list(steps), INSTRUCTION)


def logit(length: int, heads: int, width: int) -> list[Step]:
    """K^T q of one request, laid out as the published simulator does: 512 elements per row, 32 tokens per tile."""
    per_row = 512 // width
    chunks = [min(per_row, heads - first) for first in range(0, heads, per_row)]
    tiles = -(-length // 32)
    return [step for groups in chunks for step in [gwrite(), *[tile(0, groups, width // 16)] * tiles]]


def attend(length: int, heads: int, width: int) -> list[Step]:
    """S V of one request: per head and 512 tokens a GWRITE, and a tile for each 32 of `width`."""
    tokens = [min(512, length - first) for first in range(0, length, 512)]
    chunk = [[gwrite(), *[tile(0, 1, -(-n // 16))] * -(-width // 32)] for n in tokens]
    return [step for steps in chunk * heads for step in steps]


def attention(part: str, length: int, heads: int = 8, width: int = 128, requests: int = 4) -> Records:
    """`requests` equal requests one after the other: their logit, attend or both; each tile has a row of its own."""
    parts = {"logit": logit(length, heads, width), "attend": attend(length, heads, width)}
    parts["both"] = parts["logit"] + parts["attend"]
    made = program(*parts[part] * requests)
    tiles = made["kind"] == TILE
    made["row"][tiles] = 1000 + np.arange(tiles.sum())
    return made


# Running --------------------------------------------------------------------------------------------


def submit_runs(memory: Memory, runs: Records, port: int = 0) -> int:
    """Queue them at a port, that of the NPU by default; each reports to a block of its own; the first one's id."""
    runs = runs.copy()
    first = memory.blocks(runs["bursts"].astype(np.int64))
    runs["block"] = first + np.arange(len(runs))
    memory.submit(runs, port)
    return first


def submit_program(memory: Memory, instructions: Records) -> int:
    """Queue a PIM program; each result group reports to a block of its own; returns the first one's id."""
    made = instructions.copy()
    groups = np.where(made["kind"] == TILE, made["groups"], 0).astype(np.int64)
    first = memory.blocks(np.ones(int(groups.sum()), np.int64))
    made["block"] = np.where(groups > 0, first + np.cumsum(groups) - groups, -1)
    memory.submit_pim(made)
    return first


def finish(memory: Memory, blocks: range) -> NDArray[np.int64]:
    """Run until all `blocks` are complete; when each is. Posted writes may be left in their buffer."""
    done = np.full(len(blocks), -1, np.int64)
    while (done < 0).any():
        ids, cycles = memory.advance(memory.now + WINDOW)
        ours = (ids >= blocks.start) & (ids < blocks.stop)
        done[ids[ours] - blocks.start] = cycles[ours]
        assert len(ids) or not memory.idle(), "nothing is queued, but blocks are not complete"
    return done


def answered(made: Bench, runs: Records) -> NDArray[np.int64]:
    """When each of the runs is complete, if they are offered from cycle 0 on."""
    memory = made.build()
    first = submit_runs(memory, runs)
    return finish(memory, range(first, first + len(runs)))


def makespan(made: Bench, runs: Records) -> int:
    """Cycle at which the last of the runs is complete."""
    return int(answered(made, runs).max())


def pim_makespan(made: Bench, instructions: Records) -> int:
    """Cycle at which the last result of a PIM program is there."""
    memory = made.build()
    first = submit_program(memory, instructions)
    count = int(instructions["groups"][instructions["kind"] == TILE].sum())
    return int(finish(memory, range(first, first + count)).max())


def traced(made: Bench, runs: Records | None, instructions: Records | None, until: int, start: int = 0) -> Records:
    """Commands of the cycles up to `until` of runs and a program that are there from cycle `start` on."""
    memory = made.build(trace=True)
    memory.advance(start)
    if runs is not None:
        submit_runs(memory, runs)
    if instructions is not None:
        submit_program(memory, instructions)
    memory.advance(until)
    return memory.trace()


def issued(trace: Records, command: Command) -> list[int]:
    """Cycles at which a command was issued."""
    return trace["cycle"][trace["command"] == command].tolist()
