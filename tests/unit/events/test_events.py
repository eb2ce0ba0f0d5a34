"""Clock, agenda, join, holds, budget and busy time."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest
from simpy.core import Environment

from neupims.events.agenda import Agenda
from neupims.events.clock import Clock
from neupims.events.holds import Holds
from neupims.events.join import Join
from neupims.events.probes import BusyTime
from neupims.events.resources import Budget


def test_clock_edges() -> None:
    clock = Clock(period_ps=750)
    assert clock.ps(4) == 3000
    assert [clock.edge(ps) for ps in (0, 1, 750, 751)] == [0, 1, 1, 2]
    assert clock.edges(np.array([0, 1, 750, 751])).tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_agenda_order_is_that_of_the_keys(order: tuple[int, ...]) -> None:
    env = Environment()
    agenda, log = Agenda(env), list[tuple[int, int]]()
    for key in order:
        agenda.at(5, (key,), partial(lambda key: log.append((int(env.now), key)), key))
    agenda.at(3, (9,), lambda: log.append((int(env.now), 9)))
    env.run()
    assert log == [(3, 9), (5, 0), (5, 1), (5, 2)]


def test_agenda_comes_before_other_events_of_its_time() -> None:
    env = Environment()
    agenda, log = Agenda(env), list[str]()
    timeout = env.timeout(5)
    assert timeout.callbacks is not None
    timeout.callbacks.append(lambda _: log.append("timeout"))
    agenda.at(5, (0,), lambda: log.append("agenda"))
    env.run()
    assert log == ["agenda", "timeout"]


def test_agenda_takes_actions_for_the_present_time_while_it_runs() -> None:
    env = Environment()
    agenda, log = Agenda(env), list[int]()
    agenda.at(5, (0,), lambda: agenda.at(5, (0,), lambda: log.append(int(env.now))))
    env.run()
    assert log == [5]


def test_agenda_has_several_times_due_and_learns_of_earlier_ones() -> None:
    env = Environment()
    agenda, log = Agenda(env), list[int]()
    for time in (9, 5, 7):
        agenda.at(time, (0,), lambda: log.append(int(env.now)))
    agenda.at(5, (1,), lambda: agenda.at(6, (0,), lambda: log.append(int(env.now))))
    env.run()
    assert log == [5, 6, 7, 9]


def test_agenda_refuses_the_past() -> None:
    env = Environment(initial_time=10)
    with pytest.raises(RuntimeError, match=r"^an action for 9 ps was entered at 10 ps: it lies in the past$"):
        Agenda(env).at(9, (0,), lambda: None)


def test_join_reports_the_latest_time_once() -> None:
    log = list[int]()
    join = Join(3, 10, log.append)
    for time in (40, 20):
        join.count_down(time)
    assert (log, join.left) == ([], 1)
    join.count_down(30)
    assert log == [40]
    with pytest.raises(RuntimeError, match=r"^a join was counted down more often than it has parts$"):
        join.count_down(50)


def test_join_of_nothing_is_complete_at_once() -> None:
    log = list[int]()
    Join(0, 10, log.append)
    assert log == [10]


def test_holds_give_the_least_of_those_that_stand() -> None:
    holds = Holds(longest=1000)
    assert holds.least == 1000
    for distance in (30, 20, 20):
        holds.add(distance)
    holds.remove(20)
    assert holds.least == 20
    holds.remove(20)
    assert holds.least == 30
    holds.add(0)
    assert holds.least == 1
    with pytest.raises(RuntimeError, match=r"^a hold of 7 cycles was removed but never added$"):
        holds.remove(7)


def test_budget_gives_back_at_stated_times() -> None:
    budget = Budget(100)
    assert budget.try_take(70, now=0)
    assert not budget.try_take(31, now=0)
    budget.release(50, at=20)
    budget.release(20, at=10)
    assert budget.next_return == 10
    assert [budget.free(now) for now in (9, 10, 19, 20)] == [30, 50, 50, 100]
    assert budget.next_return is None


def test_budget_notices_more_returns_than_takes() -> None:
    budget = Budget(100)
    budget.release(5, at=3)
    with pytest.raises(RuntimeError, match=r"^5 more was given back than was taken$"):
        budget.free(now=3)


def union(intervals: list[tuple[int, int]]) -> int:
    return len({t for start, end in intervals for t in range(start, end)})


@pytest.mark.parametrize("cut", range(5))
def test_busy_time_counts_overlaps_once(cut: int) -> None:
    intervals = [(0, 5), (3, 8), (8, 9), (20, 30), (22, 31)]
    busy = BusyTime()
    for part in (intervals[:cut], intervals[cut:]):
        if part:
            starts, ends = np.array(part).T
            busy.add(starts, ends)
    assert busy.total == union(intervals)
