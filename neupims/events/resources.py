"""Shared amounts whose return is known ahead of time."""

from heapq import heappop, heappush


class Budget:
    """An amount of which parts are taken now and given back at stated times."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._taken = 0
        self._returns: list[tuple[int, int]] = []

    def free(self, now: int) -> int:
        """What can be taken now."""
        while self._returns and self._returns[0][0] <= now:
            self._taken -= heappop(self._returns)[1]
        if self._taken < 0:
            raise RuntimeError(f"{-self._taken} more was given back than was taken")
        return self.capacity - self._taken

    def try_take(self, amount: int, now: int) -> bool:
        """Take `amount`, or nothing if there is less."""
        if amount > self.free(now):
            return False
        self._taken += amount
        return True

    def release(self, amount: int, at: int) -> None:
        """Give `amount` back at the time `at`."""
        heappush(self._returns, (at, amount))

    @property
    def next_return(self) -> int | None:
        """When the next part comes back, if that is known."""
        return self._returns[0][0] if self._returns else None
