"""DRAM: organisation, timing, controller and energy of one memory system."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from neupims.hardware.base import ClockGhz, Spec

POSTPONED = 8
"""Refreshes of a rank that JEDEC standards (JESD79-4, JESD235) let a controller postpone."""
AddressField = Literal["row", "rank", "group", "bank", "column", "channel"]


class Organization(Spec):
    """How many of each, from channels down to the bytes of a row."""

    channels: PositiveInt
    ranks: PositiveInt
    """Ranks (pseudo channels that share the command bus) per channel."""
    bank_groups: PositiveInt
    """Bank groups per rank."""
    banks_per_group: PositiveInt
    rows: PositiveInt
    """Rows per bank."""
    row_bytes: PositiveInt
    """Bytes of one row in one bank, that is of one row buffer."""
    burst_length: PositiveInt = Field(multiple_of=2)
    """Beats of one column access, two per clock."""
    bus_bits: PositiveInt = Field(multiple_of=8)
    """Width of the data bus of one channel."""

    @property
    def banks(self) -> int:
        """Banks per channel, over all ranks and groups."""
        return self.ranks * self.bank_groups * self.banks_per_group

    @property
    def burst_bytes(self) -> int:
        """Bytes moved by one RD or WR."""
        return self.burst_length * self.bus_bits // 8

    @property
    def bursts_per_row(self) -> int:
        """Column accesses that one row holds."""
        return self.row_bytes // self.burst_bytes

    @property
    def channel_bytes(self) -> int:
        """Capacity of one channel."""
        return self.banks * self.rows * self.row_bytes

    @property
    def bytes(self) -> int:
        """Capacity of the device."""
        return self.channels * self.channel_bytes

    @model_validator(mode="after")
    def _rows_hold_whole_bursts(self) -> Self:
        if self.row_bytes % self.burst_bytes:
            raise ValueError(f"row_bytes {self.row_bytes} is not a multiple of the burst of {self.burst_bytes} bytes")
        return self


class MemoryTiming(Spec):
    """JEDEC timing parameters in nanoseconds; the names are those of the standard."""

    t_cl_ns: PositiveFloat
    t_cwl_ns: PositiveFloat
    t_rcd_rd_ns: PositiveFloat
    t_rcd_wr_ns: PositiveFloat
    t_rp_ns: PositiveFloat
    t_ras_ns: PositiveFloat
    t_rrd_s_ns: PositiveFloat
    t_rrd_l_ns: PositiveFloat
    t_faw_ns: PositiveFloat
    t_wr_ns: PositiveFloat
    t_ccd_s_ns: PositiveFloat
    t_ccd_l_ns: PositiveFloat
    t_wtr_s_ns: PositiveFloat
    t_wtr_l_ns: PositiveFloat
    t_rtp_ns: PositiveFloat
    t_rtrs_ns: PositiveFloat
    t_rfc_ns: PositiveFloat
    t_refi_ns: PositiveFloat


class Controller(Spec):
    """Queues and policies of the memory controller of one channel."""

    read_queue: PositiveInt = 32
    write_buffer: PositiveInt = 32
    bank_queue: PositiveInt = 128
    """Commands that the queue of one bank holds."""
    responses_per_cycle: PositiveInt | None = None
    """Answers to reads and writes that leave a channel in one cycle; none sets no limit."""
    outstanding: PositiveInt = 4352
    """Requests that may be accepted and not yet answered."""
    accepts_per_cycle: PositiveInt = 2
    """Requests that each port hands over in one DRAM cycle (a 2 GHz crossbar at 1 GHz DRAM)."""
    row_hit_limit: PositiveInt = 4
    """Column accesses after which an open row may be closed although more hits wait."""
    drain_above: NonNegativeInt = 8
    """Posted writes start to drain above this count when the bank queues are empty."""
    merge_duplicates: bool = False
    """Whether a read of an address that is waiting to be read, or a write to one that is waiting to be written, is
    answered with the earlier one and needs no command of its own."""
    refresh: Literal["rank_staggered", "off"] = "rank_staggered"
    refresh_postpone: NonNegativeInt = 0
    """Refreshes, over all ranks, that may be due before a channel with PIM work stops for them; then it catches up."""


class DramEnergy(Spec):
    """Currents of one rank, in mA at `vdd_v`; energies of commands follow from them."""

    vdd_v: PositiveFloat
    idd0_ma: PositiveFloat
    idd2n_ma: PositiveFloat
    idd3n_ma: PositiveFloat
    idd4r_ma: PositiveFloat
    idd4w_ma: PositiveFloat
    idd5ab_ma: PositiveFloat


class MemorySpec(Spec):
    """One memory system: what a device's channels are made of."""

    organization: Organization
    clock_ghz: ClockGhz
    """Command clock; one command per channel and cycle."""
    address_map: tuple[AddressField, ...] = ("row", "rank", "group", "bank", "column", "channel")
    """Fields of a linear address from the most significant one, above the bytes of a burst."""
    timing: MemoryTiming
    controller: Controller = Controller()
    energy: DramEnergy

    @model_validator(mode="after")
    def _address_map_is_a_permutation(self) -> Self:
        allowed = ("row", "rank", "group", "bank", "column", "channel")
        if sorted(self.address_map) != sorted(allowed):
            raise ValueError(f"address_map must name each of {', '.join(allowed)} once")
        return self

    @model_validator(mode="after")
    def _refresh_is_not_too_late(self) -> Self:
        ranks, postpone = self.organization.ranks, self.controller.refresh_postpone
        if postpone >= POSTPONED * ranks:
            raise ValueError(
                f"controller.refresh_postpone {postpone} must be less than {POSTPONED * ranks}: JEDEC lets {POSTPONED} "
                f"refreshes of each of organization.ranks {ranks} wait"
            )
        return self

    @model_validator(mode="after")
    def _refresh_leaves_time(self) -> Self:
        share = self.timing.t_refi_ns / self.organization.ranks
        if self.controller.refresh != "off" and self.timing.t_rfc_ns >= share:
            raise ValueError(
                f"timing.t_rfc_ns {self.timing.t_rfc_ns:g} must be less than timing.t_refi_ns / organization.ranks, "
                f"that is {share:g}: refresh would leave no time for anything else"
            )
        return self

    @property
    def bandwidth_gb_s(self) -> float:
        """Peak bandwidth of all channels in GB/s (two beats per clock)."""
        org = self.organization
        return org.channels * org.bus_bits / 8 * 2 * self.clock_ghz
