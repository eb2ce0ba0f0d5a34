"""List scheduling of tasks with dependencies on engines that each do one at a time (Graham 1966; Coffman 1976)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from heapq import heappop, heappush


@dataclass(frozen=True, slots=True)
class Task:
    """Something that one engine does in one go."""

    name: str
    engine: str
    estimate: int
    """How long it takes, in any unit."""
    after: tuple[str, ...] = ()
    """Names of the tasks that must have ended before it begins."""


def list_schedule(tasks: Sequence[Task]) -> dict[str, tuple[str, ...]]:
    """The order in which each engine does its tasks.

    A free engine takes, of the tasks whose predecessors have ended, the one with the longest way to the end of all, the
    first of `tasks` on ties. Before that it goes on with what its last task alone was holding up, if that has no other
    successor: chains are not torn apart.

    Raises:
        ValueError: two tasks have the same name, or one comes after a task that does not exist.
        graphlib.CycleError: tasks wait for each other.
    """
    known = {task.name: task for task in tasks}
    if len(known) < len(tasks):
        raise ValueError("two tasks have the same name")
    for task in tasks:
        for name in task.after:
            if name not in known:
                raise ValueError(f"{task.name} comes after {name}, which does not exist")
    return _Schedule(known).run()


class _Schedule:
    """Tasks under way and tasks that wait, in simulated time."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self._tasks = tasks
        self._next: dict[str, list[str]] = defaultdict(list)
        for task in tasks.values():
            for name in dict.fromkeys(task.after):
                self._next[name].append(task.name)
        self._left = {name: len(set(task.after)) for name, task in tasks.items()}
        self._rank = self._ranks()
        self._ready: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        self._position = {name: index for index, name in enumerate(tasks)}
        self._order: dict[str, list[str]] = {task.engine: [] for task in tasks.values()}
        self._running: list[tuple[int, int, str]] = []
        self._busy = set[str]()

    def _ranks(self) -> dict[str, int]:
        """Longest way from the beginning of a task to the end of all."""
        ranks: dict[str, int] = {}
        order = TopologicalSorter({name: task.after for name, task in self._tasks.items()}).static_order()
        for name in reversed(list(order)):
            ranks[name] = self._tasks[name].estimate + max((ranks[other] for other in self._next[name]), default=0)
        return ranks

    def run(self) -> dict[str, tuple[str, ...]]:
        for name, left in self._left.items():
            if not left:
                self._offer(name)
        self._begin(0)
        while self._running:
            now = self._running[0][0]
            while self._running and self._running[0][0] == now:
                self._end(heappop(self._running)[2])
            self._begin(now)
        return {engine: tuple(order) for engine, order in self._order.items()}

    def _offer(self, name: str) -> None:
        heappush(self._ready[self._tasks[name].engine], (-self._rank[name], self._position[name], name))

    def _begin(self, now: int) -> None:
        for engine, ready in self._ready.items():
            if ready and engine not in self._busy:
                name = self._take(engine)
                self._busy.add(engine)
                self._order[engine].append(name)
                heappush(self._running, (now + self._tasks[name].estimate, self._position[name], name))

    def _take(self, engine: str) -> str:
        """What follows the last task and nothing else, else the first of those that are ready."""
        ready, order = self._ready[engine], self._order[engine]
        follows = self._next[order[-1]] if order else []
        chained = [entry for entry in ready if follows == [entry[2]] and self._tasks[entry[2]].after == (order[-1],)]
        if not chained:
            return heappop(ready)[2]
        ready.remove(chained[0])
        ready.sort()
        return chained[0][2]

    def _end(self, name: str) -> None:
        self._busy.discard(self._tasks[name].engine)
        for other in self._next[name]:
            self._left[other] -= 1
            if not self._left[other]:
                self._offer(other)
