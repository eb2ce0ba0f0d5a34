"""What has ended in stages that run together: works that others come after, and the stages themselves."""

from collections.abc import Callable, Generator, Sequence
from functools import partial

from simpy.events import Event

from neupims.events.join import Join
from neupims.isa.work import AnyWork, Stage
from neupims.machine.core import Core


class Ended:
    """Told by both programs as they go on; `passed(i)` is called when both have ended their part of stage i."""

    def __init__(self, stages: Sequence[Stage], core: Core, passed: Callable[[int], None]) -> None:
        works = [work for stage in stages for work in (*stage.npu, *stage.pim)]
        self._works = {name: Event(core.env) for work in works for name in work.after}
        self._core = core
        self._stages = [Join(2, core.now, partial(self._pass, passed, index)) for index in range(len(stages))]

    def wait(self, work: AnyWork) -> Generator[Event, None, None]:
        """Until all that `work` comes after has ended."""
        for name in work.after:
            yield self._works[name]

    def work(self, name: str) -> None:
        """A work has ended."""
        if name in self._works:
            self._works[name].succeed()

    def stage(self, index: int) -> None:
        """A program has ended its part of a stage."""
        self._stages[index].count_down(self._core.now)

    def _pass(self, passed: Callable[[int], None], index: int, time: int) -> None:
        passed(index)
