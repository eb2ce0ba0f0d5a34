"""Channels that do the same: one of them is run and stands for all.

A class is named by its first channel. Classes part when their channels are given different work, and join again when
their states agree in all that matters.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.jit import Array, compiled
from neupims.machine.dram.fast import layout as at

Records = NDArray[Any]
WIDTH = 4
"""Bytes of a record that say its channel, the first of all."""

FEW = 64
"""Records for which it pays to see first whether they concern a class of several channels."""


class Classes:
    """Which channel stands for which. `of` [channel] is the first channel of the class; it is never greater."""

    def __init__(self, channels: int, alone: bool) -> None:
        self.of: Array = np.arange(channels) if alone else np.zeros(channels, np.int64)
        self._known = False
        self._shared: NDArray[np.bool_] | None = None
        """If known: which channels are of a class of several; None if none is."""
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
    def shared(self) -> NDArray[np.bool_] | None:
        """Which channels are of a class of several; None if none is."""
        if not self._known:
            mask = np.bincount(self.of, minlength=len(self.of))[self.of] > 1
            self._known, self._shared = True, mask if mask.any() else None
        return self._shared

    def members(self, first: int) -> Array:
        """The channels of a class."""
        return np.flatnonzero(self.of == first)

    def join(self, first: int, second: int) -> None:
        """Let the channels of a class belong to another one, whose first channel comes before."""
        self.of[self.of == second] = first
        self._known = False

    def part(self, records: Records) -> list[tuple[int, int]]:
        """Part the classes of which not all channels are given the same; the old and the new first of each part.

        `records` are RUNs or INSTRUCTIONs.
        """
        shared = self.shared
        if shared is None or (len(records) < FEW and not shared[records["channel"]].any()) or self.gives_alike(records):
            return []
        records, parted = np.ascontiguousarray(records), list[tuple[int, int]]()
        content = _content(records)
        for first in np.unique(self.of[shared]).tolist():
            firsts = [first]
            for channel in self.members(first)[1:].tolist():
                for other in firsts:
                    if given_same(channel, other, content, self._ends, self._next):
                        self.of[channel] = other
                        break
                else:
                    self.of[channel] = channel
                    firsts.append(channel)
                    parted.append((first, channel))
        self._known = False
        return parted

    def gives_alike(self, records: Records) -> bool:
        """Whether all channels of each class are given the same."""
        if len(self._next) < len(records):
            self._next = np.empty(2 * len(records), np.int64)
        records = np.ascontiguousarray(records)
        return bool(given_alike(self.of, records, _content(records), self._ends, self._next))

    def divide(self, parts: list[tuple[int, Array]]) -> None:
        """Let channels belong to classes of their own: first and members of each."""
        for first, members in parts:
            self.of[members] = first
        self._known = False


def _content(records: Records) -> Records:
    return records.view(np.uint8).reshape(len(records), records.dtype.itemsize)


@compiled
def given_alike(of: Array, records: Records, content: Records, ends: Array, following: Array) -> bool:
    """Whether the channels of each class are given the same `records`, whose bytes are `content` [record, byte].

    What comes for a channel is chained in `ends` [2, channel], its first and last record, and `following` [record].
    """
    first, last = ends[0], ends[1]
    first[:] = at.NONE
    for i in range(len(records)):
        channel = records[i]["channel"]
        if first[channel] == at.NONE:
            first[channel] = i
        else:
            following[last[channel]] = i
        last[channel], following[i] = i, at.NONE
    for channel in range(len(of)):
        if not given_same(channel, of[channel], content, ends, following):
            return False
    return True


@compiled
def given_same(channel: int, other: int, content: Records, ends: Array, following: Array) -> bool:
    """Whether two channels are given the same; arguments as `given_alike` has left them."""
    if channel == other:
        return True
    own, its = ends[0, channel], ends[0, other]
    while own != at.NONE and its != at.NONE:
        for byte in range(WIDTH, content.shape[1]):
            if content[own, byte] != content[its, byte]:
                return False
        own, its = following[own], following[its]
    return own == its
