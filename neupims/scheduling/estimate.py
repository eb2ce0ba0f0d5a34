"""Latency of decode attention of one request in PIM, as the balancing policies see it (spec 6.2, Algorithm 1)."""

from collections.abc import Callable
from dataclasses import dataclass

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.units import cycles

Estimate = Callable[[int], int]
"""Estimated cycles for a context length."""


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """Heads on one device and the rows and banks that their keys and values are spread over."""

    heads: int
    """Heads of keys and values."""
    head_dim: int
    row_elements: int = 512
    """Numbers in one row of a bank."""
    banks: int = 32
    """Banks of a channel."""
    group: int = 1
    """Query heads that share a head of keys and values."""

    @property
    def width(self) -> int:
        """Numbers in one key, E / TP without groups."""
        return self.heads * self.head_dim


@dataclass(frozen=True, slots=True)
class TileCosts:
    """Cycles of what a GEMV program is made of."""

    gwrite: int
    logit_tile: int
    attend_tile: int


PAPER_COSTS = TileCosts(gwrite=100, logit_tile=184, attend_tile=184)
"""The constants of the published simulator."""


def attention_estimate(shape: AttentionShape, costs: TileCosts) -> Estimate:
    """est(L) = G (ceil(E/P) (gwrite + ceil(L/B) logit_tile) + ceil(L/P) H (gwrite + ceil(d/B) attend_tile)).

    P numbers in a row, B banks in a channel; E, H and d of one device: width of a key, heads of keys and values, and
    numbers in a head; G query heads share one of H.
    """
    chunks = -(-shape.width // shape.row_elements)
    head = costs.gwrite + -(-shape.head_dim // shape.banks) * costs.attend_tile

    def estimate(length: int) -> int:
        logit = chunks * (costs.gwrite + -(-length // shape.banks) * costs.logit_tile)
        return shape.group * (logit + -(-length // shape.row_elements) * shape.heads * head)

    return estimate


def paper_costs(shape: AttentionShape, memory: MemorySpec, pim: PimSpec) -> TileCosts:
    """100 cycles for a GWRITE and 184 for a tile, whatever the memory."""
    return PAPER_COSTS


def timing_costs(shape: AttentionShape, memory: MemorySpec, pim: PimSpec) -> TileCosts:
    """Costs from the timing of the memory, without refresh and other traffic (spec 3.8).

    tile = precharges + header + (groups of a rank - 1) tFAW + ranks - 1 + tRCD + tRTP, plus, for each
    result group, 2 (max(n, tree) + 1) for n MACs of one column access each; the last group of a tile
    counts only if its banks stay open until its MACs are done.
    """
    groups = min(shape.row_elements // shape.head_dim, shape.heads)
    macs = -(-shape.head_dim // pim.macs_per_bank)
    return TileCosts(
        gwrite=cycles(pim.gwrite_ns, memory.clock_ghz),
        logit_tile=_tile(groups, macs, memory, pim),
        attend_tile=_tile(1, shape.row_elements // pim.macs_per_bank, memory, pim),
    )


def _tile(groups: int, macs: int, memory: MemorySpec, pim: PimSpec) -> int:
    org, clock = memory.organization, memory.clock_ghz
    precharges = {"bank": org.banks, "bank_group": org.ranks * org.bank_groups, "all": 1}[pim.precharge_scope]
    t_faw, t_rcd, t_rtp = (
        cycles(ns, clock) for ns in (memory.timing.t_faw_ns, memory.timing.t_rcd_rd_ns, memory.timing.t_rtp_ns)
    )
    opening = (org.bank_groups - 1) * t_faw + org.ranks - 1 + t_rcd
    series = 2 * (max(macs, pim.adder_tree_macs) + 1)
    counted = groups if pim.gemv_end == "last_mac" else groups - 1
    return precharges + 1 + opening + counted * series + t_rtp


COSTS: dict[str, Callable[[AttentionShape, MemorySpec, PimSpec], TileCosts]] = {
    "paper": paper_costs,
    "timing": timing_costs,
}
"""Where the constants come from, by policy.estimate."""
