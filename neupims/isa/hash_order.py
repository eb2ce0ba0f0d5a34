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


def hashed_runs(
    address: AddressMap, start: int, wrap: int, sizes: Integers, blocks: Integers, write: bool
) -> NDArray[Any]:
    """One RUN for each burst of instructions whose bytes follow each other from `start` on.

    Instruction i has `sizes[i]` bytes and belongs to block `blocks[i]`; its bursts come as a hash set lists them.
    After byte `wrap` - 1 comes byte 0.
    """
    from neupims.isa.hash_table import list_runs  # loads the compiler

    most = sizes // address.burst_bytes + 2 * (sizes // wrap + 2)
    largest = int(most.max(initial=1))
    room = np.empty((3, 2 * _places(largest) + BEYOND), np.int32)
    hashed = np.empty((2, 4 + largest), np.int64)
    runs = np.empty(int(most.sum()), RUN)
    layout = np.array([start, wrap, address.burst_bytes, dict(address.fields)["column"], address.column_stride])
    return runs[: list_runs(sizes, blocks, layout, _fields(address), room, hashed, write, runs)]


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
