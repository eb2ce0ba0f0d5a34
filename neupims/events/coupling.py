"""Running SimPy together with a simulator that has a clock of its own."""

from typing import Protocol

from simpy.core import Environment
from simpy.events import Event

from neupims.events.clock import Clock

INFINITY = float("inf")
FOREVER = 1 << 60


class Partner(Protocol):
    """A simulator that runs in whole cycles and enters what it finds into the environment."""

    @property
    def now(self) -> int:
        """Cycle up to which (exclusively) it has been run."""
        ...

    def advance(self, until: int) -> None:
        """Run cycles from `now` on: up to `until` - 1, or fewer, so that nothing it learns can be answered too late."""
        ...

    def stuck(self, alone: bool) -> str | None:
        """Why nothing more will come of it, or None. `alone`: the environment has no events."""
        ...


def run_coupled(env: Environment, partner: Partner, clock: Clock, done: Event) -> int:
    """Run both until `done` has been processed; returns the number of windows.

    In each window the partner runs to the next event of the environment, or as far as it dares; then
    the events up to that time are processed.

    Raises:
        RuntimeError: neither side can go on.
    """
    windows = 0
    while not done.processed:
        event = env.peek()
        if (reason := partner.stuck(event == INFINITY)) is not None:
            raise RuntimeError(f"deadlock at {env.now} ps: {reason}")
        until = FOREVER if event == INFINITY else clock.edge(int(event))
        if until > partner.now:
            partner.advance(until)
            windows += 1
        limit = clock.ps(partner.now)
        while env.peek() <= limit:
            env.step()
    return windows
