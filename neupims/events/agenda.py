"""Actions at points in time, in an order that does not depend on when they were entered."""

from collections.abc import Callable
from operator import itemgetter

from simpy.core import Environment
from simpy.events import Event, EventPriority

Action = Callable[[], None]
Key = tuple[int, ...]

FIRST = EventPriority(-1)
BY_KEY = itemgetter(0)


class Agenda:
    """Enters actions into a SimPy environment, one event for each point in time.

    SimPy breaks ties by the order of scheduling. What is learned from a coupled simulator is learned
    earlier or later depending on how far that one was run ahead, so ties would depend on it too. Here
    all actions of one time run together, before other events of that time, sorted by their keys.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._due: dict[int, list[tuple[Key, Action]]] = {}
        self._callbacks: list[Callable[[Event], None]] = [self._run]
        self._event = _Due(env, self._callbacks)

    def at(self, time: int, key: Key, action: Action) -> None:
        """Run `action` at `time` (now or later). Keys of one time must differ, or their order not matter."""
        due = self._due.get(time)
        if due is None:
            due = self._due[time] = []
            self._schedule(time)
        due.append((key, action))

    def _schedule(self, time: int) -> None:
        delay = time - self.env.now
        if delay < 0:
            raise RuntimeError(f"an action for {time} ps was entered at {self.env.now} ps: it lies in the past")
        self.env.schedule(self._event, FIRST, delay)

    def _run(self, event: Event) -> None:
        event.callbacks = self._callbacks  # SimPy took them off: the event is still due at other times
        due = self._due.pop(int(self.env.now))
        if len(due) > 1:
            due.sort(key=BY_KEY)
        for _, action in due:
            action()


class _Due(Event):
    """What SimPy has in its queue once for each point in time; it only calls back."""

    def __init__(self, env: Environment, callbacks: list[Callable[[Event], None]]) -> None:
        super().__init__(env)
        self._ok, self._value, self.callbacks = True, None, callbacks
