"""Two clocks run together: a SimPy environment and a simulator that counts cycles."""

from dataclasses import dataclass, field

import pytest
from simpy.core import Environment

from neupims.events.agenda import Agenda
from neupims.events.clock import Clock
from neupims.events.coupling import run_coupled

DELAY, KNOWN = 10, 4


@dataclass
class Echo:
    """Answers each call DELAY cycles later and tells so KNOWN cycles ahead; a caller answers back."""

    env: Environment
    agenda: Agenda
    clock: Clock
    longest: int = 1000
    now: int = 0
    calls: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    silent: bool = False

    def call(self) -> None:
        assert self.now == self.clock.edge(int(self.env.now))
        self.calls.append(self.now)

    def advance(self, until: int) -> None:
        until = min(until, self.now + KNOWN, self.now + self.longest)
        self.windows.append(until)
        for called in self.calls:
            if self.now <= called + DELAY - KNOWN < until and not self.silent:
                answer = called + DELAY
                self.answers.append(answer)
                self.agenda.at(self.clock.ps(answer), (0,), self.call)
        self.now = until

    def stuck(self, alone: bool) -> str | None:
        return "nobody answers" if alone and self.now > 100 else None


def world(longest: int, silent: bool = False) -> tuple[Environment, Echo]:
    env = Environment()
    return env, Echo(env, Agenda(env), Clock(750), longest, silent=silent)


@pytest.mark.parametrize("longest", [1, 2, 3, 4])
def test_answers_do_not_depend_on_the_window(longest: int) -> None:
    env, echo = world(longest)
    echo.agenda.at(echo.clock.ps(3), (0,), echo.call)
    run_coupled(env, echo, echo.clock, env.timeout(echo.clock.ps(60)))
    assert echo.calls == [3, 13, 23, 33, 43, 53]


def test_windows_end_at_the_next_event() -> None:
    env, echo = world(longest=1000)
    done = env.timeout(echo.clock.ps(3) + 1)
    env.timeout(echo.clock.ps(2))
    assert run_coupled(env, echo, echo.clock, done) == 2
    assert echo.windows == [2, 4]


def test_a_world_that_cannot_go_on_says_so() -> None:
    env, echo = world(longest=1000, silent=True)
    with pytest.raises(RuntimeError, match=r"^deadlock at 0 ps: nobody answers$"):
        run_coupled(env, echo, echo.clock, env.event())
