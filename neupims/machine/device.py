"""One device and its memory running a plan, stage by stage."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from simpy.events import Event

from neupims.events.coupling import run_coupled
from neupims.hardware.system import SystemSpec
from neupims.isa.work import Plan, Stage
from neupims.machine.core import Core, new_core
from neupims.machine.dram.memory import Counters, Memory
from neupims.machine.ended import Ended
from neupims.machine.npu_program import NpuProgram
from neupims.machine.outcome import DeviceResult, OperatorSpan, StageSpan
from neupims.machine.pim_program import PimProgram
from neupims.machine.transfers import LONGEST_WINDOW

Progress = Callable[[str, int, int], None]


def run_plan(
    plan: Plan,
    system: SystemSpec,
    memory: Memory,
    progress: Progress | None = None,
    longest_window: int = LONGEST_WINDOW,
) -> DeviceResult:
    """Simulate every stage of `plan` once, in order, on a device whose memory is `memory`.

    `progress(stage, index, count)` is called when a stage begins. `longest_window` limits how many
    cycles the memory may be run ahead of the device; results do not depend on it.

    Raises:
        ValueError: the system has no NPU, no simulated memory, or no PIM for a plan that needs it.
        RuntimeError: the plan cannot end (a load larger than the scratchpad, a gate that never opens).
    """
    core = new_core(system, memory, longest_window, replace(plan.counter) if plan.counter else None)
    stages = StageSequence(plan, core, progress)
    process = core.env.process(stages.run())
    windows = run_coupled(core.env, core.transfers, core.transfers.clock, process)
    commands = int(memory.counters().commands.sum())
    return DeviceResult(tuple(stages.spans()), windows, commands, memory.simulated())


class StageSequence:
    """Stages one after the other: at a barrier both programs begin together, and before the next one all end."""

    def __init__(self, plan: Plan, core: Core, progress: Progress | None) -> None:
        self.plan, self.core, self.progress = plan, core, progress
        self._times: list[tuple[str, int, int]] = []
        self._operators: list[tuple[OperatorSpan, ...]] = []
        self._start = 0
        self._counts = [core.transfers.memory.counters()]

    def run(self) -> Generator[Event, None, None]:
        """The SimPy process."""
        for numbers in self.plan.groups():
            stages = [self.plan.stages[number] for number in numbers]
            if self.progress is not None:
                self.progress(stages[0].name, numbers.start, len(self.plan.stages))
            if numbers.start and self.core.npu.stage_gap_cycles:
                yield self.core.env.timeout(self.core.clock.ps(self.core.npu.stage_gap_cycles))
            yield from self._run_together(stages)
        yield self.core.env.timeout(self.core.transfers.interconnect_ps)

    def _run_together(self, stages: Sequence[Stage]) -> Generator[Event, None, None]:
        env = self.core.env
        self._start = self.core.now
        ended = Ended(stages, self.core, lambda index: self._passed(stages[index].name))
        npu = NpuProgram([stage.npu for stage in stages], self.core, ended)
        pim = PimProgram([stage.pim for stage in stages], self.core, ended)
        yield env.all_of([env.process(npu.run()), env.process(pim.run())])
        self.core.transfers.forget()
        self._operators += [(*first, *second) for first, second in zip(npu.spans, pim.spans, strict=True)]

    def _passed(self, name: str) -> None:
        self._times.append((name, self._start, self.core.now))
        self._start = self.core.now
        self.core.env.process(self._count())

    def _count(self) -> Generator[Event, None, None]:
        """Read the counters when the stage's end is seen at the memory."""
        yield self.core.env.timeout(self.core.transfers.interconnect_ps)
        self._counts.append(self.core.transfers.memory.counters())

    def spans(self) -> Generator[StageSpan, None, None]:
        """What happened in each stage."""
        rows = zip(self._times, self.plan.repeats, self._operators, strict=True)
        for index, ((name, start, end), repeats, operators) in enumerate(rows):
            yield StageSpan(name, start, end, repeats, operators, self._added(index))

    def _added(self, index: int) -> Counters:
        before, after = self._counts[index], self._counts[index + 1]
        return Counters(after.commands - before.commands, after.pim_busy - before.pim_busy, after.macs - before.macs)
