"""Which memory command issues: round robin over the bank queues, first ready inside a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neupims.isa.commands import Command
from neupims.machine.dram.pim_arbiter import holds_activation
from neupims.machine.dram.queues import Access
from neupims.machine.dram.state import CLOSED

if TYPE_CHECKING:
    from neupims.machine.dram.interpreter import Channel


def memory_step(channel: Channel) -> bool:
    """Issue the first command that is ready, starting behind the bank that was served last."""
    state, geometry = channel.state, channel.gates.geometry
    for step in range(1, geometry.banks + 1):
        bank = (state.pointer + step) % geometry.banks
        if state.in_refresh and geometry.around("rank", bank)[1] == state.refreshes[0]:
            continue
        if _serve(channel, bank):
            state.pointer = bank
            return True
    return False


def _serve(channel: Channel, bank: int) -> bool:
    state, queue = channel.state, channel.state.bank_queues[bank]
    for place, access in enumerate(queue):
        if state.reserved_row == access.row or (state.gwriting and state.gwrite_bank == bank):
            continue
        command = _needed(channel, access)
        if _allowed(channel, command, place, queue) and _issue(channel, command, access):
            return True
    return False


def _needed(channel: Channel, access: Access) -> Command:
    state, bank = channel.state, access.bank
    if state.memory_rows[bank] == access.row:
        return access.command
    if state.memory_rows[bank] != CLOSED:
        return Command.PRE
    if channel.dual and state.pim_rows[bank] == access.row:
        return Command.PIM_PRE
    return Command.ACT


def _allowed(channel: Channel, command: Command, place: int, queue: list[Access]) -> bool:
    if command is Command.PRE and not _may_close(channel, place, queue):
        return False
    if command is Command.WR and any(not a.write and a.address == queue[place].address for a in queue[:place]):
        return False
    if command is Command.ACT and holds_activation(channel, queue[place].bank):
        return False
    return _fits_slack(channel, command)


def _may_close(channel: Channel, place: int, queue: list[Access]) -> bool:
    """Only the head of a queue closes a row, and not before waiting hits, up to a limit."""
    bank = queue[place].bank
    open_row = channel.state.memory_rows[bank]
    if place > 0:
        return False
    hits_wait = any(access.row == open_row for access in queue)
    return not hits_wait or channel.state.hits[bank] >= channel.memory.controller.row_hit_limit


def _fits_slack(channel: Channel, command: Command) -> bool:
    """While PIM work is queued, what would delay it past the refresh is left."""
    state, t = channel.state, channel.gates.t
    if state.slack <= 0 or not state.pim_commands:
        return True
    needs = {Command.PRE: t["tRP"] + t["tRCDWR"], Command.ACT: t["tRCDWR"]}
    return state.slack > needs.get(command, 0)


def _issue(channel: Channel, command: Command, access: Access) -> bool:
    state, bank, t = channel.state, access.bank, channel.gates.t
    sharing = state.slack > 0 and bool(state.pim_commands)
    if command is Command.PIM_PRE:
        return channel.close_pim_row(bank)
    row = -1 if command is Command.PRE else access.row
    if not channel.issue_if_ready(command, bank, row):
        return False
    if sharing:
        state.slack -= {Command.PRE: t["tRP"], Command.ACT: t["tRCDWR"]}.get(command, 0)
    if command in (Command.RD, Command.WR):
        state.hits[bank] += 1
        state.bank_queues[bank].remove(access)
        if command is Command.RD:
            _answer(channel, access)
    return True


def _answer(channel: Channel, access: Access) -> None:
    """The data of a RD answer its access and all others that have been merged with it."""
    state, t = channel.state, channel.gates.t
    cycle = state.cycle + t["tCL"] + t["tBURST"]
    answered = [access, *(other for other in state.merged if other.address == access.address)]
    state.merged = [other for other in state.merged if other.address != access.address]
    state.reads_out -= len(answered)
    for each in answered:
        channel.answer(each.block, cycle)
