"""Bursts in the order in which a hash table lists their addresses.

The published simulator collects the bursts of an instruction in a hash set and sends them in the order in which the
set lists them. It decides which read of a row comes last, and which posted write is first in line. The table is
that of the library robin_hood: open addressing with a power of two of places, at least 8, doubled when 80 % are
taken, where entries of one home place stand by five further bits of their hash, highest first. An address counts
bytes as if the columns of a row followed each other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.isa.address import AddressMap
from neupims.isa.memory import RUN

Integers = NDArray[np.int64]

BEYOND = 256
"""Places of a table beyond two for each of its own."""


class HashOrder:
    """Lists the bursts of one instruction after the other in the order of a hash table."""

    def __init__(self, address: AddressMap, wrap: int) -> None:
        self._burst_bytes, self._wrap = address.burst_bytes, wrap
        columns = dict(address.fields)["column"]
        self._layout = np.array([0, wrap, address.burst_bytes, columns, address.column_stride])
        self._fields = _fields(address)
        self._largest = 0
        """Bursts of an instruction for which there is room."""

    def runs(self, start: int, sizes: Integers, blocks: Integers, write: bool) -> NDArray[Any]:
        """One RUN for each burst of instructions whose bytes follow each other from `start` on.

        Instruction i has `sizes[i]` bytes and belongs to block `blocks[i]`; its bursts come as a hash set lists them.
        After byte `wrap` - 1 comes byte 0.
        """
        from neupims.isa.hash_table import list_runs  # loads the compiler

        largest = self._most(int(sizes.max(initial=0)), 1)
        if largest > self._largest:
            self._make_room(largest)
        runs = np.empty(self._most(int(sizes.sum()), len(sizes)), RUN)
        self._layout[0] = start
        return runs[: list_runs(sizes, blocks, self._layout, self._fields, self._room, self._hashed, write, runs)]

    def _most(self, size: int, instructions: int) -> int:
        """Bursts of `size` bytes, at most: each instruction, and each lap, may cut one at both of its ends."""
        return size // self._burst_bytes + 2 * (size // self._wrap) + 4 * instructions

    def _make_room(self, largest: int) -> None:
        self._largest = largest
        self._room = np.empty((3, 2 * _places(largest) + BEYOND), np.int32)
        self._hashed = np.empty((2, 4 + largest), np.int64)


def _fields(address: AddressMap) -> Integers:
    """See `hash_table`."""
    sizes = dict(address.fields)
    parts = {"channel": (0, 0), "row": (1, 0), "column": (2, 0), "bank": (3, 1)}
    parts |= {"group": (3, sizes["bank"]), "rank": (3, sizes["bank"] * sizes["group"])}
    return np.array([(size, *parts[name]) for name, size in reversed(address.fields)])


def _places(count: int) -> int:
    """Places of a table for so many entries."""
    places = 8
    while count > places * 8 // 10:
        places *= 2
    return places
