"""Names in the state of a channel: rows of banks and blocks, numbered in the order in which they are met.

What a controller does depends on which rows, addresses and blocks are the same, not on which they are. So states are
compared with numbers in place of names, and columns relative to the first one met in their row.

A table of names is one flat array of int64: counts, lists by number, and a hash table with open addressing.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from neupims.jit import Array, Ints, Narrow, compiled, inlined, pointer
from neupims.machine.dram.fast import layout as at

ROWS, BLOCKS, TURN, PLACES, CAPACITY = range(5)
"""Names of each sort that are numbered; the turn in which entries of the hash table hold; sizes."""
HEADER = 8
ROW_OF, COLUMN_OF, BLOCK_OF, PARTS_OF, LISTS = range(5)
"""Lists by number: key and first column of a row; id of a block, and its parts to come."""
KEY, NUMBER, SINCE, ENTRY = range(4)
"""Of an entry of the hash table."""
ROW_BITS, COLUMN_BITS = 32, 18
ANY_COLUMN = -1
"""No address of that row has been met."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers of rows [n], with their banks and first columns, and of blocks [m] stand for."""

    keys: Array
    """Of rows and their banks, see `_row_key`."""
    columns: Narrow
    blocks: Narrow

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names) and all(map(np.array_equal, self._lists, other._lists))

    @property
    def banks(self) -> Array:
        """The bank of each row."""
        return self.keys >> ROW_BITS + 1

    @property
    def rows(self) -> Array:
        """The rows."""
        return self.keys >> 1 & (1 << ROW_BITS) - 1

    @property
    def _lists(self) -> tuple[Array | Narrow, ...]:
        return self.keys, self.columns, self.blocks


class NameTable:
    """Room to number the names in one state."""

    def __init__(self) -> None:
        self.numbers: Array = np.zeros(0, np.int64)

    def reserve(self, names: int) -> None:
        """Be large enough for so many names of each sort."""
        if len(self.numbers) == 0 or self.numbers[CAPACITY] < names:
            names *= 2
            places = 1 << (3 * names).bit_length()
            self.numbers = np.zeros(HEADER + LISTS * names + ENTRY * places, np.int64)
            self.numbers[[PLACES, CAPACITY]] = places, names

    def names(self) -> Names:
        """Those that have been numbered."""
        keys, columns, blocks = self._list(ROW_OF, ROWS), self._list(COLUMN_OF, ROWS), self._list(BLOCK_OF, BLOCKS)
        return Names(keys.copy(), columns.astype(np.int32), blocks.astype(np.int32))

    def parts(self) -> Array:
        """Parts to come of each block that has been numbered."""
        return self._list(PARTS_OF, BLOCKS).copy()

    def load(self, names: Names) -> Self:
        """Number names as they have been numbered."""
        self.reserve(max(len(names.keys), len(names.blocks)))
        number_again(self.numbers, names.keys, names.columns, names.blocks)
        return self

    def _list(self, which: int, count: int) -> Array:
        start = HEADER + which * int(self.numbers[CAPACITY])
        return self.numbers[start : start + int(self.numbers[count])]


@inlined
def _entry_of(m: Ints, key: int) -> int:
    """Where the hash table has a key, or room for it."""
    mixed = (key ^ (key >> 29)) * 0x5851F42D4C957F2D
    place, last = (mixed >> 33) & (m[PLACES] - 1), m[PLACES] - 1
    table = HEADER + LISTS * m[CAPACITY]
    while True:
        entry = table + place * ENTRY
        if m[entry + SINCE] != m[TURN] or m[entry + KEY] == key:
            return entry
        place = (place + 1) & last


@inlined
def _number_of(m: Ints, key: int, count: int) -> int:
    """The number of a name, a new one if it has none."""
    entry = _entry_of(m, key)
    if m[entry + SINCE] == m[TURN]:
        return m[entry + NUMBER]
    number = m[count]
    m[entry + KEY], m[entry + NUMBER], m[entry + SINCE] = key, number, m[TURN]
    m[count] = number + 1
    return number


@inlined
def _row_key(bank: int, row: int) -> int:
    return bank << ROW_BITS + 1 | row << 1


@inlined
def _block_key(block: int) -> int:
    return block << 1 | 1


@inlined
def begin(m: Ints) -> None:
    """Nothing is numbered."""
    m[ROWS] = m[BLOCKS] = 0
    m[TURN] += 1


@inlined
def row_number(m: Ints, bank: int, row: int) -> int:
    """The number of a row of a bank; of none, CLOSED."""
    if row == at.CLOSED:
        return row
    return _key_number(m, _row_key(bank, row))


@inlined
def _key_number(m: Ints, key: int) -> int:
    before = m[ROWS]
    number = _number_of(m, key, ROWS)
    if number == before:
        m[HEADER + ROW_OF * m[CAPACITY] + number] = key
        m[HEADER + COLUMN_OF * m[CAPACITY] + number] = ANY_COLUMN
    return number


@inlined
def address_number(m: Ints, bank: int, address: int) -> int:
    """The number of an address's row, and its column relative to the first one met there."""
    number = row_number(m, bank, address >> 16)
    first, column = HEADER + COLUMN_OF * m[CAPACITY] + number, address & 0xFFFF
    if m[first] == ANY_COLUMN:
        m[first] = column
    return (number << COLUMN_BITS) + (1 << 16) + column - m[first]


@inlined
def block_number(m: Ints, block: int, parts: int) -> int:
    """The number of a block that has so many parts more; of none, NONE."""
    if block < 0:
        return at.NONE
    before = m[BLOCKS]
    number = _number_of(m, _block_key(block), BLOCKS)
    place = HEADER + BLOCK_OF * m[CAPACITY] + number
    if number == before:
        m[place], m[place + m[CAPACITY]] = block, 0
    m[place + m[CAPACITY]] += parts
    return number


@compiled
def number_again(numbers: Array, keys: Array, columns: Narrow, blocks: Narrow) -> None:
    """Number names as lists of them say."""
    m = pointer(numbers)
    begin(m)
    for i in range(len(keys)):
        number = _key_number(m, keys[i])
        m[HEADER + COLUMN_OF * m[CAPACITY] + number] = columns[i]
    for i in range(len(blocks)):
        block_number(m, int(blocks[i]), 0)


@inlined
def known_row(m: Ints, bank: int, row: int) -> int:
    """The number of a row, or NONE."""
    entry = _entry_of(m, _row_key(bank, row))
    return m[entry + NUMBER] if row >= 0 and m[entry + SINCE] == m[TURN] else at.NONE


@inlined
def known_block(m: Ints, block: int) -> int:
    """The number of a block, or NONE."""
    entry = _entry_of(m, _block_key(block))
    return m[entry + NUMBER] if block >= 0 and m[entry + SINCE] == m[TURN] else at.NONE


@inlined
def first_column(m: Ints, number: int) -> int:
    """The first column met in a row."""
    return m[HEADER + COLUMN_OF * m[CAPACITY] + number]
