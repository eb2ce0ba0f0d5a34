"""Plans on the simulated DRAM instead of the small double: same answers from both engines and any window."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neupims.hardware.system import SystemSpec
from neupims.isa.commands import Command
from neupims.isa.memory import RUN
from neupims.isa.work import Plan, Stage, Stores
from neupims.machine.device import run_plan
from neupims.machine.dram.memory import Engine, build_memory
from neupims.machine.outcome import DeviceResult
from neupims.machine.systolic import array_timing

Make = Callable[..., Any]


def run(plan: Plan, spec: SystemSpec, engine: Engine = "fast", longest_window: int = 1 << 16) -> DeviceResult:
    assert spec.memory is not None
    return run_plan(plan, spec, build_memory(spec.memory, spec.pim, engine), longest_window=longest_window)


def everything(result: DeviceResult) -> list[Any]:
    return [
        (stage.start_ps, stage.end_ps, stage.operators, stage.counts.commands.tolist(), stage.counts.macs.tolist())
        for stage in result.stages
        if stage.counts is not None
    ]


@pytest.fixture
def works(npu_work: Make, pim_work: Make) -> tuple[Any, Any]:
    """Some operators and the attention of six requests, long enough for refreshes."""
    npu = (
        npu_work("a", steps=30, bursts=8),
        npu_work("b", "vector", "add", steps=20, stream=512),
        npu_work("c", steps=40, bursts=8, early=True),
    )
    return npu, (pim_work(*((i % 4, 40 + 90 * i) for i in range(6))),)


@pytest.fixture
def busy_plan(works: tuple[Any, Any]) -> Plan:
    """Two stages in which the NPU and the banks get in each other's way."""
    stage = Stage("A", *works)
    return Plan((stage, stage), (1, 1))


@pytest.mark.parametrize("name", ["neupims", "neupims-authors", "npu-pim", "npu-pim-authors"])
def test_results_do_not_depend_on_the_window(busy_plan: Plan, works: tuple[Any, Any], system: Make, name: str) -> None:
    """The published blocked controller can lock up when both programs run at once, so there they do not."""
    spec = system(name=name)
    if name == "npu-pim-authors":
        busy_plan = Plan((Stage("A", works[0]), Stage("B", (), works[1])), (1, 1))
    far, *nearer = (run(busy_plan, spec, longest_window=window) for window in (1 << 16, 40, 9, 1))
    assert far.windows < nearer[-1].windows
    for result in nearer:
        assert everything(result) == everything(far)
    refreshes = [stage.counts.commands[:, Command.REF].sum() for stage in far.stages if stage.counts is not None]
    assert sum(refreshes) > 0


@pytest.mark.parametrize("name", ["neupims", "npu-pim-authors"])
def test_both_engines_give_the_same_result(npu_work: Make, pim_work: Make, system: Make, name: str) -> None:
    stage = Stage("A", (npu_work("a", steps=3), npu_work("b", "vector", "add", steps=3)), (pim_work((1, 40)),))
    plan = Plan((stage,), (1,))
    assert everything(run(plan, system(name=name))) == everything(run(plan, system(name=name), "reference"))


def test_first_step_waits_for_one_row_from_an_idle_bank(npu_work: Make, system: Make) -> None:
    """Interconnect, a transaction's move, ACT to RD, data, interconnect, then the arrays."""
    spec, work = system(), npu_work(steps=1, bursts=1, store=0)
    result = run(Plan((Stage("A", (work,)),), (1,)), spec)
    timing, burst = spec.memory.timing, spec.memory.organization.burst_length // 2
    steps = array_timing(work.steps, spec.processor.arrays, work.dataflow)
    arrival = 2 * spec.processor.interconnect_cycles + 1 + timing.t_rcd_rd_ns + timing.t_cl_ns + burst
    assert result.iteration_ps == 1000 * (arrival + steps.exposed[0] + steps.latency[0])


FEW = 20


def test_waiting_for_a_large_store_takes_few_windows(npu_work: Make, system: Make) -> None:
    """Channels have unequal shares of it, so that the last acknowledgement comes from one of them."""
    work = npu_work(steps=1, bursts=1)
    runs = np.zeros(400, RUN)
    runs["channel"] = np.repeat(np.arange(4), (40, 80, 120, 160))
    runs["row"], runs["bursts"], runs["write"] = np.arange(400), 16, 1
    runs = runs[np.argsort(runs["row"] * 7 % 400)]
    plan = Plan((Stage("A", (replace(work, stores=Stores(runs, np.array([400 * 1024]), np.array([0]))),)),), (1,))
    far, one = (run(plan, system(), longest_window=window) for window in (1 << 16, 1))
    assert everything(far) == everything(one)
    assert far.windows < FEW


def test_bytes_and_bursts_agree(busy_plan: Plan, system: Make) -> None:
    """Reads of the NPU and writes of both programs appear as commands, except those answered from the write buffer."""
    result = run(busy_plan, system())
    burst = system().memory.organization.burst_bytes
    for stage in result.stages:
        assert stage.counts is not None
        npu = [operator for operator in stage.operators if operator.unit in ("array", "vector")]
        read = sum(operator.bytes_read for operator in npu) // burst
        assert stage.counts.commands[:, Command.RD].sum() <= read
    writes = sum(operator.bytes_written for operator in result.operators) // burst
    done = sum(int(stage.counts.commands[:, Command.WR].sum()) for stage in result.stages if stage.counts)
    assert done <= writes
