"""Statistics of busy time."""

import numpy as np
from numpy.typing import NDArray


class BusyTime:
    """Time in which something was active; overlapping intervals count once."""

    def __init__(self) -> None:
        self.total = 0
        self._until = 0

    def add(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Active from starts[i] to ends[i]; neither starts nor ends may decrease, here or over calls."""
        before = np.concatenate(([self._until], ends[:-1]))
        self.total += int(np.maximum(ends - np.maximum(starts, before), 0).sum())
        self._until = max(self._until, int(ends[-1]))
