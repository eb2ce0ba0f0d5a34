"""Channels that do the same: one of them is run and stands for all.

A class is named by its first channel. Classes part when their channels are given different work, and join again when
their states agree in all that matters.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.jit import Array

Records = NDArray[Any]


class Classes:
    """Which channel stands for which. `of` [channel] is the first channel of the class; it is never greater."""

    def __init__(self, channels: int, alone: bool) -> None:
        self.of: Array = np.arange(channels) if alone else np.zeros(channels, np.int64)
        self._several = [] if alone or channels == 1 else [0]
        """Classes of more than one channel."""

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

    def part(self, owners: Records, records: Records) -> list[tuple[int, int]]:
        """Part the classes whose channels are given different `records`; the old and the new first of each part.

        `owners` says which channel each record is for, `records` [record, byte] what it is.
        """
        given = np.unique(self.of[owners]).tolist()
        several = [first for first in self._several if first in given]
        if not several:
            return []
        order = np.argsort(owners, kind="stable")
        starts = np.searchsorted(owners[order], np.arange(len(self.of) + 1))
        counts, parted = np.diff(starts), list[tuple[int, int]]()
        for first in several:
            members = self.members(first)
            own = [order[starts[channel] : starts[channel + 1]] for channel in members.tolist()]
            if (counts[members] != counts[first]).any() or not _alike(records, own):
                parted += self._part(first, members.tolist(), [records[rows].tobytes() for rows in own])
        if parted:
            self._note_several()
        return parted

    def _part(self, first: int, members: list[int], contents: list[bytes]) -> Iterator[tuple[int, int]]:
        for group in list(groups_of(zip(members, contents, strict=True)).values())[1:]:
            self.of[group] = group[0]
            yield first, group[0]

    def _note_several(self) -> None:
        first, sizes = np.unique(self.of, return_counts=True)
        self._several = first[sizes > 1].tolist()


def _alike(records: Records, rows: list[Array]) -> bool:
    """Whether the records in several equally long lists of rows are the same."""
    own = records[np.stack(rows)]
    return bool((own == own[0]).all())


def groups_of(keyed: Iterable[tuple[int, bytes]]) -> dict[bytes, list[int]]:
    """Channels by key."""
    groups: dict[bytes, list[int]] = {}
    for channel, key in keyed:
        groups.setdefault(key, []).append(channel)
    return groups
