"""Refresh and PIM commands; see `machine.dram.interpreter` and `machine.dram.pim_arbiter`."""

from neupims.machine.dram.fast.deadline import gwrite_estimate, tile_estimate
from neupims.machine.dram.fast.gates import (
    all_closed,
    any_pim_closed,
    at_bank,
    at_channel,
    at_group,
    at_rank,
    close_gate,
    complete,
    issue,
    note,
    record,
)
from neupims.machine.dram.fast.jit import compiled
from neupims.machine.dram.fast.layout import (
    ACT,
    CLOSED,
    FAR,
    P_BANKS,
    P_BLOCKED,
    P_COMPLETE_ROWS,
    P_DUAL,
    P_EXACT,
    P_GROUPS,
    P_GWRITE,
    P_PER_GROUP,
    P_PER_RANK,
    P_PIM_COMMANDS,
    P_RCDWR,
    P_REFRESH,
    P_RP,
    P_SCOPE,
    P_TICK,
    PIM_ACT,
    PIM_GEMV,
    PIM_GWRITE,
    PIM_HEADER,
    PIM_MAC,
    PIM_PRE,
    PIM_READ,
    PRE,
    REF,
    S_ACTIVE,
    S_COMMAND_HEAD,
    S_COMMANDS,
    S_CYCLE,
    S_GWRITE_BANK,
    S_GWRITE_END,
    S_GWRITING,
    S_IN_REFRESH,
    S_MACS,
    S_PIM_MODE,
    S_PIM_WAKE,
    S_QUEUED,
    S_REFRESH_RANK,
    S_REFRESH_WAKE,
    S_REFRESHES,
    S_RESERVED,
    S_SKIP_PIM,
    S_SLACK,
    S_TILE_OPEN,
    SCOPE_ALL,
    SCOPE_BANK,
    T_BANK,
    T_BLOCK,
    T_COMMAND,
    T_GROUPS,
    T_LAST,
    T_MACS,
    T_ROW,
    Engine,
)

PASS, TOOK = 0, 1
"""What a step says: the cycle is free for the next, or it is taken (perhaps kept free)."""
SLACK_TO_SHARE = 10


@compiled
def close_pim_row(e: Engine, c: int, bank: int) -> int:
    """Close what PIM_ACT opened around `bank`; 0 when done, else the cycle at which it may be."""
    if e.p[P_DUAL] == 0:
        return close_memory_row(e, c, bank)
    scope = e.p[P_SCOPE]
    count = 1 if scope == SCOPE_BANK else (e.p[P_BANKS] if scope == SCOPE_ALL else e.p[P_PER_GROUP])
    first = bank // count * count
    gate = close_gate(e, c, PIM_PRE, first, count)
    if gate > e.s[c, S_CYCLE]:
        return gate
    for b in range(first, first + count):
        if e.pim_row[c, b] != CLOSED:
            record(e, c, PIM_PRE, b, e.s[c, S_CYCLE], 0)
            e.pim_row[c, b] = CLOSED
    note(e, c, PIM_PRE, -1 if scope == SCOPE_ALL else first, -1, 0)
    return 0


@compiled
def close_memory_row(e: Engine, c: int, bank: int) -> int:
    """PRE of a bank; 0 when issued, else the cycle at which it may."""
    gate = at_bank(e, c, PRE, bank)
    if gate > e.s[c, S_CYCLE]:
        return gate
    e.memory_row[c, bank], e.hits[c, bank] = CLOSED, 0
    e.first_read[c, bank] = e.first_write[c, bank] = -1
    issue(e, c, PRE, bank, -1, 0)
    return 0


@compiled
def open_memory_row(e: Engine, c: int, bank: int, row: int) -> int:
    """ACT of a bank; 0 when issued, else the cycle at which it may."""
    gate = at_bank(e, c, ACT, bank)
    if gate > e.s[c, S_CYCLE]:
        return gate
    e.memory_row[c, bank], e.hits[c, bank] = row, 0
    e.first_read[c, bank] = e.first_write[c, bank] = -2
    issue(e, c, ACT, bank, row, 0)
    return 0


@compiled
def refresh_step(e: Engine, c: int) -> int:
    """Close the rank that is due, bank by bank, then refresh it."""
    s, p = e.s[c], e.p
    if s[S_REFRESHES] == 0:
        return PASS
    if p[P_EXACT] and s[S_IN_REFRESH] == 0 and (s[S_TILE_OPEN] or s[S_GWRITING]):
        return PASS
    if s[S_IN_REFRESH] == 0:
        s[S_IN_REFRESH] = s[S_ACTIVE] = 1
    if s[S_CYCLE] < s[S_REFRESH_WAKE]:
        return PASS
    rank, wake = s[S_REFRESH_RANK], FAR
    first = rank * p[P_PER_RANK]
    for bank in range(first, first + p[P_PER_RANK]):
        if e.memory_row[c, bank] != CLOSED:
            gate = close_memory_row(e, c, bank)
        elif e.pim_row[c, bank] != CLOSED:
            gate = close_pim_row(e, c, bank)
        else:
            continue
        if gate == 0:
            return TOOK
        wake = min(wake, gate)
    if all_closed(e, c, first, p[P_PER_RANK]):
        wake = at_rank(e, c, rank)
        if wake <= s[S_CYCLE]:
            _refresh(e, c, first)
            return TOOK
    s[S_REFRESH_WAKE] = wake
    return PASS


@compiled
def _refresh(e: Engine, c: int, first: int) -> None:
    s = e.s[c]
    issue(e, c, REF, first, -1, 0)
    s[S_REFRESHES] -= 1
    s[S_REFRESH_RANK] = (s[S_REFRESH_RANK] + 1) % (e.p[P_BANKS] // e.p[P_PER_RANK])
    s[S_IN_REFRESH] = s[S_SKIP_PIM] = s[S_SLACK] = 0
    s[S_RESERVED] = CLOSED


@compiled
def pim_step(e: Engine, c: int) -> int:
    """Let PIM have the cycle."""
    s, p = e.s[c], e.p
    if p[P_DUAL] + p[P_BLOCKED] == 0 or s[S_SKIP_PIM]:
        return PASS
    if p[P_BLOCKED]:
        if s[S_QUEUED] > 0 and s[S_PIM_MODE] == 0:
            return PASS
        if s[S_COMMANDS] > 0 and s[S_IN_REFRESH] == 0:
            _try_head(e, c)
        return TOOK
    if s[S_COMMANDS] == 0 or s[S_IN_REFRESH]:
        return PASS
    return TOOK if _try_head(e, c) or s[S_SLACK] < SLACK_TO_SHARE else PASS


@compiled
def _try_head(e: Engine, c: int) -> bool:
    s = e.s[c]
    if s[S_CYCLE] < s[S_PIM_WAKE]:
        return False
    head = e.commands[c, s[S_COMMAND_HEAD]]
    if s[S_GWRITING] or head[T_COMMAND] == PIM_GWRITE:
        gate = _gwrite(e, c, head)
    elif head[T_COMMAND] == PIM_HEADER:
        gate = _header(e, c, head)
    else:
        gate = _compute(e, c, head)
    s[S_PIM_WAKE] = gate
    return gate == 0


@compiled
def _pop(e: Engine, c: int) -> None:
    e.s[c, S_COMMAND_HEAD] = (e.s[c, S_COMMAND_HEAD] + 1) % e.p[P_PIM_COMMANDS]
    e.s[c, S_COMMANDS] -= 1


@compiled
def _deadline_met(e: Engine, c: int, estimate: int) -> bool:
    s, tick = e.s[c], e.p[P_TICK]
    left = (tick - (s[S_CYCLE] + 1) % tick if e.p[P_REFRESH] else FAR) - estimate
    s[S_SLACK] = max(left, 0)
    if left <= 0:
        s[S_SKIP_PIM] = s[S_ACTIVE] = 1
    return left > 0


@compiled
def _gwrite(e: Engine, c: int, head: object) -> int:
    """0 when a command issued, else the cycle at which the next may."""
    s, bank, row = e.s[c], head[T_BANK], head[T_ROW]  # type: ignore[index]
    if s[S_GWRITING] == 0:
        if not _deadline_met(e, c, gwrite_estimate(e, c, bank, row)):
            return FAR
        s[S_GWRITING], s[S_GWRITE_BANK], s[S_ACTIVE] = 1, bank, 1
    if head[T_COMMAND] != PIM_GWRITE or s[S_GWRITE_END] >= 0:  # type: ignore[index]
        return FAR
    if e.memory_row[c, bank] == row:
        gate = at_bank(e, c, PIM_GWRITE, bank)
        if gate > s[S_CYCLE]:
            return gate
        issue(e, c, PIM_GWRITE, bank, row, 0)
        s[S_GWRITE_END] = s[S_CYCLE] + e.p[P_GWRITE]
        _pop(e, c)
        return 0
    if e.memory_row[c, bank] != CLOSED:
        return close_memory_row(e, c, bank)
    if e.p[P_DUAL] and e.pim_row[c, bank] == row:
        return close_pim_row(e, c, bank)
    return open_memory_row(e, c, bank, row)


@compiled
def _header(e: Engine, c: int, head: object) -> int:
    """0 when a command issued, else the cycle at which it has to be looked at again."""
    s, p, row = e.s[c], e.p, head[T_ROW]  # type: ignore[index]
    if not _deadline_met(e, c, tile_estimate(e, c, row, head[T_GROUPS], head[T_MACS])):  # type: ignore[index]
        return FAR
    s[S_RESERVED] = row
    s[S_PIM_MODE] = p[P_BLOCKED]
    keep = _keeps_open_row(e, c, row)
    wake = FAR
    for bank in range(p[P_BANKS]):
        open_row = e.pim_row[c, bank]
        if p[P_DUAL] and open_row == CLOSED and e.memory_row[c, bank] == row:
            gate = close_memory_row(e, c, bank)
        elif open_row == CLOSED or (open_row == row and keep):
            continue
        else:
            gate = close_pim_row(e, c, bank)
        if gate == 0:
            return 0
        wake = min(wake, gate)
    if wake < FAR:
        return min(wake, _looks_again(e, c))
    issue(e, c, PIM_HEADER, -1, row, head[T_GROUPS] * head[T_MACS])  # type: ignore[index]
    s[S_TILE_OPEN] = 1
    _pop(e, c)
    return 0


@compiled
def _looks_again(e: Engine, c: int) -> int:
    """A waiting header is tested again before its slack could have decided anything."""
    spare = e.s[c, S_SLACK] - (e.p[P_RP] + e.p[P_RCDWR])
    return e.s[c, S_CYCLE] + max(spare, 1)


@compiled
def _keeps_open_row(e: Engine, c: int, row: int) -> bool:
    if e.p[P_COMPLETE_ROWS] == 0 or e.p[P_DUAL]:
        return True
    for bank in range(e.p[P_BANKS]):
        if e.pim_row[c, bank] != row:
            return False
    return True


@compiled
def _compute(e: Engine, c: int, head: object) -> int:
    """0 when a command issued, else the cycle at which the next may."""
    s, command, macs = e.s[c], head[T_COMMAND], head[T_MACS]  # type: ignore[index]
    if command != PIM_READ and any_pim_closed(e, c):
        return _activate(e, c, head[T_ROW])  # type: ignore[index]
    gate = at_channel(e, c, command)
    if gate > s[S_CYCLE]:
        return gate
    issue(e, c, command, -1, -1, macs)
    s[S_MACS] += macs if command == PIM_GEMV else command == PIM_MAC
    if command != PIM_MAC:
        complete(e, head[T_BLOCK], s[S_CYCLE] + e.results[command, macs])  # type: ignore[index]
    if head[T_LAST]:  # type: ignore[index]
        s[S_TILE_OPEN] = 0
        if e.p[P_BLOCKED]:
            s[S_PIM_MODE] = s[S_SLACK] = 0
            s[S_RESERVED] = CLOSED
    _pop(e, c)
    return 0


@compiled
def _activate(e: Engine, c: int, row: int) -> int:
    wake, per = FAR, e.p[P_PER_GROUP]
    for group in range(e.p[P_GROUPS]):
        if not _has_closed(e, c, group * per, per):
            continue
        gate = at_group(e, c, group, True)
        if gate <= e.s[c, S_CYCLE]:
            for bank in range(group * per, (group + 1) * per):
                if e.pim_row[c, bank] == CLOSED:
                    e.pim_row[c, bank] = row
            issue(e, c, PIM_ACT, group * per, row, 0)
            return 0
        wake = min(wake, gate)
    return wake


@compiled
def _has_closed(e: Engine, c: int, first: int, count: int) -> bool:
    for bank in range(first, first + count):
        if e.pim_row[c, bank] == CLOSED:
            return True
    return False
