"""The order in which a hash table lists addresses.

The published simulator collects the bursts of an instruction in a hash set and sends them in the order in which the
set lists them. It decides which read of a row comes last, and which posted write is first in line. The table is
that of the library robin_hood: open addressing with the smallest power of two of places, at least 8, that is filled
to no more than 80 %, where entries of one home place stand by five further bits of their hash, highest first.
"""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

FIRST_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
"""Of the finalizer of MurmurHash3."""
SECOND_FACTOR = np.uint64(0xC4CEB9FE1A85EC53)
HALF = np.uint64(33)
INFO_BITS = 5
LEAST_PLACES = 8


def hash_order(addresses: Integers, tables: Integers) -> Integers:
    """Indices that list the addresses of each table as a hash set does; `tables` ascends.

    Entries that agree in place and further bits stand in the order in which they came. A table whose longest probe
    exceeds seven places keeps fewer bits from then on, which is left out here.
    """
    mixed = _mixed(addresses)
    counts = np.bincount(tables) if len(tables) else np.zeros(0, np.int64)
    home = (mixed >> np.uint64(INFO_BITS)).astype(np.int64) & (_places(counts)[tables] - 1)
    further = (mixed & np.uint64((1 << INFO_BITS) - 1)).astype(np.int64)
    return np.lexsort((-further, home, tables))


def _mixed(addresses: Integers) -> NDArray[np.uint64]:
    x = addresses.astype(np.uint64)
    for factor in (FIRST_FACTOR, SECOND_FACTOR):
        x = x ^ (x >> HALF)
        x = x * factor
    return x ^ (x >> HALF)


def _places(counts: Integers) -> Integers:
    """Places of a table for so many entries."""
    places = np.full(len(counts), LEAST_PLACES)
    while (full := counts > places * 8 // 10).any():
        places[full] *= 2
    return places
