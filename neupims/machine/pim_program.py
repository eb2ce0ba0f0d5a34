"""The PIM program of a stage: decode attention, one sub-batch after the other."""

from collections.abc import Generator, Sequence

from simpy.events import Event

from neupims.isa.work import PimWork
from neupims.machine.attention_run import AttentionRun
from neupims.machine.core import Core
from neupims.machine.outcome import OperatorSpan


class PimProgram:
    """Runs the decode attention of a stage; `spans` tells what happened."""

    def __init__(self, works: Sequence[PimWork], core: Core) -> None:
        self.core, self.works = core, works
        self.spans: list[OperatorSpan] = []

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        for work in self.works:
            if work.requests:
                run = AttentionRun(work, self.core)
                run.begin()
                yield run.finished
                self.spans.extend(run.spans())
