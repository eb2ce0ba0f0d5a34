"""Which bank queue issues a memory command: round robin, the first that is ready; see `machine.dram.memory_arbiter`."""

from neupims.jit import Ints, inlined, lowest_bit
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.gates import after_dark, wake_up, window
from neupims.machine.dram.fast.lines import ring
from neupims.machine.dram.fast.memory import awaited, serve


@inlined
def memory_step(k: Ints, x: Ints, b: Ints) -> None:
    """Issue the first command that is ready, starting behind the bank that was served last."""
    if x[at.S_QUEUED] == 0 or x[at.S_CYCLE] < x[at.S_MEMORY_WAKE]:
        return
    if x[at.S_CYCLE] >= x[at.S_OWN_WAKE]:
        _wake(k, x)
    x[at.S_MEMORY_WAKE] = x[at.S_OWN_WAKE]
    words, first, banks, rest = k[at.O_WORDS], x[at.S_POINTER] // at.WORD, 0, 0
    upto = (2 << x[at.S_POINTER] % at.WORD) - 1
    for turn in range(words + 1):
        word = ring(first + turn, words) if turn < words else first
        banks = rest if turn == words else _ready(k, x, word)
        if turn == 0:
            banks, rest = banks & ~upto, banks & upto
        while banks:
            bank = word * at.WORD + lowest_bit(banks)
            if not _kept_out(k, x, bank) and _try(k, x, b, bank):
                x[at.S_POINTER] = bank
                return
            banks &= banks - 1


@inlined
def _wake(k: Ints, x: Ints) -> None:
    """Wake up the banks that are past their wake-up cycles, and note when the next one will be."""
    cycle, own, wakes = x[at.S_CYCLE], at.FAR, k[at.O_BANK_WAKE]
    for word in range(k[at.O_WORDS]):
        asleep = x[k[at.O_ASLEEP] + word]
        while asleep:
            bit = asleep & -asleep
            asleep &= asleep - 1
            wake = x[wakes + word * at.WORD + lowest_bit(bit)]
            if wake <= cycle:
                x[k[at.O_ASLEEP] + word] &= ~bit
                x[k[at.O_AWAKE] + word] |= bit
            else:
                own = min(own, wake)
    x[at.S_OWN_WAKE] = own


@inlined
def _ready(k: Ints, x: Ints, word: int) -> int:
    """Banks of a word that are awake, without those that wait for a command that channel or rank hold up."""
    banks, cycle = x[k[at.O_AWAKE] + word], x[at.S_CYCLE]
    for command in range(at.AWAITED):
        waiting = x[k[at.O_AWAITS] + at.AWAITED * word + command] & banks
        if waiting == 0:
            continue
        for rank in range(k[at.P_RANKS]):
            own = waiting & k[k[at.O_RANK_BITS] + rank * k[at.O_WORDS] + word]
            if own == 0:
                continue
            gate = max(x[at.CHANNEL_GATE + command], x[k[at.O_RANK_GATE] + rank * at.KINDS + command])
            own_rule = window(k, x, rank, 1) if command == at.ACT else after_dark(x, command, max(gate, cycle))
            gate = max(gate, own_rule)
            if gate > cycle:
                banks &= ~own
                x[at.S_MEMORY_WAKE] = min(x[at.S_MEMORY_WAKE], gate)
    return banks


@inlined
def _try(k: Ints, x: Ints, b: Ints, bank: int) -> bool:
    """Issue a command of a bank queue; either way, note when it may issue the next one."""
    gate = serve(k, x, b, bank)
    if gate > 0:
        _put_off(k, x, bank, gate, x[k[at.O_BANK_KIND] + bank])
        x[at.S_MEMORY_WAKE] = min(x[at.S_MEMORY_WAKE], gate)
        return False
    if x[k[at.O_QUEUE_N] + bank]:
        _look_ahead(k, x, bank)
    if x[at.S_ISSUED] == at.RD or x[at.S_ISSUED] == at.WR:
        _rest(k, x, x[at.S_ISSUED])
    return True


@inlined
def _put_off(k: Ints, x: Ints, bank: int, gate: int, kind: int) -> None:
    """A bank queue waits for `gate` or, if that is FAR, for an event; then for a command of `kind`."""
    word, bit = bank // at.WORD, 1 << bank % at.WORD
    awaits = k[at.O_AWAITS] + at.AWAITED * word
    for command in range(at.AWAITED):
        x[awaits + command] &= ~bit
    x[k[at.O_AWAKE] + word] &= ~bit
    if gate < at.FAR:
        x[k[at.O_BANK_WAKE] + bank] = gate
        x[k[at.O_ASLEEP] + word] |= bit
        if kind < at.AWAITED:
            x[awaits + kind] |= bit
        x[at.S_OWN_WAKE] = min(x[at.S_OWN_WAKE], gate)


@inlined
def _look_ahead(k: Ints, x: Ints, bank: int) -> None:
    """A command of a bank queue has issued: what waits for one alone sleeps as long as its bank and group hold it.

    An access behind one of its kind stays awake: the rank holds it as long, and it is over soon.
    """
    kind, word, bit = awaited(k, x, bank), bank // at.WORD, 1 << bank % at.WORD
    if kind == x[at.S_ISSUED] or kind == at.PIM_HEADER:
        wake_up(k, x, bank)
        if kind < at.AWAITED:
            x[k[at.O_AWAITS] + at.AWAITED * word + kind] |= bit
    else:
        gate = max(x[k[k[at.O_GROUP_ROW] + bank] + kind], x[k[k[at.O_BANK_ROW] + bank] + kind])
        _put_off(k, x, bank, gate, kind)


@inlined
def _rest(k: Ints, x: Ints, command: int) -> None:
    """Nothing can issue before the next access may if all banks that are awake wait for one that has to keep away."""
    others = 0
    for word in range(k[at.O_WORDS]):
        awaits = k[at.O_AWAITS] + at.AWAITED * word
        keep_away = x[awaits + at.WR] | (x[awaits + at.RD] if command == at.RD else 0)
        others |= x[k[at.O_AWAKE] + word] & ~keep_away
    if others == 0:
        gap = k[at.P_AFTER_READ] if command == at.RD else k[at.P_AFTER_WRITE]
        x[at.S_MEMORY_WAKE] = min(x[at.S_OWN_WAKE], x[at.S_CYCLE] + gap)


@inlined
def _kept_out(k: Ints, x: Ints, bank: int) -> bool:
    """Whether a GWRITE or a refresh has the bank for itself."""
    if x[at.S_GWRITING] and x[at.S_GWRITE_BANK] == bank:
        return True
    return x[at.S_IN_REFRESH] != 0 and k[k[at.O_RANK_OF] + bank] == x[at.S_REFRESH_RANK]
