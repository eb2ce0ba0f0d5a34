"""Random memories and random traffic, drawn from a seed; the `draw` fixture makes them."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from neupims.isa.memory import INSTRUCTION, RUN, TILE

SWITCHES = {
    "gemv_end": ("issue", "last_mac"),
    "activation_window": ("separate", "shared"),
    "row_timing": ("published", "complete"),
    "column_gaps": ("published", "symmetric"),
    "deadline": ("published", "exact"),
    "ordered_writes": (False, True),
}

CLEAN = {"row_timing": "complete", "deadline": "exact", "ordered_writes": True}


@dataclass(frozen=True)
class Case:
    """A memory, what it is asked for, in slices, and the cycles at which the slices end."""

    world: Any
    slices: list[tuple[Any, Any]]
    """RUNs and INSTRUCTIONs that arrive at the start of a slice; blocks are numbered, gates set."""
    parts: Any
    """Parts of each block."""
    cuts: list[int]


class Draw:
    """Draws a case from a seed."""

    def __init__(self, dram: ModuleType, seed: int, clean: bool = False) -> None:
        """`clean`: row timing, deadlines and the order of writes are physical, and no write is left behind."""
        self.dram, self.clean, self.rng = dram, clean, np.random.default_rng(seed)
        self.merges = seed % 2 == 1
        self.path = "shared" if seed % 3 == 0 else "own"
        self.postpone = (0, 0, 1, 3, 7)[seed % 5]
        self.vector_buffers, self.overlap = 1 + seed % 7 % 2, seed % 11 % 2 == 1

    def one(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def often(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    def case(self) -> Case:
        world = self.organized(self.world())
        runs, instructions = self.runs(world), self.instructions(world)
        parts = self.numbered(runs, instructions)
        cuts = np.cumsum(self.rng.integers(1, 600, int(self.rng.integers(2, 9)))).tolist()
        shares = [np.array_split(records, len(cuts)) for records in (runs, instructions)]
        return Case(world, list(zip(*shares, strict=True)), parts, cuts)

    def world(self) -> Any:
        published = () if self.clean else ("neupims-authors", "npu-pim-authors")
        name = self.one("neupims", "npu-pim", "npu-only", *published)
        world = self.dram.world(name)
        return world if world.pim is None else world.switches(**self.switches(world.pim))

    def switches(self, pim: Any) -> dict[str, Any]:
        dual = pim.row_buffers == "dual"
        drawn: dict[str, Any] = {"composite_gemv": self.often(0.8 if dual else 0.3)}
        drawn["front_end"] = {"per_cycle": self.one(0.3, 0.5, 1.0, 2.0, 3.0), "path": self.path}
        drawn["queue"], drawn["command_queue"] = self.one(4, 32), self.one(3, 128)
        if dual:
            drawn["precharge_scope"] = self.one("bank", "bank_group", "all")
        mixed = {name: self.one(*values) for name, values in SWITCHES.items()}
        drawn |= mixed if self.often(0.4) else {}
        drawn |= CLEAN if self.clean else {}
        return drawn | self.overlapping(pim.model_dump() | drawn)

    def overlapping(self, pim: dict[str, Any]) -> dict[str, Any]:
        fits = pim["row_buffers"] == "dual" and pim["deadline"] == "exact"
        return {"vector_buffers": self.vector_buffers, "gwrite_overlap": self.overlap and fits}

    def organized(self, world: Any) -> Any:
        world = world.controller(
            refresh=self.one("rank_staggered", "rank_staggered", "rank_staggered", "off"),
            outstanding=self.one(8, 96, 4352),
            accepts_per_cycle=self.one(1, 2),
            read_queue=self.one(8, 32),
            write_buffer=self.one(8, 32),
            bank_queue=self.one(4, 128),
            drain_above=0 if self.clean else self.one(0, 8),
            row_hit_limit=self.one(1, 4),
            merge_duplicates=self.merges,
            refresh_postpone=self.postpone,
        )
        if self.often(0.4):
            world = world.timing(t_rcd_wr_ns=self.one(10, 14, 17), t_rtp_ns=self.one(4, 7), t_ccd_l_ns=self.one(2, 4))
        shape = {"ranks": self.one(1, 2), "bank_groups": self.one(2, 4), "banks_per_group": self.one(2, 4)}
        return world.organization(channels=self.one(1, 1, 2, 3), **(shape if self.often(0.5) else {}))

    def runs(self, world: Any) -> Any:
        """Few banks and rows, so that hits, conflicts and equal addresses are frequent."""
        org, rng, count = world.memory.organization, self.rng, int(self.rng.integers(10, 150))
        runs = np.zeros(count, RUN)
        runs["channel"] = rng.integers(0, org.channels, count)
        runs["bank"] = rng.integers(0, self.one(2, org.banks), count)
        runs["row"] = rng.integers(0, self.one(2, 4, 30), count)
        runs["column"], runs["bursts"] = rng.integers(0, 12, count), rng.integers(1, 5, count)
        runs["write"] = rng.random(count) < self.one(0, 0.3, 0.5, 1)
        runs["feeds_pim"] = runs["write"] * (rng.random(count) < 0.5)
        return runs

    def instructions(self, world: Any) -> Any:
        org, rng = world.memory.organization, self.rng
        count = 0 if world.pim is None else int(rng.integers(1, 30))
        made = np.zeros(count, INSTRUCTION)
        made["channel"], made["kind"] = rng.integers(0, org.channels, count), rng.random(count) < 0.7
        made["bank"], made["row"] = rng.integers(0, org.banks, count), rng.integers(0, self.one(2, 4, 30), count)
        made["groups"], made["macs"] = rng.integers(1, 5, count), rng.integers(1, 33, count)
        made["gate"] = -1
        return made

    def numbered(self, runs: Any, instructions: Any) -> Any:
        """Each run and each result group gets a block; some tiles wait for an earlier run of their channel."""
        groups = np.where(instructions["kind"] == TILE, instructions["groups"], 0).astype(np.int64)
        runs["block"] = np.arange(len(runs))
        instructions["block"] = np.where(groups > 0, len(runs) + np.cumsum(groups) - groups, -1)
        for place, instruction in enumerate(instructions):
            own = np.flatnonzero(runs["channel"] == instruction["channel"])
            earlier = own[own <= place * len(runs) // max(1, len(instructions))]
            if len(earlier) and self.path == "own" and self.often(0.2):
                instructions["gate"][place] = earlier[-1]
        return np.concatenate([runs["bursts"].astype(np.int64), np.ones(int(groups.sum()), np.int64)])
