"""Clocks: whole cycles on a time axis of integer picoseconds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock whose edge number n is at n * period_ps."""

    period_ps: int

    def ps(self, cycle: int) -> int:
        """Time of an edge."""
        return cycle * self.period_ps

    def edge(self, ps: int) -> int:
        """First edge at or after a time."""
        return -(-ps // self.period_ps)

    def edges(self, ps: NDArray[np.int64]) -> NDArray[np.int64]:
        """First edges at or after several times."""
        return -(-ps // self.period_ps)
