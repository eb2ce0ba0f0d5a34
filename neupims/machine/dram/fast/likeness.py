"""Which channels are in the same state, up to the names of rows and blocks."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np

from neupims.jit import Array, Narrow
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.canonical import RUN_PARTS, write_runs, write_sign, write_state
from neupims.machine.dram.fast.names import Names, NameTable
from neupims.machine.dram.fast.rename import rename

UNDER_WAY = [at.S_QUEUED, at.S_READS, at.S_WRITES, at.S_MERGED, at.S_RET, at.S_ACK, at.S_BACKLOG]
Item = TypeVar("Item")


class Named(NamedTuple):
    """A channel and what its names are."""

    channel: int
    names: Names
    parts: Array
    """Parts to come of each block."""


class Likeness:
    """Compares the states of channels without PIM work and gives them other names.

    `channels` [channel, state]; `queues`, those of the two ports [channel, place, field], are looked up anew each time.
    """

    def __init__(self, k: Array, channels: Array, queues: list[Narrow]) -> None:
        self._k, self._channels, self._queues = k, channels, queues
        self._table = NameTable()
        self._state, self._runs = np.empty(2 * channels.shape[1], np.int64), np.empty(0, np.int64)

    def groups(self, channels: Iterable[int]) -> Iterator[list[Named]]:
        """Those channels of which several are in the same state, the lowest first; others are left out."""
        for group in _grouped((self._sign(channel), channel) for channel in channels):
            for alike in _grouped((self._written(channel), self._named(channel)) for channel in group):
                yield from self._same_runs(alike) if self._waiting(group[0]) else [alike]

    def named(self, channel: int) -> Named:
        """The names in the state of a channel."""
        self._number(channel, compare=False)
        return self._named(channel)

    def _named(self, channel: int) -> Named:
        return Named(channel, self._table.names(), self._table.parts())

    def rename(self, channel: int, before: Names, to: Names) -> None:
        """What has the names `before` in the state of a channel gets those of the same numbers in `to`."""
        x, (npu, side) = self._channels[channel], (queues[channel] for queues in self._queues[:2])
        rename(self._k, x, npu, side, self._table.load(before).numbers, (to.rows, to.columns, to.blocks))

    def _same_runs(self, alike: list[Named]) -> Iterator[list[Named]]:
        """Of channels whose states agree those for which the same waits at the ports."""
        channels = [each.channel for each in alike]
        while len(channels) > 1:
            group, others = [self.named(channels[0])], list[int]()
            for channel in channels[1:]:
                if self._number(channel, compare=True):
                    group.append(self._named(channel))
                else:
                    others.append(channel)
            if len(group) > 1:
                yield group
            channels = others

    def _sign(self, channel: int) -> bytes:
        """What is likely to differ if anything does."""
        return self._state[: write_sign(self._k, self._channels[channel], self._state)].tobytes()

    def _written(self, channel: int) -> bytes:
        """The canonical state, without the runs that wait."""
        x, runs = self._channels[channel], self._waiting(channel)
        self._table.reserve(sum(int(x[place]) for place in UNDER_WAY) + 2 * int(self._k[at.P_BANKS]) + runs)
        if len(self._runs) < RUN_PARTS * (runs + 2):
            self._runs = np.empty(2 * RUN_PARTS * (runs + 2), np.int64)
        return self._state[: write_state(self._k, x, self._table.numbers, self._state)].tobytes()

    def _waiting(self, channel: int) -> int:
        """Runs that wait at the ports."""
        x = self._channels[channel]
        return int(sum(x[end] - x[head] for head, end in at.ENDS[:2]))

    def _number(self, channel: int, compare: bool) -> bool:
        """Number all names; whether the runs that wait are those written before, if they are to be compared."""
        self._written(channel)
        npu, side = (queues[channel] for queues in self._queues[:2])
        return bool(write_runs(self._channels[channel], npu, side, self._table.numbers, self._runs, compare))


def _grouped(keyed: Iterable[tuple[bytes, Item]]) -> Iterator[list[Item]]:
    """Items of which several have the same key."""
    groups: dict[bytes, list[Item]] = {}
    for key, item in keyed:
        groups.setdefault(key, []).append(item)
    return (group for group in groups.values() if len(group) > 1)
