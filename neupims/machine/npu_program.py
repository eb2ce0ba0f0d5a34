"""The NPU program of stages: operators one after the other, loads of later ones ahead of time."""

from collections.abc import Generator, Sequence
from itertools import count

from simpy.events import Event

from neupims.isa.work import LinkWork, NpuWork
from neupims.machine.core import Core
from neupims.machine.ended import Ended
from neupims.machine.link import link_bytes, link_ps
from neupims.machine.loader import Loader
from neupims.machine.operator_run import OperatorRun
from neupims.machine.outcome import OperatorSpan


class NpuProgram:
    """Runs the NPU operators and collectives of stages; `spans` tells what happened in each."""

    def __init__(self, stages: Sequence[Sequence[NpuWork | LinkWork]], core: Core, ended: Ended) -> None:
        self.core, self.stages, self._ended = core, stages, ended
        self.spans: list[list[OperatorSpan]] = [[] for _ in stages]
        works = [work for stage in stages for work in stage]
        self._runs = [OperatorRun(work, core, self._released) if isinstance(work, NpuWork) else None for work in works]
        self._loader = Loader(core, [run.queue if run else None for run in self._runs])
        self._current: OperatorRun | None = None

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        self.core.transfers.listeners.append(self._learn)
        self.core.transfers.bounds.append(self._lookahead)
        number = count()
        for stage, works in enumerate(self.stages):
            for work in works:
                if work.after:
                    self._loader.pump()
                    yield from self._ended.wait(work)
                span = yield from self._run(next(number), work)
                self.spans[stage].append(span)
                self._ended.work(work.name)
            self._ended.stage(stage)
        self.core.transfers.listeners.remove(self._learn)
        self.core.transfers.bounds.remove(self._lookahead)

    def _run(self, index: int, work: NpuWork | LinkWork) -> Generator[Event, None, OperatorSpan]:
        start, run = self.core.now, self._runs[index]
        if self.core.operator_gap_ps:
            yield self.core.env.timeout(self.core.operator_gap_ps)
        self._loader.open(index)
        if isinstance(work, LinkWork):
            return (yield from self._communicate(work))
        assert run is not None
        return (yield from self._operate(run, start))

    def _operate(self, run: OperatorRun, start: int) -> Generator[Event, None, OperatorSpan]:
        self._current = run
        run.begin(start)
        yield run.finished
        self._current = None
        return run.span()

    def _communicate(self, work: LinkWork) -> Generator[Event, None, OperatorSpan]:
        start = self.core.now
        duration = link_ps(work, self.core.system.link)
        yield self.core.env.timeout(duration)
        end, sent = self.core.now, link_bytes(work)
        return OperatorSpan(
            work.name, work.kind, "link", start, end, bytes_read=sent, bytes_written=sent, busy_ps=duration
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
