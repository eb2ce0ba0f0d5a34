"""Channels that do the same under other names, as a class of which one is run."""

import numpy as np

from neupims.jit import Array
from neupims.machine.dram.fast.blocks import Blocks
from neupims.machine.dram.fast.likeness import Named
from neupims.machine.dram.fast.names import Names


class Namesakes:
    """A class that holds several, whose `firsts` were in the same state but for the names of rows and blocks.

    While they are one class, blocks that stand in for those of the first have the parts to come of all channels.
    """

    def __init__(self, group: list[Named], members: list[Array], stand_in: int) -> None:
        self.firsts = [named.channel for named in group]
        self.members = members
        """Channels of each."""
        self.names = [named.names for named in group]
        self.parts = group[0].parts
        """Parts to come of each block, in one channel."""
        own = self.names[0]
        self.stand_ins = range(stand_in, stand_in + len(own.blocks))
        blocks = np.arange(stand_in, self.stand_ins.stop, dtype=np.int32)
        self.of_all = Names(own.keys, own.columns, blocks)
        """Names in the state of the channel that is run."""
        others = [(each.keys != own.keys) | (each.columns != own.columns) for each in self.names]
        changed = np.any(others, axis=0)
        rows = np.concatenate([each.rows[changed] for each in self.names])
        self._rows = range(int(rows.min()), int(rows.max()) + 1) if len(rows) else range(0)

    @property
    def first(self) -> int:
        """The channel that is run."""
        return self.firsts[0]

    def own(self, rows: Array) -> bool:
        """Whether one of `rows` may be another one in another channel."""
        return bool(((rows >= self._rows.start) & (rows < self._rows.stop)).any())

    def tell(self, blocks: Blocks, stand_in: int) -> None:
        """What is complete of a block that stands in for others is complete of these."""
        number = stand_in - self.stand_ins.start
        complete = int(self.parts[number]) - blocks.left(stand_in) // sum(map(len, self.members))
        self.parts[number] -= complete
        for names, members in zip(self.names, self.members, strict=True):
            blocks.count_down(int(names.blocks[number]), complete * len(members), blocks.done(stand_in))

    def rows_of(self, channel: int, banks: Array, rows: Array) -> Array:
        """The rows of a channel that are `rows` in the one that is run."""
        index = next(index for index, members in enumerate(self.members) if channel in members)
        own, other = self.names[0], self.names[index]
        places = zip(own.banks.tolist(), own.rows.tolist(), strict=True)
        known = dict(zip(places, other.rows.tolist(), strict=True))
        given = zip(banks.tolist(), rows.tolist(), strict=True)
        return np.array([known.get(place, place[1]) for place in given], np.int64)


def tell_blocks(blocks: Blocks, namesakes: list[Namesakes]) -> None:
    """Instead of blocks that have stood in for others, these are complete."""
    for block in blocks.take()[0].tolist():
        joined = next((each for each in namesakes if block in each.stand_ins), None)
        if joined is None:
            blocks.finish(block)
        else:
            joined.tell(blocks, block)
