"""Bursts in the order in which a hash table lists their addresses.

The published simulator collects the bursts of an instruction in a hash set and sends them in the order in which the
set lists them. It decides which read of a row comes last, and which posted write is first in line. The table is
that of the library robin_hood: open addressing with a power of two of places, at least 8, doubled when 80 % are
taken, where entries of one home place stand by five further bits of their hash, highest first. An address counts
bytes as if the columns of a row followed each other.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.errors import ModelError
from neupims.isa.address import AddressMap
from neupims.isa.memory import RUN

Integers = NDArray[np.int64]

BEYOND = 256
"""Places of a table beyond two for each of its own."""


@dataclass(slots=True)
class HashOrder:
    """Lists the bursts of one instruction after the other in the order of a hash table.

    Instruction i has `sizes[i]` bytes from `starts[i]` on; after byte `wrap` - 1 comes byte 0, and bursts over which it
    goes again are listed again.
    """

    address: AddressMap
    wrap: int
    _layout: Integers = field(init=False, repr=False, compare=False)
    _fields: Integers = field(init=False, repr=False, compare=False)
    _room: NDArray[np.int32] = field(init=False, repr=False, compare=False)
    _hashed: Integers = field(init=False, repr=False, compare=False)
    _largest: int = field(default=0, init=False, repr=False, compare=False)
    """Bursts of an instruction for which there is room."""

    def __post_init__(self) -> None:
        address = self.address
        self._layout = np.array([self.wrap, address.burst_bytes, dict(address.fields)["column"], address.column_stride])
        self._fields = _fields(address)

    def bursts(self, starts: Integers, sizes: Integers) -> Integers:
        """Bursts of each instruction."""
        size, lap = self.address.burst_bytes, -(-self.wrap // self.address.burst_bytes)
        (before, low), (laps, high) = (np.divmod(byte, self.wrap) for byte in (starts, starts + sizes - 1))
        return np.where(sizes > 0, (laps - before) * lap + high // size - low // size + 1, 0)

    def runs(self, starts: Integers, sizes: Integers, blocks: Integers, write: bool) -> NDArray[Any]:
        """One RUN for each burst, as a hash set for each instruction lists them; it belongs to block `blocks[i]`.

        Raises:
            ModelError: an instruction is so much longer than `wrap` that the table overflows with its equal addresses.
        """
        from neupims.isa.hash_table import OVERFLOW, list_runs  # loads the compiler

        largest = self._most(int(sizes.max(initial=0)), 1)
        if largest > self._largest:
            self._make_room(largest)
        runs = np.empty(self._most(int(sizes.sum()), len(sizes)), RUN)
        instructions = (starts, sizes, blocks)
        count = list_runs(*instructions, self._layout, self._fields, self._room, self._hashed, write, runs)
        if count == OVERFLOW:
            raise ModelError(
                f"the model is too small: an instruction of up to {sizes.max():,} bytes goes again and again over the "
                f"{self.wrap:,} bytes of addresses of the published counter, and the hash table overflows; "
                f"use a wider model, or --set policy.counter_order=address"
            )
        return runs[:count]

    def _most(self, size: int, instructions: int) -> int:
        """Bursts of `size` bytes, at most: each instruction, and each lap, may cut one at both of its ends."""
        return size // self.address.burst_bytes + 2 * (size // self.wrap) + 4 * instructions

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
