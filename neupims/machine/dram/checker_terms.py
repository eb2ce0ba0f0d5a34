"""What the protocol checker speaks of: commands as issued, violations, places in a channel, and clocks.

The checker is written from the rules alone and shares no code with what it audits.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from neupims.hardware.memory import MemorySpec
from neupims.isa.commands import Command
from neupims.units import cycles

NEVER = -(1 << 60)
"""Cycle of an event that has not happened; every gap after it is long enough."""

CLOSED = -1
"""Row of a row buffer that holds none."""


class Issue(NamedTuple):
    """One command of a channel, as its trace has it."""

    cycle: int
    command: Command
    bank: int
    row: int
    macs: int

    def __str__(self) -> str:
        place = f" of bank {self.bank}" if self.bank >= 0 else ""
        return f"{self.command.name}{place} at cycle {self.cycle}"


class Finding(NamedTuple):
    """A rule that a command broke, and how, in a sentence."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule: which command broke it, the short name of the rule, and a sentence."""

    cycle: int
    channel: int
    command: Command
    bank: int
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Geometry:
    """Banks of one channel, counted flat: (rank * bank_groups + group) * banks_per_group + bank."""

    ranks: int
    banks_per_rank: int
    banks_per_group: int

    @classmethod
    def of(cls, memory: MemorySpec) -> Self:
        """Geometry of one channel of `memory`."""
        org = memory.organization
        return cls(org.ranks, org.bank_groups * org.banks_per_group, org.banks_per_group)

    @property
    def banks(self) -> int:
        """Banks of the channel."""
        return self.ranks * self.banks_per_rank

    @property
    def groups(self) -> int:
        """Bank groups of the channel, over all ranks."""
        return self.banks // self.banks_per_group

    def group(self, bank: int) -> int:
        """Bank group of a bank, counted over the channel."""
        return bank // self.banks_per_group

    def rank(self, bank: int) -> int:
        """Rank of a bank."""
        return bank // self.banks_per_rank

    def group_of(self, bank: int) -> range:
        """Banks that share a bank group with `bank`."""
        first = self.group(bank) * self.banks_per_group
        return range(first, first + self.banks_per_group)

    def rank_of(self, bank: int) -> range:
        """Banks that share a rank with `bank`."""
        first = self.rank(bank) * self.banks_per_rank
        return range(first, first + self.banks_per_rank)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Timing parameters in clock cycles; `burst` is the time that one column access holds the data bus."""

    burst: int
    cl: int
    cwl: int
    rcd_rd: int
    rcd_wr: int
    rp: int
    ras: int
    rrd_s: int
    rrd_l: int
    faw: int
    wr: int
    ccd_s: int
    ccd_l: int
    wtr_s: int
    wtr_l: int
    rtp: int
    rtrs: int
    rfc: int
    refi: int

    @classmethod
    def of(cls, memory: MemorySpec) -> Self:
        """Timing of `memory`, each parameter rounded up to whole cycles; two beats per clock.

        A rank with one bank group has none: tCCD_S holds between all its column accesses.
        """
        timing = memory.timing.model_dump()
        counts = {name[2:-3]: cycles(ns, memory.clock_ghz) for name, ns in timing.items()}
        if memory.organization.bank_groups == 1:
            counts["ccd_l"] = counts["ccd_s"]
        return cls(burst=-(-memory.organization.burst_length // 2), **counts)

    @property
    def rc(self) -> int:
        """From one activation of a row buffer to the next."""
        return self.ras + self.rp

    @property
    def column(self) -> int:
        """Pace of PIM column accesses, and of bursts in different bank groups."""
        return max(self.burst, self.ccd_s)

    @property
    def read_to_write(self) -> int:
        """From a read to a write: the read's burst and a turn of the bus come first."""
        return self.cl + self.burst - self.cwl + self.rtrs

    def write_to_read(self, wtr: int) -> int:
        """From a write to a read in the same rank, `wtr` after the write's burst."""
        return self.cwl + self.burst + wtr

    @property
    def write_to_precharge(self) -> int:
        """From a write to the precharge of its bank."""
        return self.cwl + self.burst + self.wr
