"""The hash table of `isa.hash_order`, compiled: entries are put in one after the other, and the table grows."""

from neupims.jit import Array, Ints, compiled

INFO_BITS = 5
LEAST_PLACES = 8
FULL = 255
"""Largest info byte."""

SIZE, STEP, DROPPED, FAR = range(4)
"""State of a table: its places, what a place adds to the info byte, further bits dropped, whether one more must be."""


@compiled
def list_tables(hashes: Array, starts: Array, info: Array, entry: Array, moved: Array, order: Array) -> None:
    """Write to `order` the entries of each table in the order of their places.

    `hashes` [entry]; table t has the entries `starts[t]` to `starts[t + 1]` - 1. `info` and `entry` [place] have room
    for two places for each of the largest table's, and FULL more; `moved` for its entries.
    """
    state = info[len(info) - 4 :]
    for table in range(len(starts) - 1):
        low, high = starts[table], starts[table + 1]
        _clear(info, state, LEAST_PLACES)
        for i in range(low, high):
            n = i - low
            if n >= state[SIZE] * 8 // 10:
                _list(info, entry, state, moved)
                _clear(info, state, 2 * state[SIZE])
                for j in range(n):
                    _put(info, entry, state, int(moved[j]), int(hashes[moved[j]]))
            _put(info, entry, state, i, int(hashes[i]))
        _list(info, entry, state, order[low:high])


@compiled
def _clear(info: Array, state: Array, size: int) -> None:
    for place in range(2 * size + FULL):
        info[place] = 0
    state[SIZE], state[STEP], state[DROPPED], state[FAR] = size, 1 << INFO_BITS, 0, 0


@compiled
def _list(info: Array, entry: Array, state: Array, out: Ints) -> None:
    n = 0
    for place in range(2 * state[SIZE] + FULL):
        if info[place]:
            out[n] = entry[place]
            n += 1


@compiled
def _put(info: Array, entry: Array, state: Array, new: int, value: int) -> None:
    """Put in an entry behind those with an info byte that is not less; what is in its place moves up."""
    if state[FAR]:
        _drop_bit(info, state)
    step, place = int(state[STEP]), (value >> INFO_BITS) & (state[SIZE] - 1)
    byte = step + ((value & ((1 << INFO_BITS) - 1)) >> state[DROPPED])
    while byte <= info[place]:
        place, byte = place + 1, byte + step
    while True:
        if byte + step > FULL:
            state[FAR] = 1
        there, before = int(info[place]), int(entry[place])
        info[place], entry[place] = byte, new
        if there == 0:
            return
        byte, new, place = there + step, before, place + 1


@compiled
def _drop_bit(info: Array, state: Array) -> None:
    """An entry is far from its home place: the table drops the lowest of the further bits, for those to come."""
    for place in range(2 * state[SIZE] + FULL):
        info[place] >>= 1
    state[STEP], state[DROPPED], state[FAR] = state[STEP] >> 1, state[DROPPED] + 1, 0
