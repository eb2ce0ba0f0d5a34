"""Rows are opened and closed, one by one or those of a rank in a line; see `machine.dram.interpreter`.

Functions that try a command return 0 when one issued, else the cycle at which it may.
"""

from neupims.jit import Ints, compiled, inlined, lowest_bit
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.deadline import closed_in_line, closes, has_stale, is_stale, open_on
from neupims.machine.dram.fast.gates import (
    at_bank,
    close_gate,
    issue,
    note,
    record,
    set_memory_row,
    set_pim_row,
    trace,
    wake_up_all,
)


@inlined
def close_pim_row(k: Ints, x: Ints, bank: int) -> int:
    """Close what PIM_ACT opened around `bank`."""
    if k[at.P_DUAL] == 0:
        return close_memory_row(k, x, bank)
    count = closes(k)
    first = bank if count == 1 else bank // count * count
    gate = close_gate(k, x, at.PIM_PRE, first, count)
    if gate > x[at.S_CYCLE]:
        return gate
    for other in range(first, first + count):
        if x[k[at.O_PIM_ROW] + other] != at.CLOSED:
            record(k, x, at.PIM_PRE, other, x[at.S_CYCLE], 0)
            set_pim_row(k, x, other, at.CLOSED)
    note(k, x, at.PIM_PRE, -1 if k[at.P_SCOPE] == at.SCOPE_ALL else first, -1, 0)
    return 0


@inlined
def close_memory_row(k: Ints, x: Ints, bank: int) -> int:
    """PRE of a bank."""
    gate = at_bank(k, x, at.PRE, bank)
    if gate > x[at.S_CYCLE]:
        return gate
    set_memory_row(k, x, bank, at.CLOSED)
    issue(k, x, at.PRE, bank, -1, 0)
    return 0


@inlined
def open_memory_row(k: Ints, x: Ints, bank: int, row: int) -> int:
    """ACT of a bank."""
    gate = at_bank(k, x, at.ACT, bank)
    if gate > x[at.S_CYCLE]:
        return gate
    set_memory_row(k, x, bank, row)
    x[k[at.O_FIRST_READ] + bank] = x[k[at.O_FIRST_WRITE] + bank] = at.DIRTY
    issue(k, x, at.ACT, bank, row, 0)
    return 0


@inlined
def open_group(k: Ints, x: Ints, first: int, row: int) -> None:
    """PIM_ACT of the closed banks of a group, whose first one is `first`."""
    for bank in range(first, first + k[at.P_PER_GROUP]):
        if x[k[at.O_PIM_ROW] + bank] == at.CLOSED:
            set_pim_row(k, x, bank, row)
            if k[at.P_BLOCKED]:
                x[k[at.O_FIRST_READ] + bank] = x[k[at.O_FIRST_WRITE] + bank] = at.DIRTY
    issue(k, x, at.PIM_ACT, first, row, 0)


@inlined
def clear_one(k: Ints, x: Ints, row: int) -> int:
    """Close the first row that is in the way of a tile on `row` and may be closed; FAR if none is in the way."""
    wake = at.FAR
    for word in range(k[at.O_WORDS]):
        banks = x[k[at.O_PIM_OPEN] + word] | open_on(k, x, word, row)
        while banks:
            wake = min(wake, _clear(k, x, word * at.WORD + lowest_bit(banks), row))
            if wake == 0:
                return 0
            banks &= banks - 1
    return wake


@inlined
def _clear(k: Ints, x: Ints, bank: int, row: int) -> int:
    """Close what is in the way of a tile on `row` in a bank; FAR if nothing is."""
    if k[at.P_DUAL] and x[k[at.O_PIM_ROW] + bank] == at.CLOSED:
        return close_memory_row(k, x, bank)
    if not is_stale(k, x, bank, row):
        return at.FAR
    gate = close_pim_row(k, x, bank)
    if gate == 0:
        closed_in_line(k, x, bank, row)
    return gate


@compiled
def close_on(k: Ints, x: Ints, until: int) -> None:
    """Close the rows of a rank before a tile, one in each cycle, as long as any is in the way and up to `until`.

    Nothing comes in meanwhile, PIM has every cycle, and the tile's estimated end moves no closer to the refresh, see
    `closed_in_line`. The slack before it is set anew in the next cycle, before it decides anything.
    """
    row = x[k[at.O_COMMANDS] + x[at.S_COMMAND_HEAD] * at.FIELDS + at.T_ROW]
    shared = x[k[at.O_OPEN_ROWS] + (row & (at.OPEN_ROWS - 1))]
    if k[at.P_DUAL] == 0 or k[at.P_SCOPE] != at.SCOPE_BANK or shared:
        return
    rank, cycle = 0, x[at.S_CYCLE]
    while not has_stale(k, x, row, rank):
        rank += 1
    for word in range(k[at.O_WORDS]):
        banks, gone = x[k[at.O_PIM_OPEN] + word] & k[k[at.O_RANK_BITS] + rank * k[at.O_WORDS] + word], 0
        while banks and cycle < until:
            bit = banks & -banks
            banks &= ~bit
            if is_stale(k, x, word * at.WORD + lowest_bit(bit), row):
                _close_one(k, x, word * at.WORD + lowest_bit(bit), cycle)
                gone |= bit
                cycle += 1
        x[k[at.O_PIM_OPEN] + word] &= ~gone
        wake_up_all(k, x, word, gone)
    closed = cycle - x[at.S_CYCLE]
    x[at.COUNTS + at.PIM_PRE] += closed
    x[at.S_PIM_BUSY] += closed
    x[at.S_PIM_WAKE] = x[at.S_REFRESH_WAKE] = x[at.S_MEMORY_WAKE] = 0
    x[at.S_CYCLE] = cycle
    x[at.S_END_HOLDS] = cycle if has_stale(k, x, row, rank) else cycle - 1


@inlined
def _close_one(k: Ints, x: Ints, bank: int, cycle: int) -> None:
    record(k, x, at.PIM_PRE, bank, cycle, 0)
    x[k[at.O_PIM_ROW] + bank] = at.CLOSED
    if k[at.P_TRACE]:
        trace(k, x, cycle, at.PIM_PRE, bank, -1, 0)
