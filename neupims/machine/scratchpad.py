"""The scratchpad: bytes that loads take and steps give back."""

from neupims.events.resources import Budget
from neupims.hardware.npu import Scratchpad


class ScratchpadBudget(Budget):
    """A budget of bytes of which at most half may hold data of operators that have not begun."""

    def __init__(self, spec: Scratchpad) -> None:
        super().__init__(spec.bytes)
        self.ahead = 0
        """Bytes held by operators that have not begun."""

    def room_ahead(self, now: int) -> int:
        """Bytes that may be taken for operators that have not begun."""
        return min(self.free(now), self.capacity // 2 - self.ahead)

    def try_take_ahead(self, amount: int, now: int) -> bool:
        """Take `amount` for an operator that has not begun, or nothing if there is less room."""
        if amount > self.room_ahead(now):
            return False
        self.ahead += amount
        return self.try_take(amount, now)

    def begin(self, amount: int) -> None:
        """The operator that took `amount` ahead begins."""
        self.ahead -= amount
