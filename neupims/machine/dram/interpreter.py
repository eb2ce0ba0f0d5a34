"""One memory channel, cycle by cycle: the readable reference of the compiled engine.

Each cycle: requests enter the transaction queues, the refresh timer ticks, one command issues
(refresh before PIM before memory), and one transaction moves to a command queue. The arbitration is
that of the published NeuPIMs simulator; switches of `PimSpec` say where a system departs from it.
"""

from collections import Counter
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.isa.memory import transactions
from neupims.machine.dram.deadline import SCOPES
from neupims.machine.dram.gates import ALL, Gates, Place
from neupims.machine.dram.link import Link
from neupims.machine.dram.memory_arbiter import memory_step
from neupims.machine.dram.mover import move_transaction
from neupims.machine.dram.pim_arbiter import pim_step
from neupims.machine.dram.queues import Access, PimPort, PimTransaction, Port
from neupims.machine.dram.rules import RESULT, cycles_of
from neupims.machine.dram.state import CLOSED, Blocks, Issued, new_state

PIM_PROGRAM = 1
"""Port of the PIM program's reads and writes."""


class Channel:
    """A channel with its controller. `tick` runs one cycle."""

    def __init__(self, memory: MemorySpec, pim: PimSpec | None, blocks: Blocks) -> None:
        self.memory, self.pim, self.blocks = memory, pim, blocks
        self.gates = Gates(memory, pim)
        self.state = new_state(memory, pim)
        self.ports = (Port(), Port())
        self.pim_port = PimPort(pim is not None and pim.composite_gemv)
        self.dual = pim is not None and pim.row_buffers == "dual"
        self.blocked = pim is not None and not self.dual
        self.ordered = pim is not None and pim.ordered_writes
        self.rate = Fraction(str(pim.front_end.per_cycle)) if pim else Fraction(0)
        self.in_line = pim is not None and pim.front_end.path == "shared"
        self.tickets = 0
        self.link = Link()
        self.issued: list[Issued] = []
        self.counts: Counter[Command] = Counter()

    def tick(self) -> None:
        """Run one cycle."""
        self._accept()
        self._retire()
        self._refresh_timer()
        if not self._refresh_step() and not pim_step(self):
            memory_step(self)
        move_transaction(self)
        self.state.pim_busy += bool(self.state.pim_commands)
        self.state.cycle += 1

    @property
    def busy(self) -> bool:
        """Whether anything is queued."""
        state = self.state
        queues = (state.reads, state.writes, state.pim_waiting, state.pim_commands, self.pim_port.waiting)
        answers = self.memory.controller.responses_per_cycle and (state.returns or state.responses)
        return bool(any(queues) or not state.memory_idle or any(port.runs for port in self.ports) or answers)

    # Requests enter -------------------------------------------------------------------------

    def submit(self, runs: NDArray[Any], port: int) -> None:
        """Queue RUNs of this channel at a port."""
        self.tickets += 1
        self.ports[port].append(runs, self.tickets)
        self.link.unsent[port] += int(runs["bursts"].sum())

    def submit_pim(self, instructions: NDArray[Any]) -> None:
        """Append INSTRUCTIONs of this channel to its PIM program."""
        self.tickets += 1
        self.pim_port.append(instructions, self.tickets)
        self.link.unsent[PIM_PROGRAM] += int(transactions(instructions, self.pim_port.composite).sum())

    def _accept(self) -> None:
        if self.in_line:
            for _ in range(self.memory.controller.accepts_per_cycle):
                self._accept_from_link()
            return
        cycle = self.state.cycle
        pim_allowed = int((cycle + 1) * self.rate) - int(cycle * self.rate)
        accepts = self.memory.controller.accepts_per_cycle
        for step in range(max(accepts, pim_allowed)):
            moved = [step < accepts and self._accept_from(port) for port in self.ports]
            moved.append(step < pim_allowed and self._accept_pim())
            if not any(moved):
                return

    def _accept_from_link(self) -> None:
        """One turn of the link, then one request of each program."""
        self.link.step()
        came, side = self.link.came, self.ports[PIM_PROGRAM]
        if came[0]:
            came[0] -= self._accept_from(self.ports[0])
        if came[PIM_PROGRAM]:
            instruction = self.pim_port.before(side)
            came[PIM_PROGRAM] -= self._accept_pim() if instruction else self._accept_from(side)

    def _accept_from(self, port: Port) -> bool:
        head = port.head()
        if head is None or not self._take(head):
            return False
        port.pop()
        return True

    def _accept_pim(self) -> bool:
        if not self.pim_port.waiting or not self._take_pim(self.pim_port.waiting[0]):
            return False
        self.pim_port.pop()
        return True

    def _take(self, access: Access) -> bool:
        state, limits = self.state, self.memory.controller
        if state.reads_out + len(state.returns) >= limits.outstanding:
            return False
        if access.write:
            return len(state.writes) < limits.write_buffer and self._take_write(access)
        kept_for_pim = int(self.blocked and self.ordered)
        return len(state.reads) < limits.read_queue - kept_for_pim and self._take_read(access)

    def _take_write(self, access: Access) -> bool:
        earlier = self._waiting(access, write=True) if self.memory.controller.merge_duplicates else None
        if earlier is None:
            access.since = self.state.cycle
            self.state.writes.append(access)
        else:
            earlier.feeds_pim |= access.feeds_pim
        self.answer(access.block, self.state.cycle + 1)
        return True

    def _take_read(self, access: Access) -> bool:
        state = self.state
        if self._waiting(access, write=True):
            self.answer(access.block, state.cycle + 1)
            return True
        merges = self.memory.controller.merge_duplicates and self._waiting(access, write=False)
        (state.merged if merges else state.reads).append(access)
        state.reads_out += 1
        return True

    def _waiting(self, access: Access, write: bool) -> Access | None:
        """The write (read) of the same address whose command has yet to issue."""
        state = self.state
        queues = (state.writes if write else state.reads, state.bank_queues[access.bank])
        waiting = (other for queue in queues for other in queue if isinstance(other, Access) and other.write == write)
        return next((other for other in waiting if other.address == access.address), None)

    def answer(self, block: int, cycle: int) -> None:
        """An access of `block` is answered at `cycle`, or as soon after as the responses leave."""
        self.state.returns.append((cycle, block))
        if self.memory.controller.responses_per_cycle is None:
            self.blocks.complete(block, cycle)

    def _take_pim(self, transaction: PimTransaction) -> bool:
        assert self.pim is not None
        gate = transaction.gate
        if gate >= 0 and not self.blocks.is_complete(gate, self.state.cycle):
            return False
        room = self.memory.controller.read_queue if self.blocked else self.pim.queue
        if len(self.state.pim_waiting) >= room:
            return False
        transaction.since = self.state.cycle
        self.state.pim_waiting.append(transaction)
        return True

    def _retire(self) -> None:
        state = self.state
        due = [block for cycle, block in state.returns if cycle <= state.cycle]
        state.returns = [(cycle, block) for cycle, block in state.returns if cycle > state.cycle]
        if (rate := self.memory.controller.responses_per_cycle) is not None:
            state.responses.extend(due)
            for _ in range(min(rate, len(state.responses))):
                self.blocks.complete(state.responses.popleft(), state.cycle)
        if state.gwriting and 0 <= state.gwrite_end <= state.cycle:
            assert self.pim is not None
            state.gwriting, state.gwrite_end = False, -1
            state.slack = state.slack if self.pim.gwrite_overlap else 0

    # Refresh --------------------------------------------------------------------------------

    @property
    def refresh_on(self) -> bool:
        """Whether the memory needs refreshes at all."""
        return self.memory.controller.refresh != "off"

    def cycles_to_refresh(self) -> int:
        """Cycles until the next refresh is due, as the deadline tests count them."""
        tick = self.gates.t["tREFTICK"]
        return tick - (self.state.cycle + 1) % tick if self.refresh_on else 1 << 40

    def postponed_cycles(self) -> int:
        """Cycles by which that refresh, and the ones that are due, may wait for others."""
        more = self.memory.controller.refresh_postpone - len(self.state.refreshes)
        return max(more, 0) * self.gates.t["tREFTICK"]

    def _refresh_timer(self) -> None:
        state = self.state
        if self.refresh_on and state.cycle > 0 and state.cycle % self.gates.t["tREFTICK"] == 0:
            state.refreshes.append(state.next_rank)
            state.next_rank = (state.next_rank + 1) % self.memory.organization.ranks

    def _refresh_step(self) -> bool:
        """Close the rank that is due, bank by bank, then refresh it; True when a command issued."""
        state = self.state
        pim_waits = state.pim_commands or state.pim_waiting or self.pim_port.waiting
        most = self.memory.controller.refresh_postpone if pim_waits else 0
        state.catching_up |= len(state.refreshes) > most
        if not state.catching_up or self._refresh_waits_for_tile():
            return False
        state.in_refresh = True
        rank: Place = ("rank", state.refreshes[0])
        banks = self.gates.geometry.members[rank]
        for bank in banks:
            if state.memory_rows[bank] != CLOSED:
                if self.issue_if_ready(Command.PRE, bank):
                    return True
            elif state.pim_rows[bank] != CLOSED and self.close_pim_row(bank):
                return True
        closed = all(state.memory_rows[b] == state.pim_rows[b] == CLOSED for b in banks)
        return closed and self.issue_if_ready(Command.REF, banks[0], place=rank)

    def _refresh_waits_for_tile(self) -> bool:
        exact = self.pim is not None and self.pim.deadline == "exact"
        return exact and not self.state.in_refresh and (self.state.tile_open or self.state.gwriting)

    # Commands issue -------------------------------------------------------------------------

    def close_pim_row(self, bank: int) -> bool:
        """Close what PIM_ACT opened around `bank`, if that may issue now."""
        if not self.dual:
            return self.issue_if_ready(Command.PRE, bank)
        assert self.pim is not None
        place = self.gates.geometry.around(SCOPES[self.pim.precharge_scope], bank)
        if place[0] == "bank":
            return self.issue_if_ready(Command.PIM_PRE, bank)
        members = self.gates.geometry.members[place]
        open_banks = [b for b in members if self.state.pim_rows[b] != CLOSED]
        return self.issue_if_ready(Command.PIM_PRE, members[0], place=place, banks=open_banks)

    def issue_if_ready(
        self,
        command: Command,
        bank: int,
        row: int = -1,
        n: int = 0,
        place: Place | None = None,
        banks: list[int] | None = None,
    ) -> bool:
        """Issue `command` if its gates allow it in this cycle."""
        if not self.gates.ready(command, place or ("bank", bank), self.state.cycle, banks):
            return False
        self.issue(command, bank, row, n, place or ("bank", bank))
        return True

    def issue(self, command: Command, bank: int, row: int, n: int, place: Place) -> None:
        """Issue a command now: its gates, its row buffers, and the trace."""
        cycle, state = self.state.cycle, self.state
        for first in self._recorded(command, bank, place):
            self.gates.record(command, first, cycle, n)
        members = self.gates.geometry.members[place]
        if command is Command.ACT:
            state.memory_rows[bank], state.hits[bank] = row, 0
        elif command is Command.PRE:
            state.memory_rows[bank], state.hits[bank] = CLOSED, 0
        elif command is Command.PIM_ACT:
            for b in members:
                state.pim_rows[b] = row if state.pim_rows[b] == CLOSED else state.pim_rows[b]
        elif command is Command.PIM_PRE:
            for b in members:
                state.pim_rows[b] = CLOSED
        elif command is Command.REF:
            state.refreshes.popleft()
            state.catching_up = bool(state.refreshes)
            state.in_refresh = state.skip_pim = False
            state.slack, state.reserved_row = 0, CLOSED
        shown = -1 if place == ALL else bank
        macs = 0 if command is Command.PIM_MAC else n
        self.counts[command] += 1
        self.issued.append(Issued(cycle, command, shown, row, macs))

    def _recorded(self, command: Command, bank: int, place: Place) -> list[int]:
        if command is not Command.PIM_PRE:
            return [bank]
        return [b for b in self.gates.geometry.members[place] if self.state.pim_rows[b] != CLOSED]

    def result_cycle(self, command: Command, n: int) -> int:
        """When the result of a PIM_GEMV or PIM_READ that issues now is at the controller."""
        assert self.pim is not None
        end = self.pim.gemv_end if command is Command.PIM_GEMV else "issue"
        return self.state.cycle + cycles_of(RESULT[end], self.gates.t, n)
