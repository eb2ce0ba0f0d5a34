"""From linear byte addresses to channel, bank, row and column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.isa.memory import RUN

Integers = NDArray[np.int64]


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

    def split(self, addresses: Integers) -> dict[str, Integers]:
        """Fields of each byte address, by name."""
        rest = addresses // self.burst_bytes
        parts: dict[str, Integers] = {}
        for name, count in reversed(self.fields):
            rest, parts[name] = np.divmod(rest, count)
        return parts

    def runs(
        self, starts: Integers, sizes: Integers, write: bool = False, blocks: Integers | None = None
    ) -> NDArray[Any]:
        """RUNs of the byte ranges [start, start + size); range i belongs to `blocks[i]`, or becomes block i.

        Ranges are widened to whole bursts. Bursts of one range in one row become one run; runs follow the
        order of the ranges, and inside a range that of the addresses. `blocks` must ascend. An address
        beyond the end of the space raises ValueError.
        """
        first = starts // self.burst_bytes
        last = -(-(starts + sizes) // self.burst_bytes)
        if len(starts) and (first.min() < 0 or last.max() * self.burst_bytes > self.bytes):
            raise ValueError(f"a range leaves the address space of {self.bytes} bytes")
        owner, head, end = self._segments(first, last)
        stride = self.column_stride
        lanes = np.minimum(end - head, stride)
        which = np.repeat(np.arange(len(head)), lanes)
        burst = head[which] + _counting(lanes)
        index = owner[which] if blocks is None else blocks[owner][which]
        return self._records(burst, -((burst - end[which]) // stride), index, write)

    @property
    def column_stride(self) -> int:
        """Bursts between neighbouring columns of one row: the product of the fields below the column."""
        stride = 1
        for name, count in reversed(self.fields):
            if name == "column":
                break
            stride *= count
        return stride

    def _segments(self, first: Integers, last: Integers) -> tuple[Integers, Integers, Integers]:
        """Cut burst ranges where the rows end: (range, first burst, burst after the last) of each piece."""
        span = self.column_stride * dict(self.fields)["column"]
        low = first // span
        counts = np.where(last > first, -(-last // span) - low, 0)
        owner = np.repeat(np.arange(len(first)), counts)
        base = (low[owner] + _counting(counts)) * span
        return owner, np.maximum(base, first[owner]), np.minimum(base + span, last[owner])

    def _records(self, burst: Integers, bursts: Integers, block: Integers, write: bool) -> NDArray[Any]:
        parts = self.split(burst * self.burst_bytes)
        sizes = dict(self.fields)
        runs = np.zeros(len(burst), RUN)
        runs["bank"] = (parts["rank"] * sizes["group"] + parts["group"]) * sizes["bank"] + parts["bank"]
        for name in ("channel", "row", "column"):
            runs[name] = parts[name]
        runs["bursts"], runs["block"], runs["write"] = bursts, block, write
        return runs


def _counting(counts: Integers) -> Integers:
    """0, 1, ... counts[0] - 1, 0, 1, ... counts[1] - 1, and so on."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
