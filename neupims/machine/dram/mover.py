"""Which transaction moves to a command queue: reads, writes that drain, or what PIM has waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neupims.isa.commands import Command
from neupims.machine.dram.queues import Access, PimTransaction

if TYPE_CHECKING:
    from neupims.machine.dram.interpreter import Channel

PIM_AHEAD = 2
"""PIM commands that are kept ready; below this, PIM transactions move before reads."""


def move_transaction(channel: Channel) -> None:
    """Move the first transaction that may, of the queue whose turn it is."""
    state = channel.state
    held = _held_by_write(channel)
    _start_draining(channel, held)
    queue = _queue_to_serve(channel, held)
    for transaction in queue:
        if isinstance(transaction, PimTransaction):
            if held:
                continue
            assert channel.pim is not None
            if len(state.pim_commands) < channel.pim.command_queue:
                state.pim_commands.append(transaction)
                state.pim_waiting.remove(transaction)
                return
        elif not _tile_goes_first(channel) and _has_room(channel, transaction.bank):
            if not transaction.write or _may_write(channel, transaction):
                _move_access(channel, transaction)
            return


def _tile_goes_first(channel: Channel) -> bool:
    """One row buffer: inside a tile only its own transactions move (published: others may get in between)."""
    return channel.blocked and channel.ordered and channel.state.pim_mode


def _tile_starves(channel: Channel) -> bool:
    """Two row buffers: an open tile whose next command has not moved yet; banks may wait for it.

    Published: a read that goes first because of its address holds it back, for good if that read waits for the tile.
    """
    state = channel.state
    waits = state.tile_open and not state.pim_commands and bool(state.pim_waiting)
    return channel.dual and channel.ordered and waits


def _has_room(channel: Channel, bank: int) -> bool:
    if channel.blocked and channel.state.pim_commands:
        return False
    return len(channel.state.bank_queues[bank]) < channel.memory.controller.bank_queue


def _move_access(channel: Channel, access: Access) -> None:
    state = channel.state
    state.bank_queues[access.bank].append(access)
    if access.write:
        state.draining -= 1
        state.writes.remove(access)
        return
    state.reads.remove(access)
    if state.locked == access.address:
        state.locked = None


def _may_write(channel: Channel, access: Access) -> bool:
    """A write waits for earlier reads of its address, and lets them go first."""
    state = channel.state
    waiting = [r for r in state.reads if isinstance(r, Access)]
    queued = any(not q.write and q.address == access.address for q in state.bank_queues[access.bank])
    if any(r.address == access.address for r in waiting):
        state.locked = access.address
    elif not queued and (channel.ordered or not _gwrite_reads(channel, access)):
        return True
    state.draining = 0
    return False


def _gwrite_reads(channel: Channel, access: Access) -> bool:
    """Published: whether a GWRITE that was accepted before has the same address."""
    state = channel.state
    pim = [t for t in (*state.pim_waiting, *state.pim_commands) if isinstance(t, PimTransaction)]
    gwrites = [t for t in pim if t.command is Command.PIM_GWRITE and t.since < access.since]
    return any((t.bank, t.row, t.groups) == access.address for t in gwrites)


def _start_draining(channel: Channel, held: bool) -> None:
    state, limits = channel.state, channel.memory.controller
    if state.locked is not None or state.draining:
        return
    many = len(state.writes) > limits.drain_above and state.memory_idle
    if len(state.writes) >= limits.write_buffer or many or held:
        state.draining = len(state.writes)


def _queue_to_serve(channel: Channel, held: bool) -> list[Access] | list[Access | PimTransaction]:
    state = channel.state
    if _tile_starves(channel):
        return state.pim_waiting
    if state.locked is not None or _tile_goes_first(channel):
        return state.reads
    if channel.blocked or held or not state.pim_waiting:
        return state.writes if state.draining else state.reads
    if state.draining and len(state.pim_commands) >= PIM_AHEAD:
        return state.writes
    return state.pim_waiting if len(state.pim_commands) < PIM_AHEAD or not state.reads else state.reads


def _held_by_write(channel: Channel) -> bool:
    """Whether the next PIM transaction reads a row to which a posted write has yet to go."""
    state = channel.state
    if not channel.ordered:
        return False
    if channel.dual and len(state.pim_commands) >= PIM_AHEAD and state.reads:
        return False
    head = next((t for t in state.pim_waiting if isinstance(t, PimTransaction)), None)
    if head is None or head.command not in (Command.PIM_GWRITE, Command.PIM_HEADER):
        return False
    queues = [state.writes, *state.bank_queues]
    return any(a.write and a.feeds_pim and _same_row(head, a) for queue in queues for a in queue)


def _same_row(head: PimTransaction, access: Access) -> bool:
    return head.row == access.row and (head.command is Command.PIM_HEADER or head.bank == access.bank)
