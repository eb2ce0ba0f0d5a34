"""Actions at points in time, in an order that does not depend on when they were entered."""

from collections.abc import Callable

from simpy.core import Environment
from simpy.events import Event, EventPriority

Action = Callable[[], None]
Key = tuple[int, ...]

FIRST = EventPriority(-1)


class Agenda:
    """Enters actions into a SimPy environment, one event for each point in time.

    SimPy breaks ties by the order of scheduling. What is learned from a coupled simulator is learned
    earlier or later depending on how far that one was run ahead, so ties would depend on it too. Here
    all actions of one time run together, before other events of that time, sorted by their keys.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._due: dict[int, list[tuple[Key, Action]]] = {}

    def at(self, time: int, key: Key, action: Action) -> None:
        """Run `action` at `time` (now or later). Keys of one time must differ, or their order not matter."""
        due = self._due.get(time)
        if due is None:
            due = self._due[time] = []
            self._schedule(time)
        due.append((key, action))

    def _schedule(self, time: int) -> None:
        if time < self.env.now:
            raise RuntimeError(f"an action for {time} ps was entered at {self.env.now} ps: it lies in the past")
        _Due(self.env, time, self._run)

    def _run(self, event: Event) -> None:
        due = self._due.pop(int(self.env.now))
        if len(due) > 1:
            due.sort(key=_key)
        for _, action in due:
            action()


class _Due(Event):
    """The event of one point in time."""

    def __init__(self, env: Environment, time: int, action: Callable[[Event], None]) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        self.callbacks = [action]
        env.schedule(self, FIRST, time - env.now)


def _key(entry: tuple[Key, Action]) -> Key:
    return entry[0]
