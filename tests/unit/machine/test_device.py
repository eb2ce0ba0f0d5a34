"""A device runs small plans on a memory of fixed bandwidth."""

from collections.abc import Callable
from typing import Any

import pytest

from neupims.isa.work import LinkWork, Plan, Stage
from neupims.machine.device import run_plan
from neupims.machine.outcome import DeviceResult

Make = Callable[..., Any]


def plan(*stages: Stage) -> Plan:
    return Plan(tuple(stages), (1,) * len(stages))


def times(result: DeviceResult) -> list[tuple[str, int, int]]:
    stages = [(s.name, s.start_ps, s.end_ps) for s in result.stages]
    return stages + [(o.name, o.start_ps, o.end_ps) for o in result.operators]


def test_one_step(new_memory: Make, system: Make, npu_work: Make) -> None:
    spec = system()
    result = run_plan(plan(Stage("A", (npu_work(steps=1, bursts=1),))), spec, new_memory())
    way, latency, write = 1, 16, 1
    array = 128 + 128 + 128 - 2 + 64
    cycles = way + latency + way + array + way + write + way
    assert result.iteration_ps == cycles * 1000
    print(result)


def test_x(new_memory: Make, system: Make, npu_work: Make, pim_work: Make) -> None:
    spec = system()
    work = (npu_work("a", steps=20), npu_work("b", unit="vector", kind="add", steps=20), LinkWork("l", "all_reduce", 1000, 4), npu_work("c", steps=20, early=True, bursts=40))
    stage = Stage("A", work, (pim_work(*((i % 4, 32 * i + 1) for i in range(12))),))
    results = [run_plan(plan(stage, stage), spec, new_memory(), longest_window=w) for w in (1, 2, 5, 17, 100, 100000)]
    print(results[0])
    for r in results:
        assert times(r) == times(results[0])
        print(r.windows)
        assert all((a.counts.commands == b.counts.commands).all() for a, b in zip(r.stages, results[0].stages))
