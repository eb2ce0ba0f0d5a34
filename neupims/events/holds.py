"""How far a coupled simulator may run ahead without missing what is caused by its own results."""

from collections import Counter


class Holds:
    """A multiset of distances; the least of them holds."""

    def __init__(self, longest: int) -> None:
        self.longest = self.least = longest
        """Cycles that may be run ahead, at least one."""
        self._counts: Counter[int] = Counter()

    def add(self, distance: int) -> None:
        """From now on something may answer `distance` cycles after what it has not yet heard."""
        self._counts[distance] += 1
        self._find_least()

    def remove(self, distance: int) -> None:
        """The answer has been given, or its time is known."""
        if self._counts[distance] == 0:
            raise RuntimeError(f"a hold of {distance} cycles was removed but never added")
        self._counts[distance] -= 1
        if self._counts[distance] == 0:
            del self._counts[distance]
            self._find_least()

    def _find_least(self) -> None:
        self.least = max(1, min(self._counts)) if self._counts else self.longest
