"""Channels that do the same: one of them is run and stands for all.

A class is named by its first channel. Classes part when their channels are given different work, and join again when
their states agree in all that matters.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.jit import Array, compiled
from neupims.machine.dram.fast import layout as at

Records = NDArray[Any]


class Classes:
    """Which channel stands for which. `of` [channel] is the first channel of the class; it is never greater."""

    def __init__(self, channels: int, alone: bool) -> None:
        self.of: Array = np.arange(channels) if alone else np.zeros(channels, np.int64)
        self._several = [] if alone or channels == 1 else [0]
        """Classes of more than one channel."""
        self._ends, self._next = np.empty((2, channels), np.int64), np.empty(0, np.int64)
        """Room for `given_alike`."""

    @property
    def first(self) -> Array:
        """The channels that are run."""
        return np.unique(self.of)

    @property
    def sizes(self) -> Array:
        """Channels of each class, in the order of `first`."""
        return np.unique(self.of, return_counts=True)[1]

    @property
    def alone(self) -> bool:
        """Whether each channel stands for itself."""
        return not self._several

    def members(self, first: int) -> Array:
        """The channels of a class."""
        return np.flatnonzero(self.of == first)

    def join(self, first: int, second: int) -> None:
        """Let the channels of a class belong to another one, whose first channel comes before."""
        self.of[self.of == second] = first
        self._note_several()

    def part(self, records: Records) -> list[tuple[int, int]]:
        """Part the classes of which not all channels are given the same; the old and the new first of each part.

        `records` are RUNs or INSTRUCTIONs.
        """
        if self.alone:
            return []
        records = np.ascontiguousarray(records)
        content = records.view(np.uint8).reshape(len(records), records.dtype.itemsize)
        if len(self._next) < len(records):
            self._next = np.empty(2 * len(records), np.int64)
        if given_alike(self.of, records, content, self._ends, self._next):
            return []
        order = np.argsort(records["channel"], kind="stable")
        starts = np.searchsorted(records["channel"][order], np.arange(len(self.of) + 1))
        width, parted = records["channel"].itemsize, list[tuple[int, int]]()
        for first in self._several:
            members = self.members(first).tolist()
            own = [content[order[starts[channel] : starts[channel + 1]], width:].tobytes() for channel in members]
            parted += self._part(first, members, own)
        self._note_several()
        return parted

    def _part(self, first: int, members: list[int], contents: list[bytes]) -> Iterator[tuple[int, int]]:
        for group in list(groups_of(zip(members, contents, strict=True)).values())[1:]:
            self.of[group] = group[0]
            yield first, group[0]

    def _note_several(self) -> None:
        first, sizes = np.unique(self.of, return_counts=True)
        self._several = first[sizes > 1].tolist()


@compiled
def given_alike(of: Array, records: Records, content: Records, ends: Array, following: Array) -> bool:
    """Whether the channels of each class are given the same `records`, whose bytes are `content` [record, byte].

    What comes for a channel is chained in `ends` [2, channel], its first and last record, and `following` [record].
    """
    width, first, last = 4, ends[0], ends[1]
    first[:] = at.NONE
    for i in range(len(records)):
        channel = records[i]["channel"]
        if first[channel] == at.NONE:
            first[channel] = i
        else:
            following[last[channel]] = i
        last[channel], following[i] = i, at.NONE
    for channel in range(len(of)):
        own, other = first[channel], first[of[channel]]
        while own != other and own != at.NONE and other != at.NONE:
            for byte in range(width, content.shape[1]):
                if content[own, byte] != content[other, byte]:
                    return False
            own, other = following[own], following[other]
        if own != other:
            return False
    return True


def groups_of(keyed: Iterable[tuple[int, bytes]]) -> dict[bytes, list[int]]:
    """Channels by key."""
    groups: dict[bytes, list[int]] = {}
    for channel, key in keyed:
        groups.setdefault(key, []).append(channel)
    return groups
