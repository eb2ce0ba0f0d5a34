"""Rules at work in the compiled engine; see `machine.dram.gates`."""

from neupims.jit import Ints, compiled, inlined
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.lines import waits_for


@compiled
def record(k: Ints, x: Ints, command: int, bank: int, cycle: int, n: int) -> None:
    """Push back what has to wait for `command`."""
    rank = k[k[at.O_RANK_OF] + bank]
    rule_end = k[at.RULE_FIRST + command + 1]
    for number in range(k[at.RULE_FIRST + command], rule_end):
        rule = k[at.O_RULES] + number * at.RULE
        rows, after, gate = k[rule + at.U_ROWS], k[rule + at.U_AFTER], cycle + k[rule + at.U_GAP]
        if k[rule + at.U_VARIES]:
            gate = cycle + k[k[at.O_GAPS] + number * k[at.O_WIDTH] + n]
            until = k[k[at.O_UNTILS] + number * k[at.O_WIDTH] + n]
            if until >= 0:
                if x[at.DARK_FROM + after] <= cycle <= x[at.DARK_TO + after]:
                    _push(x, at.CHANNEL_GATE + after, x[at.DARK_TO + after] + 1)
                x[at.DARK_FROM + after], x[at.DARK_TO + after] = gate, cycle + until
                continue
        _push(x, k[rows + bank] + after, gate)
    if command == at.ACT:
        _activated(k, x, rank, cycle)
    elif command == at.PIM_ACT and k[at.P_SHARED_WINDOW]:
        for _ in range(4):
            _activated(k, x, rank, cycle)


@inlined
def _push(x: Ints, place: int, gate: int) -> None:
    if gate > x[place]:
        x[place] = gate


@inlined
def _activated(k: Ints, x: Ints, rank: int, cycle: int) -> None:
    n = x[k[at.O_ACTS_N] + rank]
    x[k[at.O_ACTS] + rank * 4 + (n & 3)] = cycle
    x[k[at.O_ACTS_N] + rank] = n + 1


@inlined
def after_dark(x: Ints, command: int, cycle: int) -> int:
    """The first cycle from `cycle` on in which `command` is not kept out."""
    if x[at.DARK_FROM + command] <= cycle <= x[at.DARK_TO + command]:
        return x[at.DARK_TO + command] + 1
    return cycle


@inlined
def window(k: Ints, x: Ints, rank: int, weight: int) -> int:
    """Earliest cycle at which tFAW allows `weight` more activations."""
    n = x[k[at.O_ACTS_N] + rank]
    if n < 5 - weight:
        return 0
    return x[k[at.O_ACTS] + rank * 4 + ((n + weight - 5) & 3)] + k[at.P_FAW]


@inlined
def at_bank(k: Ints, x: Ints, command: int, bank: int) -> int:
    """Earliest cycle of a command to one bank."""
    gate = max(x[at.CHANNEL_GATE + command], x[k[k[at.O_RANK_ROW] + bank] + command])
    gate = max(gate, x[k[k[at.O_GROUP_ROW] + bank] + command])
    gate = max(gate, x[k[k[at.O_BANK_ROW] + bank] + command])
    if command == at.ACT:
        gate = max(gate, window(k, x, k[k[at.O_RANK_OF] + bank], 1))
    return gate


@inlined
def at_group(k: Ints, x: Ints, group: int, closed_only: bool) -> int:
    """Earliest cycle of a PIM_ACT; published: the first closed bank that is ready is enough."""
    per, complete_rows = k[at.P_PER_GROUP], k[at.P_COMPLETE_ROWS]
    narrow = 0 if complete_rows else at.FAR
    for bank in range(group * per, (group + 1) * per):
        if closed_only and x[k[at.O_PIM_ROW] + bank] != at.CLOSED:
            continue
        gate = x[k[k[at.O_BANK_ROW] + bank] + at.PIM_ACT]
        narrow = max(narrow, gate) if complete_rows else min(narrow, gate)
    gate = max(
        at_any_group(k, x, k[k[at.O_RANK_OF] + group * per]), x[k[at.O_GROUP_GATE] + group * at.KINDS + at.PIM_ACT]
    )
    return max(gate, narrow)


@inlined
def at_any_group(k: Ints, x: Ints, rank: int) -> int:
    """Earliest cycle of a PIM_ACT in any group of a rank, as far as the rank goes."""
    gate = max(x[at.CHANNEL_GATE + at.PIM_ACT], x[k[at.O_RANK_GATE] + rank * at.KINDS + at.PIM_ACT])
    return max(gate, window(k, x, rank, 4)) if k[at.P_SHARED_WINDOW] else gate


@inlined
def at_rank(k: Ints, x: Ints, rank: int) -> int:
    """Earliest cycle of a REF."""
    gate = max(x[at.CHANNEL_GATE + at.REF], x[k[at.O_RANK_GATE] + rank * at.KINDS + at.REF])
    for bank in range(rank * k[at.P_PER_RANK], (rank + 1) * k[at.P_PER_RANK]):
        gate = max(gate, x[k[k[at.O_BANK_ROW] + bank] + at.REF])
        gate = max(gate, x[k[k[at.O_GROUP_ROW] + bank] + at.REF])
    return gate


@inlined
def at_channel(k: Ints, x: Ints, command: int) -> int:
    """Earliest cycle of a command to all banks."""
    gate = x[at.CHANNEL_GATE + command]
    for rank in range(k[at.P_RANKS]):
        gate = max(gate, x[k[at.O_RANK_GATE] + rank * at.KINDS + command])
    return gate


@inlined
def close_gate(k: Ints, x: Ints, command: int, first: int, count: int) -> int:
    """Earliest cycle at which one PIM_PRE closes `count` banks from `first` on."""
    if count == 1:
        return at_bank(k, x, command, first)
    gate = 0
    for bank in range(first, first + count):
        gate = max(gate, x[k[k[at.O_GROUP_ROW] + bank] + command])
        gate = max(gate, x[k[k[at.O_RANK_ROW] + bank] + command])
        if x[k[at.O_PIM_ROW] + bank] != at.CLOSED:
            gate = max(gate, x[k[k[at.O_BANK_ROW] + bank] + command])
    return max(gate, x[at.CHANNEL_GATE + command])


@inlined
def issue(k: Ints, x: Ints, command: int, bank: int, row: int, n: int) -> None:
    """Issue a command in this cycle: its gates, the counts and the trace."""
    record(k, x, command, max(bank, 0), x[at.S_CYCLE], n)
    note(k, x, command, bank, row, n)


@compiled
def note(k: Ints, x: Ints, command: int, bank: int, row: int, n: int) -> None:
    """Count and trace a command, and forget what was known about the next ones."""
    x[at.COUNTS + command] += 1
    x[at.S_ISSUED], x[at.S_ACTIVE] = command, 1
    x[at.S_MEMORY_WAKE] = 0
    if not (_is_of_row(command) or (command == at.RD and _lets_nothing_move(k, x, bank))):
        x[at.S_STUCK] = 0
    _wake_enabled(k, x, command, bank)
    if command != at.RD and command != at.WR:
        x[at.S_PIM_WAKE] = x[at.S_REFRESH_WAKE] = 0
    if k[at.P_TRACE]:
        trace(k, x, x[at.S_CYCLE], command, bank, row, 0 if command == at.PIM_MAC else n)


@inlined
def trace(k: Ints, x: Ints, cycle: int, command: int, bank: int, row: int, n: int) -> None:
    """Keep a command."""
    place = k[at.O_TRACE] + x[at.S_TRACED] * at.TRACED
    x[place], x[place + 1], x[place + 2], x[place + 3], x[place + 4] = cycle, command, bank, row, n
    x[at.S_TRACED] += 1


@inlined
def _wake_enabled(k: Ints, x: Ints, command: int, bank: int) -> None:
    """Forget when those bank queues could issue to which `command` may give a chance: never by its gates."""
    if command == at.RD or command == at.WR:
        return  # as to its own bank, that depends on what is next in the queue
    if command <= at.PRE or (command == at.PIM_PRE and k[at.P_SCOPE] == at.SCOPE_BANK):
        wake_up(k, x, bank)
    elif k[at.P_DUAL] == 0 or command == at.REF or command == at.PIM_PRE:
        look_again(k, x)
    elif command == at.PIM_ACT:
        rank = k[k[at.O_RANK_OF] + bank]
        if has_closed(k, x, rank * k[at.P_PER_RANK], k[at.P_PER_RANK]):
            for other in range(bank, bank + k[at.P_PER_GROUP]):
                wake_up(k, x, other)
        else:
            look_again(k, x)  # activations that would have pushed back its own are free


@inlined
def _is_of_row(command: int) -> bool:
    """Whether a command opens or closes a row: transactions move no matter which rows are open."""
    return command == at.ACT or command == at.PRE or command == at.PIM_ACT or command == at.PIM_PRE


@inlined
def _lets_nothing_move(k: Ints, x: Ints, bank: int) -> bool:
    """Whether the place that a RD leaves in its bank's queue is of use to no transaction that waits."""
    return not waits_for(k, x, at.READ_LINE, bank) and x[at.S_DRAINING] == 0 and x[at.S_QUEUED] > 1


@compiled
def look_again(k: Ints, x: Ints) -> None:
    """Forget when each bank queue could issue: something may have become possible earlier.

    With two row buffers, PIM holds up no access to an open row that it has not reserved, so it lets none go earlier.
    """
    x[at.S_MEMORY_WAKE] = 0
    for word in range(k[at.O_WORDS]):
        awaits, asleep = k[at.O_AWAITS] + at.AWAITED * word, k[at.O_ASLEEP] + word
        accesses = (x[awaits + at.RD] | x[awaits + at.WR]) * k[at.P_DUAL]
        x[asleep] &= accesses
        x[k[at.O_AWAKE] + word] = x[k[at.O_IN_QUEUE] + word] & ~x[asleep]
        x[awaits + at.ACT] = x[awaits + at.PRE] = 0
        x[awaits + at.RD] &= accesses
        x[awaits + at.WR] &= accesses


@inlined
def wake_up(k: Ints, x: Ints, bank: int) -> None:
    """Forget when a bank queue could issue."""
    wake_up_all(k, x, bank // at.WORD, 1 << bank % at.WORD)


@inlined
def wake_up_all(k: Ints, x: Ints, word: int, banks: int) -> None:
    """Forget when the queues of some banks of a word could issue."""
    x[k[at.O_AWAKE] + word] |= banks & x[k[at.O_IN_QUEUE] + word]
    x[k[at.O_ASLEEP] + word] &= ~banks
    for place in range(k[at.O_AWAITS] + at.AWAITED * word, k[at.O_AWAITS] + at.AWAITED * (word + 1)):
        x[place] &= ~banks


@inlined
def complete(x: Ints, b: Ints, block: int, cycle: int) -> None:
    """One part of a block is complete at `cycle`, in each channel that this one stands for."""
    if block < 0:
        return
    left, n = at.B_LEFT + block, b[at.B_N]
    b[left] -= x[at.S_WEIGHT]
    b[left + n] = max(b[left + n], cycle)
    if b[left] == 0:
        b[at.B_LEFT + 2 * n + b[at.B_FINISHED]] = block
        b[at.B_FINISHED] += 1


@inlined
def all_closed(k: Ints, x: Ints, first: int, count: int) -> bool:
    """Whether `count` banks have no row open in either buffer."""
    for bank in range(first, first + count):
        if x[k[at.O_MEMORY_ROW] + bank] != at.CLOSED or x[k[at.O_PIM_ROW] + bank] != at.CLOSED:
            return False
    return True


@inlined
def has_closed(k: Ints, x: Ints, first: int, count: int) -> bool:
    """Whether one of `count` banks has no row open for PIM."""
    last, bank, closed = first + count, first, 0
    while bank < last:
        word, low = bank // at.WORD, bank % at.WORD
        high = min(at.WORD, low + last - bank)
        closed |= ~x[k[at.O_PIM_OPEN] + word] & ((1 << high) - (1 << low))
        bank += high - low
    return closed != 0


@inlined
def set_pim_row(k: Ints, x: Ints, bank: int, row: int) -> None:
    """Open a row for PIM, or close it."""
    word, bit = k[at.O_PIM_OPEN] + bank // at.WORD, 1 << bank % at.WORD
    x[k[at.O_PIM_ROW] + bank] = row
    x[word] = x[word] & ~bit if row == at.CLOSED else x[word] | bit


@inlined
def set_memory_row(k: Ints, x: Ints, bank: int, row: int) -> None:
    """Open a row for accesses, or close it; its hits begin anew."""
    rows, before = k[at.O_OPEN_ROWS], x[k[at.O_MEMORY_ROW] + bank]
    if before != at.CLOSED:
        x[rows + (before & (at.OPEN_ROWS - 1))] -= 1
    if row != at.CLOSED:
        x[rows + (row & (at.OPEN_ROWS - 1))] += 1
    x[k[at.O_MEMORY_ROW] + bank], x[k[at.O_HITS] + bank] = row, 0
    if k[at.P_DUAL] == 0:
        set_pim_row(k, x, bank, row)
