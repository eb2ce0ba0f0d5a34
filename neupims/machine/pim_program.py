"""The PIM program of stages: decode attention, one sub-batch after the other."""

from collections.abc import Generator, Sequence

from simpy.events import Event

from neupims.isa.work import PimWork
from neupims.machine.attention_run import AttentionRun
from neupims.machine.core import Core
from neupims.machine.ended import Ended
from neupims.machine.outcome import OperatorSpan


class PimProgram:
    """Runs the decode attention of stages; `spans` tells what happened in each."""

    def __init__(self, stages: Sequence[Sequence[PimWork]], core: Core, ended: Ended) -> None:
        self.core, self.stages, self._ended = core, stages, ended
        self.spans: list[list[OperatorSpan]] = [[] for _ in stages]

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        for stage, works in enumerate(self.stages):
            for work in works:
                yield from self._ended.wait(work)
                if work.requests:
                    run = AttentionRun(work, self.core)
                    run.begin()
                    yield run.finished
                    self.spans[stage].extend(run.spans())
                self._ended.work(work.name)
            self._ended.stage(stage)
