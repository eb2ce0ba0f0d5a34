"""From linear byte addresses to channel, bank, row and column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.isa.memory import RUN


@dataclass(frozen=True, slots=True)
class AddressMap:
    """Splits a linear address into fields, most significant first.

    `fields` are (name, size) pairs with the names row, rank, group, bank, column and channel; an
    address counts bursts of `burst_bytes`. Neighbouring bursts differ in the last field.
    """

    fields: tuple[tuple[str, int], ...]
    burst_bytes: int

    @property
    def bytes(self) -> int:
        """Size of the address space."""
        size = self.burst_bytes
        for _, count in self.fields:
            size *= count
        return size

    def split(self, addresses: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Fields of each byte address, by name."""
        rest = addresses // self.burst_bytes
        parts: dict[str, NDArray[np.int64]] = {}
        for name, count in reversed(self.fields):
            rest, parts[name] = np.divmod(rest, count)
        return parts

    def runs(self, starts: NDArray[np.int64], sizes: NDArray[np.int64], write: bool = False) -> NDArray[Any]:
        """RUNs of the byte ranges [start, start + size); range i becomes block i.

        Ranges are widened to whole bursts. Bursts of one block in one row become one run when the
        columns follow each other; runs are sorted by block, in order of address within a channel.
        """
        first = starts // self.burst_bytes
        counts = -(-(starts + sizes) // self.burst_bytes) - first
        block = np.repeat(np.arange(len(starts)), counts)
        offsets = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
        parts = self.split((np.repeat(first, counts) + offsets) * self.burst_bytes)
        sizes_by_name = dict(self.fields)
        bank = (parts["rank"] * sizes_by_name["group"] + parts["group"]) * sizes_by_name["bank"] + parts["bank"]
        return _merge(block, parts["channel"], bank, parts["row"], parts["column"], write)


def _merge(
    block: NDArray[np.int64],
    channel: NDArray[np.int64],
    bank: NDArray[np.int64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    write: bool,
) -> NDArray[Any]:
    """Join bursts of one block that lie side by side in one row of one channel."""
    order = np.lexsort((np.arange(len(block)), channel, block))
    keys = [values[order] for values in (block, channel, bank, row, column)]
    breaks = np.ones(len(order), np.bool_)
    breaks[1:] = (keys[4][1:] != keys[4][:-1] + 1) | np.any([k[1:] != k[:-1] for k in keys[:4]], axis=0)
    heads = np.flatnonzero(breaks)
    runs = np.zeros(len(heads), RUN)
    for name, values in zip(("block", "channel", "bank", "row", "column"), keys, strict=True):
        runs[name] = values[heads]
    runs["bursts"] = np.diff(np.append(heads, len(order)))
    runs["write"] = write
    return runs
