"""Transactions that wait in the order of their arrival, reads in one line and writes in another.

Where one has left before those in front of it, there is a gap.
A line has at least two places for each transaction that it may hold, LINE_WORD to a word. Bits say which places are
taken, which of them by accesses to a bank, and which by accesses to banks whose queue has room: so the first access
that may move, and those of one bank, are found without a look at the others.
"""

from neupims.jit import Ints, compiled, inlined, lowest_bit
from neupims.machine.dram.fast import layout as at


@inlined
def ring(place: int, size: int) -> int:
    """A place that is at most once round."""
    return place - size if place >= size else place


@inlined
def transaction_at(k: Ints, line: int, place: int) -> int:
    """Where the transaction at a place of a line is."""
    return k[at.O_READS + line] + place * at.FIELDS


@inlined
def enter(k: Ints, x: Ints, line: int, bank: int) -> int:
    """Take the last place of a line, for an access to `bank` or, if that is negative, anything else; where it is."""
    words = k[at.P_READ_WORDS + line]
    if x[at.S_READS + line] == 0:
        x[at.S_READ_HEAD + line] = x[at.S_READ_END + line]
    elif x[at.S_READ_HEAD + line] == x[at.S_READ_END + line]:
        _close_up(k, x, line)
    place = x[at.S_READ_END + line]
    x[at.S_READ_END + line] = ring(place + 1, words * at.LINE_WORD)
    x[at.S_READS + line] += 1
    _take(k, x, line, place, bank)
    return transaction_at(k, line, place)


@inlined
def _take(k: Ints, x: Ints, line: int, place: int, bank: int) -> None:
    word, bit = place // at.LINE_WORD, 1 << place % at.LINE_WORD
    x[k[at.O_READS_TAKEN + line] + word] |= bit
    if bank >= 0:
        x[k[at.O_READS_OF_BANK + line] + bank * k[at.P_READ_WORDS + line] + word] |= bit
        if x[k[at.O_QUEUE_N] + bank] < k[at.P_BANK_QUEUE]:
            x[k[at.O_READS_MOVABLE + line] + word] |= bit


@inlined
def leave(k: Ints, x: Ints, line: int, place: int, bank: int) -> None:
    """Give up a place; `bank` as in `enter`."""
    word, others = place // at.LINE_WORD, ~(1 << place % at.LINE_WORD)
    x[k[at.O_READS_TAKEN + line] + word] &= others
    if bank >= 0:
        x[k[at.O_READS_OF_BANK + line] + bank * k[at.P_READ_WORDS + line] + word] &= others
        x[k[at.O_READS_MOVABLE + line] + word] &= others
    x[at.S_READS + line] -= 1
    x[at.S_REFUSED] = 0
    if place == x[at.S_READ_HEAD + line] and x[at.S_READS + line]:
        x[at.S_READ_HEAD + line] = _from(x, k[at.O_READS_TAKEN + line], k[at.P_READ_WORDS + line], place)


@inlined
def following(k: Ints, x: Ints, line: int, place: int) -> int:
    """The next place that is taken behind one that is: round and round."""
    words = k[at.P_READ_WORDS + line]
    return _from(x, k[at.O_READS_TAKEN + line], words, ring(place + 1, words * at.LINE_WORD))


@inlined
def first_movable(k: Ints, x: Ints, line: int) -> int:
    """Place of the first access to a bank whose queue has room, or NONE."""
    return _from(x, k[at.O_READS_MOVABLE + line], k[at.P_READ_WORDS + line], x[at.S_READ_HEAD + line])


@inlined
def waits_for(k: Ints, x: Ints, line: int, bank: int) -> bool:
    """Whether an access to a bank is in a line."""
    words = k[at.P_READ_WORDS + line]
    of_bank, any_of_them = k[at.O_READS_OF_BANK + line] + bank * words, 0
    for word in range(words):
        any_of_them |= x[of_bank + word]
    return any_of_them != 0


@inlined
def access_to(k: Ints, x: Ints, line: int, bank: int, address: int) -> int:
    """Place of an access to an address, or NONE."""
    words = k[at.P_READ_WORDS + line]
    of_bank = k[at.O_READS_OF_BANK + line] + bank * words
    for word in range(words):
        bits = x[of_bank + word]
        while bits:
            place = word * at.LINE_WORD + lowest_bit(bits)
            if x[transaction_at(k, line, place) + at.T_ADDRESS] == address:
                return place
            bits &= bits - 1
    return at.NONE


@inlined
def tell_room(k: Ints, x: Ints, bank: int, room: bool) -> None:
    """The queue of a bank has become full, or is full no more."""
    for line in (at.READ_LINE, at.WRITE_LINE):
        words = k[at.P_READ_WORDS + line]
        movable, of_bank = k[at.O_READS_MOVABLE + line], k[at.O_READS_OF_BANK + line] + bank * words
        for word in range(words):
            others = x[movable + word] & ~x[of_bank + word]
            x[movable + word] = others | (x[of_bank + word] if room else 0)


@inlined
def _from(x: Ints, bits_at: int, words: int, place: int) -> int:
    """The first place from `place` on, and round, whose bit is set, or NONE."""
    first = place // at.LINE_WORD
    bits = x[bits_at + first] & ~((1 << place % at.LINE_WORD) - 1)
    if bits:
        return first * at.LINE_WORD + lowest_bit(bits)
    for turn in range(1, words + 1):
        word = ring(first + turn, words)
        if x[bits_at + word]:
            return word * at.LINE_WORD + lowest_bit(x[bits_at + word])
    return at.NONE


@compiled
def _close_up(k: Ints, x: Ints, line: int) -> None:
    """All move up to the head of a line whose end has come round to it: it has room to spare, so there are gaps."""
    n, places = x[at.S_READS + line], k[at.P_READ_WORDS + line] * at.LINE_WORD
    place = head = x[at.S_READ_HEAD + line]
    for turn in range(n):
        t, to = transaction_at(k, line, place), transaction_at(k, line, ring(head + turn, places))
        for field in range(at.FIELDS):
            x[to + field] = x[t + field]
        place = following(k, x, line, place)
    _forget(k, x, line)
    for turn in range(n):
        place = ring(head + turn, places)
        t = transaction_at(k, line, place)
        access = x[t + at.T_COMMAND] == at.RD or x[t + at.T_COMMAND] == at.WR
        _take(k, x, line, place, x[t + at.T_BANK] if access else -1)
    x[at.S_READ_END + line] = ring(head + n, places)


@inlined
def _forget(k: Ints, x: Ints, line: int) -> None:
    words = k[at.P_READ_WORDS + line]
    for word in range(words):
        x[k[at.O_READS_TAKEN + line] + word] = x[k[at.O_READS_MOVABLE + line] + word] = 0
    for word in range(words * k[at.P_BANKS]):
        x[k[at.O_READS_OF_BANK + line] + word] = 0
