"""Random memories: organisations, timings and switches that a user could write down, from a seed.

Timings are drawn in cycles and keep the order that JEDEC gives them: a gap inside a bank group is not
shorter than the one across groups, a write latency not longer than a read latency, and a refresh leaves
time for the longest tile.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from neupims.hardware.memory import DramEnergy, MemorySpec
from neupims.hardware.pim import PimSpec

Choice = TypeVar("Choice")

CLEAN: dict[str, Any] = {
    "gemv_end": "last_mac",
    "activation_window": "shared",
    "column_gaps": "symmetric",
    "row_timing": "complete",
    "deadline": "exact",
    "ordered_writes": True,
}
"""Switches of a PIM for which the checker waives no rule."""

SWITCHES: dict[str, tuple[Any, ...]] = {
    "gemv_end": ("issue", "last_mac"),
    "activation_window": ("separate", "shared"),
    "column_gaps": ("published", "symmetric"),
    "row_timing": ("published", "complete"),
    "deadline": ("published", "exact"),
    "ordered_writes": (False, True),
}
"""Switches of `PimSpec` between a clean system and the published one."""

CYCLES = {
    "cl": (4, 30),
    "rcd_rd": (3, 30),
    "rcd_wr": (3, 30),
    "rp": (3, 30),
    "ras": (8, 70),
    "rrd_s": (1, 8),
    "faw": (4, 60),
    "wr": (1, 30),
    "ccd_s": (1, 6),
    "wtr_s": (1, 10),
    "rtp": (1, 12),
    "rtrs": (1, 5),
    "rfc": (20, 400),
}
"""Smallest and largest value of each timing parameter."""

LONGER = {"rrd_l": "rrd_s", "ccd_l": "ccd_s", "wtr_l": "wtr_s"}
"""Gaps inside a bank group, with those across groups."""

NO_ENERGY = DramEnergy(vdd_v=1, idd0_ma=1, idd2n_ma=1, idd3n_ma=1, idd4r_ma=1, idd4w_ma=1, idd5ab_ma=1)


class Dice:
    """Random choices from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *choices: Choice) -> Choice:
        """One of the choices, each as likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def within(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def often(self, chance: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < chance)


@dataclass(frozen=True, slots=True)
class World:
    """A memory, with PIM or without, and the largest tile that fits between two of its refreshes."""

    memory: MemorySpec
    pim: PimSpec | None
    results: int
    """Results of the largest tile."""
    macs: int
    """MACs of each of its results."""

    @property
    def clean(self) -> bool:
        """Whether the checker waives none of its rules, and nothing may be stuck."""
        return self.pim is None or all(getattr(self.pim, name) == value for name, value in CLEAN.items())


def draw_world(dice: Dice) -> World:
    """A memory without PIM, with one row buffer or with two; about half of those with PIM are clean."""
    organization = _organization(dice)
    kind = dice.one("plain", "single", "dual", "dual")
    clock = dice.one(0.5, 0.8, 1.0, 1.25, 2.0)
    pim = None if kind == "plain" else _pim(dice, kind, organization["row_bytes"], clock)
    results = dice.one(1, 2, 4)
    macs = 1 if pim is None else min(dice.one(4, 32), organization["row_bytes"] // 2 // pim.macs_per_bank)
    cycles = _timing(dice)
    gwrite = 0 if pim is None else round(pim.gwrite_ns * clock)
    longest = _longest_tile(organization, cycles, results * macs, gwrite)
    cycles["refi"] = organization["ranks"] * (cycles["rfc"] + 40 + longest * dice.within(10, 40) // 10)
    memory = MemorySpec(
        organization=organization,  # pyright: ignore[reportArgumentType]
        clock_ghz=clock,
        timing={f"t_{name}_ns": n / clock for name, n in cycles.items()},  # pyright: ignore[reportArgumentType]
        controller=_controller(dice),  # pyright: ignore[reportArgumentType]
        energy=NO_ENERGY,
    )
    return World(memory, pim, results, macs)


def _organization(dice: Dice) -> dict[str, int]:
    burst_length, bus_bits = dice.one(2, 4, 8, 16), dice.one(32, 64, 128)
    return {
        "channels": dice.one(1, 1, 2),
        "ranks": dice.one(1, 2, 2, 4),
        "bank_groups": dice.one(1, 2, 4, 8),
        "banks_per_group": dice.one(1, 2, 4),
        "rows": dice.one(16, 500, 32768),
        "row_bytes": burst_length * bus_bits // 8 * dice.one(8, 16, 40),
        "burst_length": burst_length,
        "bus_bits": bus_bits,
    }


def _timing(dice: Dice) -> dict[str, int]:
    drawn = {name: dice.within(*limits) for name, limits in CYCLES.items()}
    drawn |= {longer: drawn[shorter] + dice.within(0, 5) for longer, shorter in LONGER.items()}
    return drawn | {"cwl": dice.within(2, drawn["cl"])}


def _longest_tile(organization: dict[str, int], cycles: dict[str, int], macs: int, gwrite: int) -> int:
    """No less than the cycles of the largest tile or GWRITE with all that it may have to wait for."""
    groups, banks = organization["bank_groups"], organization["bank_groups"] * organization["banks_per_group"]
    opening = groups * max(cycles["faw"], cycles["rrd_l"]) + cycles["rcd_rd"] + organization["ranks"] * (banks + groups)
    closing = cycles["cl"] + cycles["wr"] + cycles["ras"] + cycles["rp"] + 2 * cycles["wtr_l"]
    pace = max(cycles["ccd_s"], organization["burst_length"] // 2)
    return opening + 2 * closing + 7 * pace * (macs + 1) + gwrite


def _controller(dice: Dice) -> dict[str, Any]:
    return {
        "read_queue": dice.one(4, 8, 32),
        "write_buffer": dice.one(4, 8, 32),
        "bank_queue": dice.one(2, 4, 16, 128),
        "outstanding": dice.one(8, 96, 4352),
        "accepts_per_cycle": dice.one(1, 2),
        "row_hit_limit": dice.one(1, 4, 16),
        "drain_above": dice.one(0, 2),
        "refresh": dice.one("rank_staggered", "rank_staggered", "rank_staggered", "off"),
    }


def _pim(dice: Dice, kind: str, row_bytes: int, clock: float) -> PimSpec:
    switches = {name: dice.one(*values) for name, values in SWITCHES.items()}
    return PimSpec.model_validate(
        {
            **(switches | (CLEAN if dice.often(0.5) else {})),
            "row_buffers": kind,
            "composite_gemv": dice.often(0.8 if kind == "dual" else 0.3),
            "macs_per_bank": min(dice.one(4, 16), row_bytes // 2),
            "vector_buffer_bytes": row_bytes,
            "gwrite_ns": dice.within(4, 120) / clock,
            "adder_tree_macs": dice.within(1, 7),
            "queue": dice.one(4, 32),
            "command_queue": dice.one(3, 16, 128),
            "precharge_scope": dice.one("bank", "bank_group", "all") if kind == "dual" else "bank",
            "front_end": {"per_cycle": dice.one(0.3, 0.5, 1.0, 2.0, 3.0)},
        }
    )
