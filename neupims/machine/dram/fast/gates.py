"""Rules at work in the compiled engine; see `machine.dram.gates`."""

from neupims.machine.dram.fast.jit import compiled
from neupims.machine.dram.fast.layout import (
    ACT,
    CLOSED,
    FAR,
    P_BANKS,
    P_COMPLETE_ROWS,
    P_FAW,
    P_PER_GROUP,
    P_PER_RANK,
    P_RANKS,
    P_SHARED_WINDOW,
    P_TRACE,
    PIM_ACT,
    REF,
    S_ACTIVE,
    S_CYCLE,
    S_ISSUED,
    S_MEMORY_WAKE,
    S_PIM_WAKE,
    S_REFRESH_WAKE,
    Engine,
)

BANK, GROUP, RANK, OTHER_RANKS, CHANNEL = range(5)


@compiled
def record(e: Engine, c: int, command: int, bank: int, cycle: int, n: int) -> None:
    """Push back what has to wait for `command`."""
    rank, group = bank // e.p[P_PER_RANK], bank // e.p[P_PER_GROUP]
    for rule in range(e.rule_first[command], e.rule_first[command + 1]):
        after, scope = e.rule_after[rule], e.rule_scope[rule]
        gate = cycle + e.rule_gap[rule, n]
        if e.rule_until[rule, n] >= 0:
            e.dark_from[c, after], e.dark_to[c, after] = gate, cycle + e.rule_until[rule, n]
        elif scope == BANK:
            e.bank_gate[c, bank, after] = max(e.bank_gate[c, bank, after], gate)
        elif scope == GROUP:
            e.group_gate[c, group, after] = max(e.group_gate[c, group, after], gate)
        elif scope == RANK:
            e.rank_gate[c, rank, after] = max(e.rank_gate[c, rank, after], gate)
        elif scope == OTHER_RANKS:
            for other in range(e.p[P_RANKS]):
                if other != rank:
                    e.rank_gate[c, other, after] = max(e.rank_gate[c, other, after], gate)
        else:
            e.channel_gate[c, after] = max(e.channel_gate[c, after], gate)
    if command == ACT or (command == PIM_ACT and e.p[P_SHARED_WINDOW]):
        for _ in range(1 if command == ACT else 4):
            e.acts[c, rank, e.acts_n[c, rank] % 4] = cycle
            e.acts_n[c, rank] += 1


@compiled
def after_dark(e: Engine, c: int, command: int, cycle: int) -> int:
    """The first cycle from `cycle` on in which `command` is not kept out."""
    if e.dark_from[c, command] <= cycle <= e.dark_to[c, command]:
        return e.dark_to[c, command] + 1
    return cycle


@compiled
def window(e: Engine, c: int, rank: int, weight: int) -> int:
    """Earliest cycle at which tFAW allows `weight` more activations."""
    n = e.acts_n[c, rank]
    if n < 5 - weight:
        return 0
    return e.acts[c, rank, (n + weight - 5) % 4] + e.p[P_FAW]


@compiled
def at_bank(e: Engine, c: int, command: int, bank: int) -> int:
    """Earliest cycle of a command to one bank."""
    rank = bank // e.p[P_PER_RANK]
    gate = max(e.channel_gate[c, command], e.rank_gate[c, rank, command])
    gate = max(gate, max(e.group_gate[c, bank // e.p[P_PER_GROUP], command], e.bank_gate[c, bank, command]))
    if command == ACT:
        gate = max(gate, window(e, c, rank, 1))
    return gate


@compiled
def at_group(e: Engine, c: int, group: int, closed_only: bool) -> int:
    """Earliest cycle of a PIM_ACT; published: the first closed bank that is ready is enough."""
    rank = group * e.p[P_PER_GROUP] // e.p[P_PER_RANK]
    narrow = 0 if e.p[P_COMPLETE_ROWS] else FAR
    for bank in range(group * e.p[P_PER_GROUP], (group + 1) * e.p[P_PER_GROUP]):
        if closed_only and e.pim_row[c, bank] != CLOSED:
            continue
        gate = e.bank_gate[c, bank, PIM_ACT]
        narrow = max(narrow, gate) if e.p[P_COMPLETE_ROWS] else min(narrow, gate)
    gate = max(max(e.channel_gate[c, PIM_ACT], e.rank_gate[c, rank, PIM_ACT]), e.group_gate[c, group, PIM_ACT])
    if e.p[P_SHARED_WINDOW]:
        gate = max(gate, window(e, c, rank, 4))
    return max(gate, narrow)


@compiled
def at_rank(e: Engine, c: int, rank: int) -> int:
    """Earliest cycle of a REF."""
    gate = max(e.channel_gate[c, REF], e.rank_gate[c, rank, REF])
    for bank in range(rank * e.p[P_PER_RANK], (rank + 1) * e.p[P_PER_RANK]):
        gate = max(gate, max(e.bank_gate[c, bank, REF], e.group_gate[c, bank // e.p[P_PER_GROUP], REF]))
    return gate


@compiled
def at_channel(e: Engine, c: int, command: int) -> int:
    """Earliest cycle of a command to all banks."""
    gate = e.channel_gate[c, command]
    for rank in range(e.p[P_RANKS]):
        gate = max(gate, e.rank_gate[c, rank, command])
    return gate


@compiled
def close_gate(e: Engine, c: int, command: int, first: int, count: int) -> int:
    """Earliest cycle at which one PIM_PRE closes `count` banks from `first` on."""
    gate = 0
    for bank in range(first, first + count):
        if e.pim_row[c, bank] != CLOSED or count == 1:
            gate = max(gate, at_bank(e, c, command, bank))
    if count > 1:
        for bank in range(first, first + count):
            gate = max(gate, e.group_gate[c, bank // e.p[P_PER_GROUP], command])
    return gate


@compiled
def issue(e: Engine, c: int, command: int, bank: int, row: int, n: int) -> None:
    """Issue a command in this cycle: its gates, the counts and the trace."""
    cycle = e.s[c, S_CYCLE]
    record(e, c, command, max(bank, 0), cycle, n)
    note(e, c, command, bank, row, n)


@compiled
def note(e: Engine, c: int, command: int, bank: int, row: int, n: int) -> None:
    """Count and trace a command, and forget what was known about the next ones."""
    e.counts[c, command] += 1
    e.s[c, S_ISSUED] = command
    e.s[c, S_ACTIVE] = 1
    e.s[c, S_PIM_WAKE] = e.s[c, S_MEMORY_WAKE] = e.s[c, S_REFRESH_WAKE] = 0
    if e.p[P_TRACE]:
        place = e.trace[-1, 0]
        e.trace[place, 0], e.trace[place, 1], e.trace[place, 2] = e.s[c, S_CYCLE], c, command
        e.trace[place, 3], e.trace[place, 4], e.trace[place, 5] = bank, row, n
        e.trace[-1, 0] += 1


@compiled
def complete(e: Engine, block: int, cycle: int) -> None:
    """One part of a block is complete at `cycle`."""
    if block < 0:
        return
    e.left[block] -= 1
    e.done[block] = max(e.done[block], cycle)
    if e.left[block] == 0:
        e.finished[e.finished[-1]] = block
        e.finished[-1] += 1


@compiled
def all_closed(e: Engine, c: int, first: int, count: int) -> bool:
    """Whether `count` banks have no row open in either buffer."""
    for bank in range(first, first + count):
        if e.memory_row[c, bank] != CLOSED or e.pim_row[c, bank] != CLOSED:
            return False
    return True


@compiled
def any_pim_closed(e: Engine, c: int) -> bool:
    """Whether a bank has no row open for PIM."""
    for bank in range(e.p[P_BANKS]):
        if e.pim_row[c, bank] == CLOSED:
            return True
    return False
