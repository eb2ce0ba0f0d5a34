"""Estimates before a refresh; see `machine.dram.deadline`. All return lengths in cycles."""

from neupims.jit import Ints, inlined, lowest_bit
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.gates import at_bank, at_channel, at_group


@inlined
def gwrite_estimate(k: Ints, x: Ints, bank: int, row: int) -> int:
    """Length of a GWRITE that starts now."""
    cycle, open_row = x[at.S_CYCLE], x[k[at.O_MEMORY_ROW] + bank]
    if k[at.P_EXACT] == 0:
        reopen = 0 if open_row == row else k[at.P_RP] + k[at.P_RCD]
        return k[at.P_GWRITE] + reopen + (k[at.P_RTP] if open_row not in (at.CLOSED, row) else 0)
    if open_row == row:
        return max(cycle, at_bank(k, x, at.PIM_GWRITE, bank)) + k[at.P_GWRITE] - cycle
    opened = max(cycle, at_bank(k, x, at.ACT, bank))
    if open_row != at.CLOSED:
        opened = max(opened, max(at_bank(k, x, at.PRE, bank), cycle) + k[at.P_RP])
    return opened + k[at.P_RCD] + k[at.P_GWRITE] - cycle


@inlined
def tile_estimate(k: Ints, x: Ints, row: int, groups: int, macs: int) -> int:
    """Length of a tile whose header is at the head now."""
    if k[at.P_EXACT] == 0:
        return _published_tile(k, x, row, groups, macs)
    if x[at.S_END_HOLDS] != x[at.S_CYCLE]:
        x[at.S_TILE_END] = _exact_end(k, x, row, groups, macs)
    return x[at.S_TILE_END] - x[at.S_CYCLE]


@inlined
def closed_in_line(k: Ints, x: Ints, bank: int, row: int) -> None:
    """The row of `bank` was closed for a tile on `row`: if others of its rank follow, the tile's estimated end stays.

    As long as one closes in each cycle, the header stays where it is, and so does what waits for the last of a rank.
    Published, each closing takes tRTP off the estimate.
    """
    if k[at.P_CLOSES_IN_LINE] == 0:
        return
    if k[at.P_EXACT] == 0 and x[at.S_END_HOLDS] != x[at.S_CYCLE]:
        _header_cycle(k, x, row)
    if x[at.S_CLOSES_FROM] <= x[at.S_CYCLE] and has_stale(k, x, row, k[k[at.O_RANK_OF] + bank]):
        x[at.S_END_HOLDS] = x[at.S_CYCLE] + 1


@inlined
def _published_tile(k: Ints, x: Ints, row: int, groups: int, macs: int) -> int:
    stale, cold, per = 0, 0, k[at.P_PER_GROUP]
    for group in range(k[at.P_GROUPS]):
        wrong, right = 0, 0
        for bank in range(group * per, (group + 1) * per):
            open_row = x[k[at.O_PIM_ROW] + bank]
            wrong += open_row not in (at.CLOSED, row)
            right += open_row == row
        if right != per:
            cold += 1
            stale += wrong
    reads = _power_of_two_down(groups)
    steps = _power_of_two_down(2 * macs - 1) if groups == 1 else _power_of_two_down(groups * macs)
    opening = k[at.P_FAW] * (cold // 2 - 1) + k[at.P_RCD]
    return stale * k[at.P_RTP] + opening + k[at.P_CCDO] * max(steps, 6) + k[at.P_CCDR] * (reads - 1)


@inlined
def _power_of_two_down(value: int) -> int:
    power = 1
    while power * 2 <= value:
        power *= 2
    return power


@inlined
def _exact_end(k: Ints, x: Ints, row: int, groups: int, macs: int) -> int:
    header = _header_cycle(k, x, row)
    last = header
    per_rank = k[at.P_PER_RANK] // k[at.P_PER_GROUP]
    for rank in range(k[at.P_RANKS]):
        closed, behind = header - 1 + k[at.P_RP] if has_stale(k, x, row, rank) else 0, 0
        for group in range((rank + 1) * per_rank - 1, rank * per_rank - 1, -1):
            if _cold(k, x, group, row):
                opened = max(max(header + 1, closed), at_group(k, x, group, False))
                last = max(last, opened + behind * k[at.P_FAW] + k[at.P_RANKS] - 1 + k[at.P_RCD])
                behind += 1
    if k[at.P_OVERLAP]:
        last = max(last, at_channel(k, x, at.PIM_GEMV if k[at.P_COMPOSITE] else at.PIM_MAC))
    return last + groups * k[at.P_MAC] * (max(macs, k[at.P_TREE]) + 1)


@inlined
def has_stale(k: Ints, x: Ints, row: int, rank: int) -> bool:
    """Whether a bank of a rank has to be closed before a tile on `row`."""
    for word in range(k[at.O_WORDS]):
        banks = x[k[at.O_PIM_OPEN] + word] & k[k[at.O_RANK_BITS] + rank * k[at.O_WORDS] + word]
        while banks:
            if is_stale(k, x, word * at.WORD + lowest_bit(banks), row):
                return True
            banks &= banks - 1
    return False


@inlined
def is_stale(k: Ints, x: Ints, bank: int, row: int) -> bool:
    """Whether a bank has to be closed before a tile on `row`."""
    open_row = x[k[at.O_PIM_ROW] + bank]
    if open_row != row:
        return open_row != at.CLOSED
    if k[at.P_COMPLETE_ROWS] == 0:
        return False
    first, count = 0, k[at.P_BANKS]
    if k[at.P_DUAL]:
        first, count = k[k[at.O_GROUP_OF] + bank] * k[at.P_PER_GROUP], k[at.P_PER_GROUP]
    for other in range(first, first + count):
        if x[k[at.O_PIM_ROW] + other] != row:
            return True
    return False


@inlined
def open_on(k: Ints, x: Ints, word: int, row: int) -> int:
    """Banks of a word whose memory row buffers hold a row that PIM wants to itself."""
    if k[at.P_DUAL] == 0 or x[k[at.O_OPEN_ROWS] + (row & (at.OPEN_ROWS - 1))] == 0:
        return 0
    banks, first = 0, word * at.WORD
    for bank in range(first, min(first + at.WORD, k[at.P_BANKS])):
        banks |= int(x[k[at.O_MEMORY_ROW] + bank] == row) << (bank - first)
    return banks


@inlined
def _cold(k: Ints, x: Ints, group: int, row: int) -> bool:
    for bank in range(group * k[at.P_PER_GROUP], (group + 1) * k[at.P_PER_GROUP]):
        if x[k[at.O_PIM_ROW] + bank] != row or is_stale(k, x, bank, row):
            return True
    return False


@inlined
def _header_cycle(k: Ints, x: Ints, row: int) -> int:
    """First cycle of the header once all stale rows are closed."""
    cycle, close, per = x[at.S_CYCLE], at.PIM_PRE if k[at.P_DUAL] else at.PRE, closes(k)
    commands, legal, seen, group_seen = 0, x[at.CHANNEL_GATE + close], -1, -1
    for word in range(k[at.O_WORDS]):
        banks = x[k[at.O_PIM_OPEN] + word]
        while banks:
            bank = word * at.WORD + lowest_bit(banks)
            banks &= banks - 1
            if not is_stale(k, x, bank, row):
                continue
            legal = max(legal, x[k[k[at.O_BANK_ROW] + bank] + close])
            if k[k[at.O_GROUP_OF] + bank] != group_seen:
                group_seen = k[k[at.O_GROUP_OF] + bank]
                legal = max(legal, x[k[k[at.O_RANK_ROW] + bank] + close])
                legal = max(legal, x[k[k[at.O_GROUP_ROW] + bank] + close])
            if bank // per != seen:
                seen = bank // per
                commands += 1
    x[at.S_CLOSES_FROM] = legal
    return cycle if commands == 0 else max(cycle, legal) + commands


@inlined
def closes(k: Ints) -> int:
    """Banks that one PIM_PRE closes."""
    scope = k[at.P_SCOPE]
    if scope == at.SCOPE_BANK:
        return 1
    return k[at.P_BANKS] if scope == at.SCOPE_ALL else k[at.P_PER_GROUP]
