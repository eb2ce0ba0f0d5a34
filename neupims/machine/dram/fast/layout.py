"""Where things are in the engine's arrays: names for columns, and the arrays themselves."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Commands, as in isa.Command (plain integers compile to constants).
ACT, PRE, RD, WR, REF, PIM_GWRITE, PIM_HEADER, PIM_ACT, PIM_MAC, PIM_READ, PIM_GEMV, PIM_PRE = range(12)
KINDS = 12

# Parameters, one for all channels.
(
    P_BANKS,
    P_RANKS,
    P_GROUPS,
    P_PER_GROUP,
    P_PER_RANK,
    P_READ_QUEUE,
    P_WRITE_BUFFER,
    P_BANK_QUEUE,
    P_PIM_QUEUE,
    P_PIM_COMMANDS,
    P_OUTSTANDING,
    P_TRACK_RETURNS,
    P_ACCEPTS,
    P_ROW_HITS,
    P_DRAIN_ABOVE,
    P_REFRESH,
    P_DUAL,
    P_BLOCKED,
    P_COMPOSITE,
    P_RATE_NUM,
    P_RATE_DEN,
    P_SCOPE,
    P_SHARED_WINDOW,
    P_COMPLETE_ROWS,
    P_EXACT,
    P_ORDERED,
    P_TRACE,
    P_READ_LATENCY,
    P_RP,
    P_RCD,
    P_RCDWR,
    P_RTP,
    P_FAW,
    P_CCDO,
    P_CCDR,
    P_MAC,
    P_TREE,
    P_GWRITE,
    P_TICK,
) = range(39)
PARAMETERS = 39

SCOPE_BANK, SCOPE_GROUP, SCOPE_ALL = range(3)

# State of a channel.
(
    S_CYCLE,
    S_POINTER,
    S_READS,  # transactions in the read queue
    S_WRITES,
    S_PIM_WAITING,  # transactions in the PIM queue (in the read queue where there is one row buffer)
    S_PIM_HEAD,
    S_COMMANDS,  # PIM commands
    S_COMMAND_HEAD,
    S_QUEUED,  # commands in all bank queues
    S_FEEDS,  # posted writes to rows that PIM reads
    S_DRAINING,
    S_LOCK_BANK,
    S_LOCK_ADDRESS,
    S_READS_OUT,
    S_RET_HEAD,
    S_RET,
    S_ACK_HEAD,
    S_ACK,
    S_REFRESHES,  # refreshes due
    S_REFRESH_RANK,  # rank of the first of them
    S_IN_REFRESH,
    S_SKIP_PIM,
    S_SLACK,
    S_RESERVED,
    S_GWRITING,
    S_GWRITE_BANK,
    S_GWRITE_END,
    S_PIM_MODE,
    S_TILE_OPEN,
    S_PIM_BUSY,
    S_MACS,
    S_PROG_SUB,  # transactions of the current PIM instruction that have been handed over
    S_PIM_WAKE,  # PIM's head cannot issue before
    S_MEMORY_WAKE,  # no memory command can issue before
    S_REFRESH_WAKE,  # the refresh step cannot issue before
    S_ACTIVE,  # whether anything happened in this cycle
    S_ISSUED,  # the last command
) = range(37)
SCALARS = 37

# A transaction: an access (address and feeds) or a PIM command.
T_COMMAND, T_BANK, T_ROW, T_MACS, T_GROUPS, T_BLOCK, T_LAST, T_GATE = range(8)
T_ADDRESS, T_FEEDS = 2, 3

# A port's run and a PIM instruction, in the order of isa.RUN and isa.INSTRUCTION without the channel.
R_BANK, R_ROW, R_COLUMN, R_BURSTS, R_WRITE, R_FEEDS, R_BLOCK = range(7)
I_KIND, I_BANK, I_ROW, I_GROUPS, I_MACS, I_BLOCK, I_GATE = range(7)

FAR = 1 << 60
CLOSED = -1
DIRTY = -2
"""A cached place in a queue that has to be looked up again."""


class Engine(NamedTuple):
    """All arrays of a memory; the first index is the channel unless said otherwise."""

    p: Ints
    """[parameter]"""
    s: Ints
    """[channel, scalar]"""
    rule_first: Ints
    """[command]: its first rule."""
    rule_scope: Ints
    rule_after: Ints
    rule_gap: Ints
    """[rule, n]"""
    rule_until: Ints
    """[rule, n]; below zero for ordinary rules."""
    results: Ints
    """[command, n]: cycles to the result."""
    channel_gate: Ints
    """[channel, command]"""
    rank_gate: Ints
    group_gate: Ints
    bank_gate: Ints
    dark_from: Ints
    """[channel, command]: kept out between these cycles."""
    dark_to: Ints
    acts: Ints
    """[channel, rank, 4]: ring of the last activations."""
    acts_n: Ints
    memory_row: Ints
    pim_row: Ints
    hits: Ints
    queue: Ints
    """[channel, bank, place]: ((row << 16 | column) << 2) | feeds << 1 | write."""
    queue_block: Ints
    queue_head: Ints
    queue_n: Ints
    queue_writes: Ints
    first_read: Ints
    """[channel, bank]: place of the first read of the open row, -1 for none, DIRTY."""
    first_write: Ints
    reads: Ints
    """[channel, place, field]"""
    writes: Ints
    waiting: Ints
    commands: Ints
    returns: Ints
    acks: Ints
    runs: Ints
    """[channel, port, place, field]"""
    run_head: Ints
    run_n: Ints
    run_done: Ints
    program: Ints
    """[channel, place, field]"""
    program_head: Ints
    program_n: Ints
    left: Ints
    """[block]"""
    done: Ints
    finished: Ints
    """[place]: blocks that became complete; [-1] is their number."""
    counts: Ints
    """[channel, command]"""
    trace: Ints
    """[place, field]; [-1, 0] is their number."""
