"""Refresh and PIM commands; see `machine.dram.interpreter` and `machine.dram.pim_arbiter`.

Functions that try a command return 0 when one issued, else the cycle at which it may.
"""

from neupims.jit import Ints, inlined
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.deadline import gwrite_estimate, tile_estimate
from neupims.machine.dram.fast.gates import (
    all_closed,
    at_any_group,
    at_bank,
    at_channel,
    at_group,
    at_rank,
    complete,
    has_closed,
    issue,
    look_again,
)
from neupims.machine.dram.fast.lines import ring
from neupims.machine.dram.fast.rows import clear_one, close_memory_row, close_pim_row, open_group, open_memory_row

SLACK_TO_SHARE = 10


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
    wake = clear_one(k, x, row)
    if wake < at.FAR:
        return wake and min(wake, _looks_again(k, x))
    issue(k, x, at.PIM_HEADER, -1, row, groups * macs)
    x[at.S_TILE_OPEN] = 1
    _pop(k, x)
    return 0


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
    for rank in range(k[at.P_RANKS]):
        first, last = rank * k[at.P_PER_RANK], (rank + 1) * k[at.P_PER_RANK]
        if not has_closed(k, x, first, k[at.P_PER_RANK]):
            continue
        gate = at_any_group(k, x, rank)
        if gate > x[at.S_CYCLE]:
            wake = min(wake, gate)
            continue
        for bank in range(first, last, per):
            if has_closed(k, x, bank, per):
                gate = at_group(k, x, bank // per, True)
                if gate <= x[at.S_CYCLE]:
                    open_group(k, x, bank, row)
                    return 0
                wake = min(wake, gate)
    return wake
