"""The order in which a hash table lists addresses.

The published simulator collects the bursts of an instruction in a hash set and sends them in the order in which the
set lists them. It decides which read of a row comes last, and which posted write is first in line. The table is
that of the library robin_hood: open addressing with a power of two of places, at least 8, doubled when 80 % are
taken, where entries of one home place stand by five further bits of their hash, highest first.
"""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

FIRST_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
"""Of the finalizer of MurmurHash3."""
SECOND_FACTOR = np.uint64(0xC4CEB9FE1A85EC53)
HALF = np.uint64(33)
USED = np.uint64((1 << 40) - 1)
"""Bits of a hash that any table uses."""
ROOM = 1024
"""Places beyond two for each of a table's, and the table's own state."""


def hash_order(addresses: Integers, tables: Integers) -> Integers:
    """Indices that list the addresses of each table as a hash set does; `tables` ascends."""
    order = np.zeros(len(tables), np.int64)
    if not len(tables):
        return order
    from neupims.isa.hash_table import list_tables  # loads the compiler

    starts = np.searchsorted(tables, np.arange(int(tables[-1]) + 2))
    most = int(np.diff(starts).max())
    info, entry = (np.zeros(2 * _places(most) + ROOM, np.int64) for _ in range(2))
    list_tables(_mixed(addresses), starts, info, entry, np.zeros(most, np.int64), order)
    return order


def _mixed(addresses: Integers) -> Integers:
    x = addresses.astype(np.uint64)
    for factor in (FIRST_FACTOR, SECOND_FACTOR):
        x = x ^ (x >> HALF)
        x = x * factor
    return ((x ^ (x >> HALF)) & USED).astype(np.int64)


def _places(count: int) -> int:
    """Places of a table for so many entries."""
    places = 8
    while count > places * 8 // 10:
        places *= 2
    return places
