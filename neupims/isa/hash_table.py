"""The hash table of `isa.hash_order`, compiled: entries are put in one after the other, and the table grows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.jit import Array, Ints, Narrow, compiled, inlined, lowest_bit, pointer

INFO_BITS = 5
FURTHER = (1 << INFO_BITS) - 1
"""Bits of a hash that order entries of one home place."""
LEAST_PLACES = 8
FULL = 255
"""Largest info byte."""
NEAR = (FULL >> INFO_BITS) - 2
"""Places by which an entry may be away from its home place before a table drops a bit."""

FIRST_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
"""Of the finalizer of MurmurHash3."""
SECOND_FACTOR = np.uint64(0xC4CEB9FE1A85EC53)
HALF = np.uint64(33)
USED = np.uint64((1 << 40) - 1)
"""Bits of a hash that any table uses."""

SIZE, STEP, DROPPED, FAR = range(4)
"""State of a table: its places, what a place adds to the info byte, further bits dropped, whether one more must be."""

OVERFLOW = -1
"""What `list_runs` returns where entries are so far from their home places that no info byte can tell."""

CHANNEL, ROW, COLUMN, BANK = range(4)
"""Parts of an address; in `fields` [field, (size, part, weight in a bank number)] the least significant is first."""


@compiled
def list_runs(
    starts: Array,
    sizes: Array,
    blocks: Array,
    layout: Array,
    fields: Array,
    room: Narrow,
    hashed: Array,
    write: bool,
    runs: NDArray[Any],
) -> int:
    """Write a RUN for each burst of some instructions, in the order of a hash table for each; how many, or OVERFLOW.

    Instruction i has `sizes[i]` bytes from `starts[i]` on and belongs to block `blocks[i]`. `layout`: where bytes begin
    anew, bytes of a burst, columns of a row, bursts between two of its columns. `room` [3, place]: at least two places
    for each of the largest table's, and FULL more; `hashed` [2, place]: one for each burst of an instruction, and 4.
    """
    wrap, size = layout[0], layout[1]
    info, entry, listed = pointer(room[0]), pointer(room[1]), pointer(room[2])
    state, bursts, hashes = pointer(hashed[0]), pointer(hashed[0, 4:]), pointer(hashed[1])
    done = 0
    for i in range(len(sizes)):
        n, start, end = 0, starts[i], starts[i] + sizes[i]
        while start < end:
            until = min(end, (start // wrap + 1) * wrap)
            low = start % wrap
            for burst in range(low // size, (low + until - start - 1) // size + 1):
                bursts[n], hashes[n] = burst, _mixed(_linear(burst, layout[2], layout[3]) * size)
                n += 1
            start = until
        if not (_sort(info, entry, listed, hashes, n) or _fill(info, entry, state, listed, hashes, n)):
            return OVERFLOW
        for place in range(n):
            _split(bursts[listed[place]], fields, runs[done + place])
            runs[done + place]["block"], runs[done + place]["write"] = blocks[i], write
        done += n
    return done


@inlined
def _linear(burst: int, columns: int, stride: int) -> int:
    """The number of a burst if the columns of a row followed each other."""
    above, lane = _divided(burst, stride)
    high, column = _divided(above, columns)
    return (high * stride + lane) * columns + column


@inlined
def _divided(value: int, by: int) -> tuple[int, int]:
    """Quotient and remainder; most sizes are powers of two, for which no division is needed."""
    if by & (by - 1) == 0:
        return value >> lowest_bit(by), value & (by - 1)
    return value // by, value % by


@inlined
def _mixed(address: int) -> int:
    x = np.uint64(address)
    x = (x ^ (x >> HALF)) * FIRST_FACTOR
    x = (x ^ (x >> HALF)) * SECOND_FACTOR
    return np.int64((x ^ (x >> HALF)) & USED)  # type: ignore[return-value]


@inlined
def _split(burst: int, fields: Array, run: Any) -> None:
    channel = row = column = bank = 0
    for field in range(len(fields)):
        part = fields[field, 1]
        burst, digit = _divided(burst, fields[field, 0])
        channel += digit * (part == CHANNEL)
        row += digit * (part == ROW)
        column += digit * (part == COLUMN)
        bank += digit * (part == BANK) * fields[field, 2]
    run["channel"], run["row"], run["column"], run["bank"] = channel, row, column, bank
    run["bursts"], run["feeds_pim"] = 1, 0


@inlined
def _home(value: int, size: int) -> int:
    """The place at which an entry would be if there were no others."""
    return (value >> INFO_BITS) & (size - 1)


@inlined
def _sort(start_of: Ints, key: Ints, out: Ints, hashes: Ints, count: int) -> bool:
    """Write to `out` in which order `count` entries are listed, unless one would be far from its home place.

    If none is, they stand by home place, then by further bits, highest first, then as they came.
    """
    size = LEAST_PLACES
    while count > size * 8 // 10:
        size *= 2
    for home in range(size + 1):
        start_of[home] = 0
    for i in range(count):
        start_of[_home(hashes[i], size) + 1] += 1
    place = 0
    for home in range(size):
        behind = max(place, home) + start_of[home + 1]
        if behind > home + NEAR + 1:
            return False
        place = max(place, behind)
        start_of[home + 1] += start_of[home]
    for i in range(count):
        home = _home(hashes[i], size)
        place = start_of[home]
        start_of[home] = place + 1
        out[place], key[place] = i, home << INFO_BITS | FURTHER - (hashes[i] & FURTHER)
    for i in range(1, count):
        place, entry, own = i, out[i], key[i]
        while place and key[place - 1] > own:
            out[place], key[place] = out[place - 1], key[place - 1]
            place -= 1
        out[place], key[place] = entry, own
    return True


@inlined
def _fill(info: Ints, entry: Ints, state: Ints, out: Ints, hashes: Ints, count: int) -> bool:
    """Put in the entries 0 to `count` - 1, and write to `out` in which order they are listed, unless they overflow."""
    _clear(info, state, LEAST_PLACES)
    for i in range(count):
        if i >= state[SIZE] * 8 // 10:
            _list(info, entry, out, i)
            _clear(info, state, 2 * state[SIZE])
            for j in range(i):
                if not _put(info, entry, state, out[j], hashes[out[j]]):
                    return False
        if not _put(info, entry, state, i, hashes[i]):
            return False
    _list(info, entry, out, count)
    return True


@inlined
def _clear(info: Ints, state: Ints, size: int) -> None:
    for place in range(2 * size + FULL):
        info[place] = 0
    state[SIZE], state[STEP], state[DROPPED], state[FAR] = size, 1 << INFO_BITS, 0, 0


@inlined
def _list(info: Ints, entry: Ints, out: Ints, count: int) -> None:
    """Write the `count` entries in the order of their places; in between, what is written is not yet the next one."""
    n = place = 0
    while n < count:
        out[n] = entry[place]
        n, place = n + (info[place] > 0), place + 1


@inlined
def _put(info: Ints, entry: Ints, state: Ints, new: int, value: int) -> bool:
    """Put in an entry behind those with an info byte that is not less; what is in its place moves up.

    Not if another one is too far from its home place and no bit is left to drop.
    """
    if state[FAR]:
        if state[STEP] == 1:
            return False
        _drop_bit(info, state)
    step, place = state[STEP], _home(value, state[SIZE])
    byte = step + ((value & FURTHER) >> state[DROPPED])
    while byte <= info[place]:
        place, byte = place + 1, byte + step
    while True:
        if byte + step > FULL:
            state[FAR] = 1
        there, before = info[place], entry[place]
        info[place], entry[place] = byte, new
        if there == 0:
            return True
        byte, new, place = there + step, before, place + 1


@inlined
def _drop_bit(info: Ints, state: Ints) -> None:
    """An entry is far from its home place: the table drops the lowest of the further bits, for those to come."""
    for place in range(2 * state[SIZE] + FULL):
        info[place] >>= 1
    state[STEP], state[DROPPED], state[FAR] = state[STEP] >> 1, state[DROPPED] + 1, 0
