"""Which PIM command issues: the head of the in-order PIM queue, or what it needs first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neupims.isa.commands import Command
from neupims.machine.dram.deadline import (
    Tile,
    exact_gwrite,
    exact_tile,
    published_gwrite,
    published_tile,
    stale_banks,
)
from neupims.machine.dram.gates import ALL
from neupims.machine.dram.state import CLOSED

if TYPE_CHECKING:
    from neupims.machine.dram.interpreter import Channel

SLACK_TO_SHARE = 10
"""While a PIM command waits, memory commands need at least this much slack."""


def pim_step(channel: Channel) -> bool:
    """Let PIM have the cycle; True when it took it or wants it kept free."""
    state = channel.state
    if channel.pim is None or state.skip_pim:
        return False
    if channel.blocked:
        if not state.memory_idle and not state.pim_mode:
            return False
        if state.pim_commands and not state.in_refresh:
            _try_head(channel)
        return True
    if not state.pim_commands or state.in_refresh:
        return False
    return _try_head(channel) or _keeps_slot(channel)


def _keeps_slot(channel: Channel) -> bool:
    """Whether a cycle in which the head cannot issue is kept free: for want of slack, or for a refresh.

    A refresh waits for an open tile. When a rank is due once more than it may be, writes may have kept the tile from
    its MACs all along.
    """
    assert channel.pim is not None
    most = channel.memory.organization.ranks + channel.memory.controller.refresh_postpone
    late = channel.pim.deadline == "exact" and len(channel.state.refreshes) > most
    return late or channel.state.slack < SLACK_TO_SHARE


def _try_head(channel: Channel) -> bool:
    head = channel.state.pim_commands[0]
    alone = channel.pim is not None and not channel.pim.gwrite_overlap
    if head.command is Command.PIM_GWRITE or (channel.state.gwriting and alone):
        return _gwrite(channel)
    if head.command is Command.PIM_HEADER:
        return _header(channel)
    return _compute(channel)


def _deadline_met(channel: Channel, estimate: int) -> bool:
    """Published: in the cycle before a refresh is due the whole next interval seems to be left."""
    assert channel.pim is not None
    state, left = channel.state, channel.cycles_to_refresh()
    if channel.pim.deadline == "exact" and left == channel.gates.t["tREFTICK"]:
        left = 0
    left += channel.postponed_cycles() - estimate
    state.slack = max(left, 0)
    state.skip_pim = left <= 0
    return left > 0


def _gwrite(channel: Channel) -> bool:
    """A GWRITE is tested once, keeps its bank and, unless they overlap, lets no other PIM command in until its end."""
    state, head = channel.state, channel.state.pim_commands[0]
    if not state.gwriting:
        if not _deadline_met(channel, _gwrite_estimate(channel)):
            return False
        state.gwriting, state.gwrite_bank = True, head.bank
    if head.command is not Command.PIM_GWRITE or state.gwrite_end >= 0:
        return False
    if not _open_for_gwrite(channel, head.bank, head.row):
        return False
    if channel.issued[-1].command is Command.PIM_GWRITE:
        state.gwrite_end = state.cycle + channel.gates.t["tGWRITE"]
        state.pim_commands.popleft()
    return True


def _open_for_gwrite(channel: Channel, bank: int, row: int) -> bool:
    state = channel.state
    if state.memory_rows[bank] == row:
        return channel.issue_if_ready(Command.PIM_GWRITE, bank, row)
    if state.memory_rows[bank] != CLOSED:
        return channel.issue_if_ready(Command.PRE, bank)
    if channel.dual and state.pim_rows[bank] == row:
        return channel.close_pim_row(bank)
    return channel.issue_if_ready(Command.ACT, bank, row)


def _gwrite_estimate(channel: Channel) -> int:
    assert channel.pim is not None
    state, head = channel.state, channel.state.pim_commands[0]
    open_row = state.memory_rows[head.bank]
    if channel.pim.deadline == "published":
        return published_gwrite(channel.gates, open_row, head.row)
    return exact_gwrite(channel.gates, open_row, head.row, head.bank, state.cycle)


def _header(channel: Channel) -> bool:
    """A header is tested every cycle, closes stale rows, and issues once there are none."""
    assert channel.pim is not None
    state, head = channel.state, channel.state.pim_commands[0]
    if not _deadline_met(channel, _tile_estimate(channel)):
        return False
    state.reserved_row = head.row
    state.pim_mode = channel.blocked
    waits, stale = False, stale_banks(channel.gates, channel.pim, state.pim_rows, head.row)
    for bank in range(channel.gates.geometry.banks):
        if channel.dual and state.pim_rows[bank] == CLOSED and state.memory_rows[bank] == head.row:
            if channel.issue_if_ready(Command.PRE, bank):
                return True
        elif bank not in stale:
            continue
        elif channel.close_pim_row(bank):
            return True
        waits = True
    if waits:
        return False
    channel.issue(Command.PIM_HEADER, 0, head.row, head.groups * head.macs, ALL)
    state.tile_open, state.tile_row = True, head.row
    state.pim_commands.popleft()
    return True


def _tile_estimate(channel: Channel) -> int:
    assert channel.pim is not None
    state, head = channel.state, channel.state.pim_commands[0]
    tile = Tile(head.row, head.groups, head.macs)
    if channel.pim.deadline == "published":
        return published_tile(channel.gates, state.pim_rows, tile)
    return exact_tile(channel.gates, channel.pim, state.pim_rows, tile, state.cycle)


def _compute(channel: Channel) -> bool:
    """PIM_GEMV, PIM_MAC and PIM_READ; a MAC needs every bank open, group after group."""
    state, head = channel.state, channel.state.pim_commands[0]
    if head.command is not Command.PIM_READ and CLOSED in state.pim_rows:
        return _activate(channel, head.row)
    if not channel.issue_if_ready(head.command, 0, -1, head.macs, ALL):
        return False
    state.pim_commands.popleft()
    state.mac_steps += head.macs if head.command is Command.PIM_GEMV else head.command is Command.PIM_MAC
    if head.command is not Command.PIM_MAC:
        channel.blocks.complete(head.block, channel.result_cycle(head.command, head.macs))
    if head.last:
        _end_tile(channel)
    return True


def _end_tile(channel: Channel) -> None:
    """Published, dual: the row stays reserved until the next header or refresh."""
    assert channel.pim is not None
    state = channel.state
    state.tile_open = False
    if channel.blocked:
        state.pim_mode, state.slack = False, 0
    if channel.blocked or channel.pim.ordered_writes:
        state.reserved_row = CLOSED


def _activate(channel: Channel, row: int) -> bool:
    """PIM_ACT for the first group, in order, that has a closed bank and may be opened."""
    geometry = channel.gates.geometry
    for group in range(geometry.banks // geometry.per["group"]):
        members = geometry.members["group", group]
        closed = [b for b in members if channel.state.pim_rows[b] == CLOSED]
        if closed and channel.issue_if_ready(Command.PIM_ACT, members[0], row, 0, ("group", group), closed):
            return True
    return False


def holds_activation(channel: Channel, bank: int) -> bool:
    """Whether an ordinary ACT in the rank of `bank` would push back a group activation that is due.

    Only where both share a tFAW window: without this, ordinary ACTs would starve the group's.
    """
    state = channel.state
    if channel.pim is None or channel.pim.activation_window != "shared" or not state.tile_open:
        return False
    members = channel.gates.geometry.members[channel.gates.geometry.around("rank", bank)]
    return any(state.pim_rows[b] == CLOSED for b in members)
