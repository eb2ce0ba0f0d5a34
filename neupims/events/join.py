"""Waiting for the last of several things."""

from collections.abc import Callable


class Join:
    """Counts down; calls `action` with the latest time once all have been counted.

    `action` runs when the last one becomes known, which may be before the time it is given.
    """

    __slots__ = ("_action", "latest", "left")

    def __init__(self, count: int, earliest: int, action: Callable[[int], None]) -> None:
        self.left = count
        self.latest = earliest
        self._action = action
        if count == 0:
            action(earliest)

    def count_down(self, time: int) -> None:
        """One of them is complete at `time`."""
        if self.left == 0:
            raise RuntimeError("a join was counted down more often than it has parts")
        self.left -= 1
        if time > self.latest:
            self.latest = time
        if self.left == 0:
            self._action(self.latest)
