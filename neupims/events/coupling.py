"""Running SimPy together with a simulator that has a clock of its own."""

from typing import Protocol

from simpy.core import Environment
from simpy.events import Event

from neupims.events.clock import Clock

INFINITY = float("inf")


class Partner(Protocol):
    """A simulator that runs in whole cycles and enters what it finds into the environment."""

    @property
    def now(self) -> int:
        """Cycle up to which (exclusively) it has been run."""
        ...

    @property
    def lookahead(self) -> int:
        """Cycles that it may run before anything learned in them can be answered; at least one."""
        ...

    def advance(self, until: int) -> None:
        """Run the cycles now .. until - 1."""
        ...

    def stuck(self, alone: bool) -> str | None:
        """Why nothing more will come of it, or None. `alone`: the environment has no events."""
        ...


def run_coupled(env: Environment, partner: Partner, clock: Clock, done: Event) -> int:
    """Run both until `done` has been processed; returns the number of windows.

    In each window the partner runs to the next event of the environment, or as far as its lookahead
    allows; then the events up to that time are processed.

    Raises:
        RuntimeError: neither side can go on.
    """
    windows = 0
    while not done.processed:
        event = env.peek()
        if (reason := partner.stuck(event == INFINITY)) is not None:
            raise RuntimeError(f"deadlock at {env.now} ps: {reason}")
        until = partner.now + partner.lookahead
        if event <= clock.ps(until):
            until = clock.edge(int(event))
        if until > partner.now:
            partner.advance(until)
            windows += 1
        limit = clock.ps(partner.now)
        while env.peek() <= limit:
            env.step()
    return windows
