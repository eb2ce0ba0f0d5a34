"""Requests whose context is spread over several channels: which entries of a PimWork belong together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neupims.events.join import Join
from neupims.isa.work import PimRequest

Ints = NDArray[np.int64]
Action = Callable[[int, int], None]
"""Gets the row of a whole request, and a time."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Entries `first` to `first + parts - 1` of a PimWork, which are one request of `length` tokens."""

    first: int
    parts: int
    length: int


def wholes_of(requests: Sequence[PimRequest]) -> list[Whole]:
    """The whole requests, in order."""
    starts = [index for index, request in enumerate(requests) if not request.continues]
    spans = pairwise([*starts, len(requests)])
    return [Whole(low, high - low, sum(part.length for part in requests[low:high])) for low, high in spans]


@dataclass(slots=True)
class Gathered:
    """Waits for a result of all parts of a request; row r is result r % results of entry r // results."""

    wholes: Sequence[Whole]
    results: int
    action: Action
    """Called with the row of the first part when the last of them is known."""
    _whole: dict[int, Whole] = field(default_factory=dict[int, Whole])
    _joins: dict[int, Join] = field(default_factory=dict[int, Join])

    def __post_init__(self) -> None:
        self._whole = {whole.first + part: whole for whole in self.wholes for part in range(whole.parts)}

    def rows(self, row: int) -> range:
        """The rows of all parts of the request that has `row`."""
        whole = self._whole[row // self.results]
        if whole.parts == 1:
            return range(row, row + 1)
        result = row % self.results
        first = whole.first * self.results + result
        return range(first, first + whole.parts * self.results, self.results)

    def summed(self, amounts: Ints) -> Ints:
        """For each row, the sum of `amounts` over the rows of all parts of its request."""
        firsts, parts = [whole.first for whole in self.wholes], [whole.parts for whole in self.wholes]
        sums: Ints = np.add.reduceat(amounts.reshape(-1, self.results), firsts, axis=0)
        return np.repeat(sums, parts, axis=0).ravel()

    def known(self, row: int, time: int) -> None:
        """The result of one part is there at `time`."""
        if self._whole[row // self.results].parts == 1:
            self.action(row, time)
            return
        rows = self.rows(row)
        first = rows[0]
        if first not in self._joins:
            self._joins[first] = Join(len(rows), 0, lambda last: self.action(first, last))
        self._joins[first].count_down(time)
