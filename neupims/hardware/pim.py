"""Processing in memory: what the banks can compute and by which commands."""

from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from neupims.hardware.base import Spec


class FrontEnd(Spec):
    """How fast PIM instructions leave the core for the channels."""

    per_cycle: PositiveFloat = 2.0
    """Instructions handed over per DRAM cycle."""
    scope: Literal["channel", "device"] = "channel"
    """Whether the rate holds for each channel or for the whole device in channel order."""
    path: Literal["own", "shared"] = "own"
    """Whether PIM instructions have a way of their own to a channel, or share the link.

    `shared`: instructions and writes of the PIM program keep in line, and it shares a link with the NPU program that
    takes a request of each in turn; `per_cycle` then has no effect on a channel.
    """


class PimSpec(Spec):
    """A PIM unit per bank, a vector buffer per channel, and the rules that their commands keep."""

    row_buffers: Literal["single", "dual"]
    """`dual`: each bank has a second row buffer for PIM; `single`: PIM and memory share one (blocked mode)."""
    composite_gemv: bool
    """Whether one PIM_GEMV stands for n PIM_MACs and one PIM_READ."""
    macs_per_bank: PositiveInt
    """Multiply-accumulates of one PIM_MAC in one bank."""
    vector_buffer_bytes: PositiveInt
    """Global vector buffer of a channel, shared by its banks."""
    vector_buffers: Literal[1, 2] = 1
    """With 2, a PIM_GWRITE fills the one that the tile before it does not use, beside that tile's last MACs."""
    gwrite_ns: PositiveFloat
    """Time in which PIM_GWRITE copies an open row into the vector buffer."""
    gwrite_overlap: bool = False
    """Whether header and activations of the next tile issue during a PIM_GWRITE; only its MACs wait. Needs dual row
    buffers, since the PIM_GWRITE reads a memory-side one, and the exact deadline."""
    adder_tree_macs: PositiveInt = 6
    """Shortest series of MACs: the adder tree fills in this many."""
    queue: PositiveInt = 32
    """PIM transactions that a channel holds (dual row buffers; a single one shares the read queue)."""
    command_queue: PositiveInt = 128
    precharge_scope: Literal["bank", "bank_group", "all"] = "bank"
    """Row buffers closed by one PIM_PRE."""
    front_end: FrontEnd = FrontEnd()
    gemv_end: Literal["last_mac", "issue"] = "last_mac"
    """When a PIM_GEMV lets go of its banks: after its MACs, or (published simulator) as if at its issue."""
    activation_window: Literal["shared", "separate"] = "shared"
    """Whether group activations count as four in the tFAW window, or have a window of their own."""
    row_timing: Literal["complete", "published"] = "complete"
    """Whether tRAS, tRP and tRC hold for both row buffers, or only as far as in the published simulator."""
    column_gaps: Literal["symmetric", "published"] = "symmetric"
    """RD/WR to PIM_GEMV gaps: the longer one for every bank group, or 0 inside the same group."""
    deadline: Literal["exact", "published"] = "exact"
    """Estimate of the time that a tile needs before the next refresh."""
    ordered_writes: bool = True
    """Whether PIM_GWRITE and PIM_HEADER wait for posted writes to the rows that they read."""
    second_row_buffer_area: float = Field(0.0, ge=0)
    """What the second row buffers add to the area of the DRAM, as a share of it; 0 with single ones."""

    @model_validator(mode="after")
    def _overlap_has_room(self) -> Self:
        if self.gwrite_overlap and (self.row_buffers == "single" or self.deadline == "published"):
            raise ValueError("gwrite_overlap needs row_buffers 'dual' and deadline 'exact'")
        return self
