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
FULL = 255
"""Largest info byte."""
FAR = 6
"""Distance from home from which on the next info byte would be too large."""
LARGEST_REPLAY = 2048
"""Entries of the largest table that is replayed; larger ones keep all further bits here."""


def hash_order(addresses: Integers, tables: Integers) -> Integers:
    """Indices that list the addresses of each table as a hash set does; `tables` ascends.

    Entries that agree in place and further bits stand in the order in which they came. When an entry ends up far from
    its home place, the table drops the lowest of the further bits, for those that come later.
    """
    if not len(tables):
        return np.zeros(0, np.int64)
    mixed, counts = _mixed(addresses), np.bincount(tables)
    places = _places(counts)
    home = (mixed >> np.uint64(INFO_BITS)).astype(np.int64) & (places[tables] - 1)
    further = (mixed & np.uint64((1 << INFO_BITS) - 1)).astype(np.int64)
    order = np.lexsort((-further, home, tables))
    for table in _crowded(home[order], tables[order]).tolist():
        low, high = np.searchsorted(tables, (table, table + 1)).tolist()
        if high - low <= LARGEST_REPLAY:
            order[low:high] = low + _replayed(home[low:high], further[low:high], int(places[table]))
    return order


def _crowded(home: Integers, tables: Integers) -> Integers:
    """Tables with an entry so far from home that further bits are dropped; entries in the order of the table."""
    start = np.searchsorted(tables, tables)
    within = np.arange(len(home)) - start
    lead = home - within + (tables << 40)
    distance = np.maximum.accumulate(lead) - lead
    return np.unique(tables[distance >= FAR])


def _replayed(home: Integers, further: Integers, places: int) -> Integers:
    """The order of one table, by putting in one entry after the other; those of the table half as large come first."""
    smaller = places // 2 * 8 // 10 if places > LEAST_PLACES else 0
    old = np.lexsort((-further[:smaller], home[:smaller] & (places // 2 - 1)))
    table = _Table(places)
    for entry in [*old.tolist(), *range(smaller, len(home))]:
        table.insert(entry, int(home[entry]), int(further[entry]))
    return np.array(table.entries, np.int64)


class _Table:
    """Places with an info byte each, 0 where empty: distance from home plus one, and further bits below."""

    def __init__(self, places: int) -> None:
        self._info = [0] * (2 * places + FULL)
        self._entry = [0] * (2 * places + FULL)
        self._step, self._dropped, self._far = 1 << INFO_BITS, 0, False

    @property
    def entries(self) -> list[int]:
        """Entries in the order of their places."""
        return [entry for entry, info in zip(self._entry, self._info, strict=True) if info]

    def insert(self, entry: int, home: int, further: int) -> None:
        """Put in an entry behind those with an info that is not less; what is in its place moves up."""
        if self._far:
            self._info = [info >> 1 for info in self._info]
            self._step, self._dropped, self._far = self._step >> 1, self._dropped + 1, False
        infos, place, info = self._info, home, self._step + (further >> self._dropped)
        while info <= infos[place]:
            place, info = place + 1, info + self._step
        end = infos.index(0, place)
        infos[place + 1 : end + 1] = [other + self._step for other in infos[place:end]]
        self._entry[place + 1 : end + 1] = self._entry[place:end]
        infos[place], self._entry[place] = info, entry
        self._far = max(infos[place : end + 1]) + self._step > FULL


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
