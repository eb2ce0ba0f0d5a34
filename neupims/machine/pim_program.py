"""The PIM program of stages: decode attention and matrices in the banks, one after the other."""

from collections.abc import Generator, Sequence

from simpy.events import Event

from neupims.isa.work import PimMatrix, PimWork
from neupims.machine.attention_run import AttentionRun
from neupims.machine.core import Core
from neupims.machine.ended import Ended
from neupims.machine.matrix_run import MatrixRun
from neupims.machine.outcome import OperatorSpan


class PimProgram:
    """Runs the PIM work of stages; `spans` tells what happened in each."""

    def __init__(self, stages: Sequence[Sequence[PimWork | PimMatrix]], core: Core, ended: Ended) -> None:
        self.core, self.stages, self._ended = core, stages, ended
        self.spans: list[list[OperatorSpan]] = [[] for _ in stages]

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        for stage, works in enumerate(self.stages):
            for work in works:
                yield from self._ended.wait(work)
                if isinstance(work, PimMatrix) or work.requests:
                    run = MatrixRun(work, self.core) if isinstance(work, PimMatrix) else AttentionRun(work, self.core)
                    run.begin()
                    yield run.finished
                    self.spans[stage].extend(run.spans())
                self._ended.work(work.name)
            self._ended.stage(stage)
