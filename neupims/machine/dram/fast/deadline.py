"""Estimates before a refresh; see `machine.dram.deadline`. All return lengths in cycles."""

from neupims.machine.dram.fast.gates import at_bank, at_group
from neupims.machine.dram.fast.jit import compiled
from neupims.machine.dram.fast.layout import (
    ACT,
    CLOSED,
    P_BANKS,
    P_CCDO,
    P_CCDR,
    P_DUAL,
    P_EXACT,
    P_FAW,
    P_GROUPS,
    P_GWRITE,
    P_MAC,
    P_PER_GROUP,
    P_PER_RANK,
    P_RANKS,
    P_RCD,
    P_RP,
    P_RTP,
    P_SCOPE,
    P_TREE,
    PIM_GWRITE,
    PIM_PRE,
    PRE,
    S_CYCLE,
    SCOPE_ALL,
    SCOPE_BANK,
    Engine,
)


@compiled
def gwrite_estimate(e: Engine, c: int, bank: int, row: int) -> int:
    """Length of a GWRITE that starts now."""
    p, cycle, open_row = e.p, e.s[c, S_CYCLE], e.memory_row[c, bank]
    if p[P_EXACT] == 0:
        reopen = 0 if open_row == row else p[P_RP] + p[P_RCD]
        return p[P_GWRITE] + reopen + (p[P_RTP] if open_row not in (CLOSED, row) else 0)
    if open_row == row:
        return max(cycle, at_bank(e, c, PIM_GWRITE, bank)) + p[P_GWRITE] - cycle
    opened = max(cycle, at_bank(e, c, ACT, bank))
    if open_row != CLOSED:
        opened = max(opened, max(at_bank(e, c, PRE, bank), cycle) + p[P_RP])
    return opened + p[P_RCD] + p[P_GWRITE] - cycle


@compiled
def tile_estimate(e: Engine, c: int, row: int, groups: int, macs: int) -> int:
    """Length of a tile whose header is at the head now."""
    if e.p[P_EXACT]:
        return _exact_tile(e, c, row, groups, macs)
    return _published_tile(e, c, row, groups, macs)


@compiled
def _published_tile(e: Engine, c: int, row: int, groups: int, macs: int) -> int:
    p, stale, cold = e.p, 0, 0
    for group in range(p[P_GROUPS]):
        wrong, right = 0, 0
        for bank in range(group * p[P_PER_GROUP], (group + 1) * p[P_PER_GROUP]):
            wrong += e.pim_row[c, bank] != CLOSED and e.pim_row[c, bank] != row
            right += e.pim_row[c, bank] == row
        if right != p[P_PER_GROUP]:
            cold += 1
            stale += wrong
    steps, reads = 1, 1
    while steps < groups * macs:
        steps *= 2
    while reads * 2 <= groups:
        reads *= 2
    opening = p[P_FAW] * (cold // 2 - 1) + p[P_RCD]
    return stale * p[P_RTP] + opening + p[P_CCDO] * max(steps, 6) + p[P_CCDR] * (reads - 1)


@compiled
def _exact_tile(e: Engine, c: int, row: int, groups: int, macs: int) -> int:
    p, cycle = e.p, e.s[c, S_CYCLE]
    header = _header_cycle(e, c, row)
    last = header
    per_rank = p[P_PER_RANK] // p[P_PER_GROUP]
    for rank in range(p[P_RANKS]):
        closed, behind = 0, 0
        for bank in range(rank * p[P_PER_RANK], (rank + 1) * p[P_PER_RANK]):
            if e.pim_row[c, bank] != CLOSED and e.pim_row[c, bank] != row:
                closed = header - 1 + p[P_RP]
        for group in range((rank + 1) * per_rank - 1, rank * per_rank - 1, -1):
            if _cold(e, c, group, row):
                opened = max(max(header + 1, closed), at_group(e, c, group, False))
                last = max(last, opened + behind * p[P_FAW] + p[P_RANKS] - 1 + p[P_RCD])
                behind += 1
    return last + groups * p[P_MAC] * (max(macs, p[P_TREE]) + 1) - cycle


@compiled
def _cold(e: Engine, c: int, group: int, row: int) -> bool:
    for bank in range(group * e.p[P_PER_GROUP], (group + 1) * e.p[P_PER_GROUP]):
        if e.pim_row[c, bank] != row:
            return True
    return False


@compiled
def _header_cycle(e: Engine, c: int, row: int) -> int:
    """First cycle of the header once all stale rows are closed."""
    p, cycle = e.p, e.s[c, S_CYCLE]
    close = PIM_PRE if p[P_DUAL] else PRE
    per = 1 if p[P_SCOPE] == SCOPE_BANK else (p[P_BANKS] if p[P_SCOPE] == SCOPE_ALL else p[P_PER_GROUP])
    commands, legal, seen = 0, 0, -1
    for bank in range(p[P_BANKS]):
        if e.pim_row[c, bank] != CLOSED and e.pim_row[c, bank] != row:
            legal = max(legal, at_bank(e, c, close, bank))
            if bank // per != seen:
                seen = bank // per
                commands += 1
    return cycle if commands == 0 else max(cycle, legal) + commands


