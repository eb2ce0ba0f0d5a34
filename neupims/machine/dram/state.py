"""The state of one channel in the readable interpreter, and the blocks that channels complete."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.queues import Access, PimTransaction

CLOSED = -1


class Issued(NamedTuple):
    """One issued command; see `isa.memory.TRACE`."""

    cycle: int
    command: Command
    bank: int
    row: int
    macs: int


@dataclass(slots=True)
class Blocks:
    """Parts that each block still waits for, and when its last part was complete."""

    left: list[int] = field(default_factory=list[int])
    done: list[int] = field(default_factory=list[int])
    finished: list[int] = field(default_factory=list[int])
    """Blocks that became complete since the last look."""

    def complete(self, block: int, cycle: int) -> None:
        """One part of `block` is complete at `cycle`; block -1 is nobody's."""
        if block < 0:
            return
        self.left[block] -= 1
        self.done[block] = max(self.done[block], cycle)
        if self.left[block] == 0:
            self.finished.append(block)

    def is_complete(self, block: int, cycle: int) -> bool:
        """Whether all parts were complete by `cycle`."""
        return self.left[block] == 0 and self.done[block] <= cycle


@dataclass(slots=True)
class ChannelState:
    """Everything that changes in a channel, except its gates."""

    memory_rows: list[int]
    """Open row of each bank's memory-side buffer, or CLOSED."""
    pim_rows: list[int]
    """The same for the PIM side; the very same list where there is one row buffer."""
    hits: list[int]
    """Column accesses since a bank's row was opened."""
    bank_queues: list[list[Access]]
    reads: list[Access | PimTransaction]
    """Reads; PIM transactions too where there is one row buffer."""
    pim_waiting: list[Access | PimTransaction]
    """PIM transactions; the same list as `reads` where there is one row buffer."""
    writes: list[Access]
    pim_commands: deque[PimTransaction] = field(default_factory=deque[PimTransaction])
    returns: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Cycle and block of each answer on its way to the controller."""
    responses: deque[int] = field(default_factory=deque[int])
    """Blocks of the answers that wait to leave the channel."""
    """Cycles at which accepted requests will have been answered."""
    reads_out: int = 0
    """Reads accepted whose RD has not issued."""
    merged: list[Access] = field(default_factory=list[Access])
    """Reads among them that an earlier one of the same address will answer."""
    cycle: int = 0
    pointer: int = 0
    """Bank queue at which the last command was found."""
    draining: int = 0
    """Writes that go before reads."""
    locked: tuple[int, int, int] | None = None
    """Address whose waiting read goes before everything else."""
    refreshes: deque[int] = field(default_factory=deque[int])
    """Ranks whose refresh is due."""
    next_rank: int = 0
    catching_up: bool = False
    """More refreshes than may be postponed were due, and some of them still are."""
    in_refresh: bool = False
    skip_pim: bool = False
    """PIM waits for the next refresh."""
    slack: int = 0
    """Cycles to the next refresh that the PIM operation at hand leaves over."""
    reserved_row: int = CLOSED
    """Row that PIM works on."""
    gwriting: bool = False
    gwrite_bank: int = CLOSED
    gwrite_end: int = -1
    """Cycle at which the current GWRITE is complete, once it has issued."""
    pim_mode: bool = False
    """Single row buffer: between a header and the last result of its tile."""
    tile_open: bool = False
    """Between a header and the last PIM_GEMV or PIM_READ of its tile."""
    tile_row: int = CLOSED
    pim_busy: int = 0
    mac_steps: int = 0

    @property
    def memory_idle(self) -> bool:
        """Whether no bank queue holds a command."""
        return not any(self.bank_queues)


def new_state(memory: MemorySpec, pim: PimSpec | None) -> ChannelState:
    """A channel at rest, all banks closed."""
    banks = memory.organization.banks
    single = pim is not None and pim.row_buffers == "single"
    rows = [CLOSED] * banks
    reads: list[Access | PimTransaction] = []
    return ChannelState(
        memory_rows=rows,
        pim_rows=rows if single else [CLOSED] * banks,
        hits=[0] * banks,
        bank_queues=[[] for _ in range(banks)],
        reads=reads,
        pim_waiting=reads if single else [],
        writes=[],
    )
