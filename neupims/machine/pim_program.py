"""The PIM program of a stage: decode attention and matrices in the banks, one after the other."""

from collections.abc import Generator, Sequence

from simpy.events import Event

from neupims.isa.work import PimMatrix, PimWork
from neupims.machine.attention_run import AttentionRun
from neupims.machine.core import Core
from neupims.machine.matrix_run import MatrixRun
from neupims.machine.outcome import OperatorSpan


class PimProgram:
    """Runs the PIM work of a stage; `spans` tells what happened."""

    def __init__(self, works: Sequence[PimWork | PimMatrix], core: Core) -> None:
        self.core, self.works = core, works
        self.spans: list[OperatorSpan] = []

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        for work in self.works:
            if isinstance(work, PimMatrix) or work.requests:
                run = MatrixRun(work, self.core) if isinstance(work, PimMatrix) else AttentionRun(work, self.core)
                run.begin()
                yield run.finished
                self.spans.extend(run.spans())
