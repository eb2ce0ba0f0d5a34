"""The blocks to which accesses belong: parts to come, and when those that came were complete."""

import numpy as np

from neupims.jit import Array
from neupims.machine.dram.fast import layout as at

PLACES = 1024
"""Of the table, at first."""


class Blocks:
    """The table of blocks, which compiled code counts down, and those that have become complete."""

    def __init__(self) -> None:
        self.table = _new_table(PLACES)
        self._registered = 0

    def register(self, parts: Array) -> int:
        """New blocks of so many parts each; returns the id of the first."""
        first, size = self._registered, self._size
        self._registered += len(parts)
        if self._registered > size:
            self.table = _longer(self.table, max(2 * size, self._registered))
        left = at.B_LEFT + first
        self.table[left : left + len(parts)] = parts
        return first

    def add(self, block: int, parts: int) -> None:
        """A block has so many parts more."""
        self.table[at.B_LEFT + block] += parts

    def count_down(self, block: int, parts: int, cycle: int) -> None:
        """So many parts of a block are complete, all by `cycle`."""
        place = at.B_LEFT + block
        self.table[place + self._size] = max(self.table[place + self._size], cycle)
        self.table[place] -= parts
        if parts and self.table[place] == 0:
            self.finish(block)

    def finish(self, block: int) -> None:
        """A block is complete."""
        self.table[at.B_LEFT + 2 * self._size + int(self.table[at.B_FINISHED])] = block
        self.table[at.B_FINISHED] += 1

    def left(self, block: int) -> int:
        """Parts to come."""
        return int(self.table[at.B_LEFT + block])

    def done(self, block: int) -> int:
        """The last cycle in which a part was complete."""
        return int(self.table[at.B_LEFT + self._size + block])

    def take(self) -> tuple[Array, Array]:
        """The blocks that have become complete since the last look, and when."""
        table, size = self.table, int(self.table[at.B_N])
        start = at.B_LEFT + 2 * size
        ids = table[start : start + int(table[at.B_FINISHED])].copy()
        table[at.B_FINISHED] = 0
        return ids, table[at.B_LEFT + size + ids]

    @property
    def _size(self) -> int:
        return int(self.table[at.B_N])


def _new_table(size: int) -> Array:
    table = np.zeros(at.B_LEFT + 3 * size, np.int64)
    table[at.B_N] = size
    return table


def _longer(table: Array, size: int) -> Array:
    longer, n = _new_table(size), int(table[at.B_N])
    longer[at.B_FINISHED] = table[at.B_FINISHED]
    for part in range(3):
        old, new = at.B_LEFT + part * n, at.B_LEFT + part * size
        longer[new : new + n] = table[old : old + n]
    return longer
