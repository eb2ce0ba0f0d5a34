"""The NPU program of a stage: operators one after the other, loads of later ones ahead of time."""

from collections.abc import Generator, Sequence

from simpy.events import Event

from neupims.isa.work import LinkWork, NpuWork
from neupims.machine.core import Core
from neupims.machine.link import link_bytes, link_ps
from neupims.machine.loader import Loader
from neupims.machine.operator_run import OperatorRun
from neupims.machine.outcome import OperatorSpan


class NpuProgram:
    """Runs the NPU operators and collectives of a stage; `spans` tells what happened."""

    def __init__(self, works: Sequence[NpuWork | LinkWork], core: Core) -> None:
        self.core, self.works = core, works
        self.spans: list[OperatorSpan] = []
        self._runs = [OperatorRun(work, core, self._released) if isinstance(work, NpuWork) else None for work in works]
        self._loader = Loader(core, [run.queue if run else None for run in self._runs])
        self._current: OperatorRun | None = None

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        self.core.transfers.listeners.append(self._learn)
        self.core.transfers.bounds.append(self._lookahead)
        for index, (work, run) in enumerate(zip(self.works, self._runs, strict=True)):
            start = self.core.now
            if self.core.operator_gap_ps:
                yield self.core.env.timeout(self.core.operator_gap_ps)
            self._loader.open(index)
            if isinstance(work, LinkWork):
                yield from self._communicate(work)
            else:
                assert run is not None
                yield from self._operate(run, start)
        self.core.transfers.listeners.remove(self._learn)
        self.core.transfers.bounds.remove(self._lookahead)

    def _operate(self, run: OperatorRun, start: int) -> Generator[Event, None, None]:
        self._current = run
        run.begin(start)
        yield run.finished
        self._current = None
        self.spans.append(run.span())

    def _communicate(self, work: LinkWork) -> Generator[Event, None, None]:
        start = self.core.now
        duration = link_ps(work, self.core.system.link)
        yield self.core.env.timeout(duration)
        end, sent = self.core.now, link_bytes(work)
        self.spans.append(
            OperatorSpan(
                work.name, work.kind, "link", start, end, bytes_read=sent, bytes_written=sent, busy_ps=duration
            )
        )

    def _learn(self) -> None:
        if self._current is not None:
            self._current.proceed()

    def _released(self, times: list[int]) -> None:
        self._loader.released(times)

    def _lookahead(self) -> int:
        if self._current is None:
            return self.core.transfers.longest_window
        return self._current.lookahead(self._loader.blocked)
