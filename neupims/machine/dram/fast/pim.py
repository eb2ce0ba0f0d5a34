"""Refresh and PIM commands; see `machine.dram.interpreter` and `machine.dram.pim_arbiter`.

Functions that try a command return 0 when one issued, else the cycle at which it may.
"""

from neupims.jit import Ints, inlined, lowest_bit
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.deadline import closed_in_line, closes, gwrite_estimate, is_stale, open_on, tile_estimate
from neupims.machine.dram.fast.gates import (
    all_closed,
    at_bank,
    at_channel,
    at_group,
    at_rank,
    close_gate,
    complete,
    has_closed,
    issue,
    look_again,
    note,
    record,
    set_memory_row,
    set_pim_row,
)
from neupims.machine.dram.fast.lines import ring

SLACK_TO_SHARE = 10


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
def refresh_step(k: Ints, x: Ints) -> bool:
    """Close the rank that is due, bank by bank, then refresh it; True when a command issued."""
    if x[at.S_CATCHING_UP] == 0:
        if x[at.S_REFRESHES] == 0 or (x[at.S_REFRESHES] <= k[at.P_POSTPONE] and _pim_waits(k, x)):
            return False
        x[at.S_CATCHING_UP] = 1
    if x[at.S_IN_REFRESH] == 0:
        if k[at.P_EXACT] and (x[at.S_TILE_OPEN] or x[at.S_GWRITING]):
            return False
        x[at.S_IN_REFRESH] = x[at.S_ACTIVE] = 1
    if x[at.S_CYCLE] < x[at.S_REFRESH_WAKE]:
        return False
    per, wake = k[at.P_PER_RANK], at.FAR
    first = x[at.S_REFRESH_RANK] * per
    for bank in range(first, first + per):
        gate = at.FAR
        if x[k[at.O_MEMORY_ROW] + bank] != at.CLOSED:
            gate = close_memory_row(k, x, bank)
        elif x[k[at.O_PIM_ROW] + bank] != at.CLOSED:
            gate = close_pim_row(k, x, bank)
        if gate == 0:
            return True
        wake = min(wake, gate)
    if wake == at.FAR and all_closed(k, x, first, per):
        wake = at_rank(k, x, x[at.S_REFRESH_RANK])
        if wake <= x[at.S_CYCLE]:
            _refresh(k, x, first)
            return True
    x[at.S_REFRESH_WAKE] = wake
    return False


@inlined
def _pim_waits(k: Ints, x: Ints) -> bool:
    """Whether there is PIM work for which refreshes may be postponed."""
    waiting = x[at.S_READS] if k[at.P_BLOCKED] else x[at.S_PIM_WAITING]
    return x[at.S_COMMANDS] + waiting + x[at.S_PROG_N] - x[at.S_PROG_HEAD] > 0


@inlined
def _refresh(k: Ints, x: Ints, first: int) -> None:
    issue(k, x, at.REF, first, -1, 0)
    x[at.S_REFRESHES] -= 1
    x[at.S_CATCHING_UP] = x[at.S_REFRESHES] > 0
    x[at.S_REFRESH_RANK] = ring(x[at.S_REFRESH_RANK] + 1, k[at.P_RANKS])
    x[at.S_IN_REFRESH] = x[at.S_SKIP_PIM] = x[at.S_SLACK] = 0
    x[at.S_RESERVED] = at.CLOSED


@inlined
def pim_step(k: Ints, x: Ints, b: Ints) -> bool:
    """Let PIM have the cycle; True when it took it or wants it kept free."""
    if k[at.P_DUAL] + k[at.P_BLOCKED] == 0 or x[at.S_SKIP_PIM]:
        return False
    if k[at.P_BLOCKED]:
        if x[at.S_QUEUED] > 0 and x[at.S_PIM_MODE] == 0:
            return False
        if x[at.S_COMMANDS] > 0 and x[at.S_IN_REFRESH] == 0:
            _try_head(k, x, b)
        return True
    if x[at.S_COMMANDS] == 0 or x[at.S_IN_REFRESH]:
        return False
    return _try_head(k, x, b) or keeps_slot(k, x)


@inlined
def keeps_slot(k: Ints, x: Ints) -> bool:
    """Whether a cycle in which the head of the PIM commands cannot issue is kept free."""
    late = k[at.P_EXACT] != 0 and x[at.S_REFRESHES] > k[at.P_RANKS] + k[at.P_POSTPONE]
    return late or x[at.S_SLACK] < SLACK_TO_SHARE


@inlined
def _try_head(k: Ints, x: Ints, b: Ints) -> bool:
    if x[at.S_CYCLE] < x[at.S_PIM_WAKE]:
        return False
    t = k[at.O_COMMANDS] + x[at.S_COMMAND_HEAD] * at.FIELDS
    if x[t + at.T_COMMAND] == at.PIM_GWRITE or (x[at.S_GWRITING] and k[at.P_OVERLAP] == 0):
        gate = _gwrite(k, x, t)
    elif x[t + at.T_COMMAND] == at.PIM_HEADER:
        gate = _header(k, x, t)
    else:
        gate = _compute(k, x, b, t)
    x[at.S_PIM_WAKE] = gate
    return gate == 0


@inlined
def _pop(k: Ints, x: Ints) -> None:
    x[at.S_COMMAND_HEAD] = ring(x[at.S_COMMAND_HEAD] + 1, k[at.P_PIM_COMMANDS])
    x[at.S_COMMANDS] -= 1
    if x[at.S_COMMANDS] == 0:
        look_again(k, x)


@inlined
def _deadline_met(k: Ints, x: Ints, estimate: int) -> bool:
    cycle, due = x[at.S_CYCLE] + 1, x[at.S_NEXT_TICK]
    left = (due + k[at.P_TICK] if cycle == due and k[at.P_EXACT] == 0 else due) - cycle - estimate
    left += max(k[at.P_POSTPONE] - x[at.S_REFRESHES], 0) * k[at.P_TICK]
    if left <= 0 or x[at.S_SLACK] < min(left, k[at.P_RP] + k[at.P_RCDWR] + 1):
        look_again(k, x)  # what did not fit the slack now may, or has no slack to fit
    x[at.S_SLACK] = max(left, 0)
    if left <= 0:
        x[at.S_SKIP_PIM] = x[at.S_ACTIVE] = 1
    return left > 0


@inlined
def _gwrite(k: Ints, x: Ints, t: int) -> int:
    bank, row = x[t + at.T_BANK], x[t + at.T_ROW]
    if x[at.S_GWRITING] == 0:
        if not _deadline_met(k, x, gwrite_estimate(k, x, bank, row)):
            return at.FAR
        x[at.S_GWRITING], x[at.S_GWRITE_BANK], x[at.S_ACTIVE] = 1, bank, 1
    if x[t + at.T_COMMAND] != at.PIM_GWRITE or x[at.S_GWRITE_END] >= 0:
        return at.FAR
    open_row = x[k[at.O_MEMORY_ROW] + bank]
    if open_row != row and open_row != at.CLOSED:
        return close_memory_row(k, x, bank)
    if open_row == at.CLOSED:
        if k[at.P_DUAL] and x[k[at.O_PIM_ROW] + bank] == row:
            return close_pim_row(k, x, bank)
        return open_memory_row(k, x, bank, row)
    gate = at_bank(k, x, at.PIM_GWRITE, bank)
    if gate > x[at.S_CYCLE]:
        return gate
    issue(k, x, at.PIM_GWRITE, bank, row, 0)
    x[at.S_GWRITE_END] = x[at.S_CYCLE] + k[at.P_GWRITE]
    _pop(k, x)
    return 0


@inlined
def _header(k: Ints, x: Ints, t: int) -> int:
    row, groups, macs = x[t + at.T_ROW], x[t + at.T_GROUPS], x[t + at.T_MACS]
    if not _deadline_met(k, x, tile_estimate(k, x, row, groups, macs)):
        return at.FAR
    if x[at.S_RESERVED] != row:
        look_again(k, x)
    x[at.S_RESERVED] = row
    if k[at.P_BLOCKED] and x[at.S_PIM_MODE] == 0:
        x[at.S_PIM_MODE], x[at.S_ACTIVE], x[at.S_STUCK] = 1, 1, 0
    wake = at.FAR
    for word in range(k[at.O_WORDS]):
        banks = x[k[at.O_PIM_OPEN] + word] | open_on(k, x, word, row)
        while banks:
            wake = min(wake, _clear(k, x, word * at.WORD + lowest_bit(banks), row))
            if wake == 0:
                return 0
            banks &= banks - 1
    if wake < at.FAR:
        return min(wake, _looks_again(k, x))
    issue(k, x, at.PIM_HEADER, -1, row, groups * macs)
    x[at.S_TILE_OPEN] = 1
    _pop(k, x)
    return 0


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


@inlined
def _looks_again(k: Ints, x: Ints) -> int:
    """A waiting header is tested again before its slack could have decided anything."""
    spare = x[at.S_SLACK] - (k[at.P_RP] + k[at.P_RCDWR])
    return x[at.S_CYCLE] + max(spare, 1)


@inlined
def _compute(k: Ints, x: Ints, b: Ints, t: int) -> int:
    command, macs = x[t + at.T_COMMAND], x[t + at.T_MACS]
    if command != at.PIM_READ and has_closed(k, x, 0, k[at.P_BANKS]):
        return _activate(k, x, x[t + at.T_ROW])
    gate = at_channel(k, x, command)
    if gate > x[at.S_CYCLE]:
        return gate
    issue(k, x, command, -1, -1, macs)
    if command == at.PIM_MAC:
        x[at.S_MACS] += 1
    else:
        x[at.S_MACS] += macs
        complete(x, b, x[t + at.T_BLOCK], x[at.S_CYCLE] + k[k[at.O_RESULTS] + command * k[at.O_WIDTH] + macs])
    if x[t + at.T_LAST]:
        x[at.S_TILE_OPEN] = 0
        look_again(k, x)
        if k[at.P_BLOCKED]:
            x[at.S_PIM_MODE] = x[at.S_SLACK] = 0
        if k[at.P_BLOCKED] or k[at.P_ORDERED]:
            x[at.S_RESERVED] = at.CLOSED
    _pop(k, x)
    return 0


@inlined
def _activate(k: Ints, x: Ints, row: int) -> int:
    """PIM_ACT for the first group, in order, that has a closed bank and may be opened."""
    wake, per = at.FAR, k[at.P_PER_GROUP]
    for group in range(k[at.P_GROUPS]):
        if not has_closed(k, x, group * per, per):
            continue
        gate = at_group(k, x, group, True)
        if gate <= x[at.S_CYCLE]:
            for bank in range(group * per, (group + 1) * per):
                if x[k[at.O_PIM_ROW] + bank] == at.CLOSED:
                    set_pim_row(k, x, bank, row)
                    if k[at.P_BLOCKED]:
                        x[k[at.O_FIRST_READ] + bank] = x[k[at.O_FIRST_WRITE] + bank] = at.DIRTY
            issue(k, x, at.PIM_ACT, group * per, row, 0)
            return 0
        wake = min(wake, gate)
    return wake
