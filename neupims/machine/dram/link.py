"""The link that both programs of a core share on the way to a channel, with `front_end.path: shared`.

In each turn (there are `accepts_per_cycle` turns in a cycle) each program sends one request into the link, that of the
NPU first, and the link delivers one, in the order in which they were sent. So each program has half of the link while
both are sending, and goes on at that rate until what they have sent together is through.
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Link:
    """How many requests of the NPU program (0) and of the PIM program (1) are where."""

    unsent: list[int] = field(default_factory=lambda: [0, 0])
    under_way: deque[int] = field(default_factory=deque[int])
    """Programs of the requests in the link."""
    came: list[int] = field(default_factory=lambda: [0, 0])
    """Delivered, not yet accepted by the controller."""

    @property
    def busy(self) -> bool:
        """Whether it has anything to do."""
        return any(self.unsent) or bool(self.under_way)

    def step(self) -> None:
        """One turn."""
        for program in (0, 1):
            if self.unsent[program]:
                self.unsent[program] -= 1
                self.under_way.append(program)
        if self.under_way:
            self.came[self.under_way.popleft()] += 1
