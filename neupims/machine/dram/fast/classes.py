"""Channels that do the same: one of them is run and stands for all.

A class is named by its first channel. Classes part when their channels are given different work, and join again when
their states agree in all that matters.
"""

from collections.abc import Iterator

import numpy as np

from neupims.machine.dram.fast.layout import Array

Same = dict[bytes, list[int]]


class Classes:
    """Which channel stands for which. `of` [channel] is the first channel of the class; it is never greater."""

    def __init__(self, channels: int, alone: bool) -> None:
        self.of: Array = np.arange(channels) if alone else np.zeros(channels, np.int64)

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
        return bool((self.of == np.arange(len(self.of))).all())

    def members(self, first: int) -> Array:
        """The channels of a class."""
        return np.flatnonzero(self.of == first)

    def join(self, first: int, second: int) -> None:
        """Let two classes be one from now on."""
        self.of[self.of == max(first, second)] = min(first, second)

    def part(self, owners: Array, records: Array) -> Iterator[tuple[int, int]]:
        """Part the classes whose channels are given different `records`; the old and the new first of each part.

        `owners` says which channel each record is for.
        """
        order, starts = by_channel(owners, len(self.of))
        sorted_records = records[order]
        for first in self.first.tolist():
            members = self.members(first)
            if len(members) > 1 and not _alike(sorted_records, starts, members):
                yield from self._part(first, members, sorted_records, starts)

    def _part(self, first: int, members: Array, records: Array, starts: Array) -> Iterator[tuple[int, int]]:
        same: Same = {}
        for channel in members.tolist():
            content = records[starts[channel] : starts[channel + 1]].tobytes()
            same.setdefault(content, []).append(channel)
        for group in list(same.values())[1:]:
            self.of[group] = group[0]
            yield first, group[0]


def by_channel(owners: Array, channels: int) -> tuple[Array, Array]:
    """Order that sorts records by channel, and where each channel's begin and end [channels + 1]."""
    order = np.argsort(owners, kind="stable")
    return order, np.searchsorted(owners[order], np.arange(channels + 1))


def _alike(records: Array, starts: Array, members: Array) -> bool:
    counts = starts[members + 1] - starts[members]
    if (counts != counts[0]).any():
        return False
    own = records[starts[members][:, None] + np.arange(counts[0])]
    return bool((own == own[0]).all())


def groups_of(keys: dict[int, bytes]) -> list[list[int]]:
    """Those with equal keys, where there are several."""
    same: Same = {}
    for number, key in keys.items():
        same.setdefault(key, []).append(number)
    return [group for group in same.values() if len(group) > 1]
