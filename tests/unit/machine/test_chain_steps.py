"""Steps that go back and forth between arrays and a vector unit, and loads that wait for a step or for their turn."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neupims.isa.work import STEP, Loads, NpuWork, Plan, Stage, Stores
from neupims.machine.device import run_plan

Make = Callable[..., Any]

WAY, READ, WRITE = 1, 16, 1
"""Cycles of the interconnect, and of the memory of conftest.py to data and to an acknowledgement."""
FILL = 128 + 128 - 1
DRAINED = (
    "processor.arrays.folded=true",
    "processor.arrays.dataflow=activation_stationary",
    "processor.arrays.preload=drained",
)


def one_stage(*works: Any) -> Plan:
    return Plan((Stage("A", works),), (1,))


def chain(*steps: tuple[int, int, int]) -> NpuWork:
    """Steps of (stream, preload, rows) without loads or stores."""
    records = np.zeros(len(steps), STEP)
    records["stream"], records["preload"], records["rows"] = np.array(steps).T
    return NpuWork("op", "attention", "array", records, Loads(), Stores(), chain=True)


def cycles(plan: Plan, system: Any, memory: Any) -> int:
    return run_plan(plan, system, memory).iteration_ps // 1000


LOGIT, SOFTMAX, ATTEND = (32, 8, 0), (20, 0, 1), (16, 8, 0)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((LOGIT,), 8 + FILL + 32),
        ((LOGIT, SOFTMAX), 8 + FILL + 32 + 20),
        # the softmax empties the pipeline, so the load of the scores shows; behind it each waits for the one before
        ((LOGIT, SOFTMAX, ATTEND, ATTEND), 8 + FILL + 32 + 20 + 8 + 2 * (FILL + 16)),
        # the next head's logit waits for the last attend, but its load is hidden
        ((LOGIT, SOFTMAX, ATTEND, LOGIT), 8 + FILL + 32 + 20 + 8 + FILL + 16 + FILL + 32),
    ],
)
def test_a_head_is_a_chain(
    new_memory: Make, system: Make, steps: tuple[tuple[int, int, int], ...], expected: int
) -> None:
    assert cycles(one_stage(chain(*steps)), system(*DRAINED), new_memory()) == expected


def test_only_the_arrays_count_as_busy(new_memory: Make, system: Make) -> None:
    result = run_plan(one_stage(chain(LOGIT, SOFTMAX, ATTEND)), system(*DRAINED), new_memory())
    assert result.operators[0].busy_ps == 1000 * (8 + FILL + 32 + 8 + FILL + 16)


def test_chained_steps_wait_for_their_loads_too(new_memory: Make, system: Make, npu_work: Make) -> None:
    work = replace(npu_work(steps=2, bursts=1, store=0), chain=True)
    work.steps["stream"], work.steps["preload"], work.steps["rows"] = (32, 20), (8, 0), (0, 1)
    expected = WAY + READ + WAY + 8 + FILL + 32 + 20
    assert cycles(one_stage(work), system(*DRAINED), new_memory()) == expected


def reads(memory: Any) -> list[int]:
    """Cycles at which blocks were first asked for, by id."""
    first: dict[int, int] = {}
    for cycle, _, block, what in memory.log:
        if what == "read":
            first.setdefault(block, cycle)
    return [first[block] for block in sorted(first)]


@pytest.mark.parametrize(("rate", "expected"), [(1, [0, 1, 2, 3]), (2, [0, 0, 1, 1]), (8, [0, 0, 0, 0])])
def test_so_many_loads_leave_in_a_cycle(
    new_memory: Make, system: Make, npu_work: Make, rate: int, expected: list[int]
) -> None:
    memory = new_memory()
    run_plan(one_stage(npu_work(steps=4, bursts=1)), system(f"processor.loads_per_cycle={rate}"), memory)
    assert reads(memory) == [WAY + cycle for cycle in expected]


def test_a_load_waits_for_the_acknowledgement_of_the_step_before_it(
    new_memory: Make, system: Make, npu_work: Make
) -> None:
    work, memory = npu_work(steps=3, bursts=1, stream=64, preload=128), new_memory()
    work = replace(work, loads=replace(work.loads, after=np.array([-1, -1, 0])))
    run_plan(one_stage(work), system(), memory)
    first_end = WAY + READ + WAY + 128 + 128 + 128 - 2 + 64
    assert reads(memory) == [WAY, WAY, first_end + WAY + WRITE + WAY + WAY]


@pytest.mark.parametrize("window", [1, 7, 64])
def test_results_do_not_depend_on_how_far_the_memory_runs_ahead(
    new_memory: Make, system: Make, npu_work: Make, window: int
) -> None:
    work = replace(npu_work(steps=6, bursts=1, preload=8), chain=True)
    work.steps["rows"] = (0, 1, 0, 0, 1, 0)
    work = replace(work, loads=replace(work.loads, after=np.array([-1, -1, -1, 0, 1, 2])))
    free = run_plan(one_stage(work), system(*DRAINED), new_memory())
    short = run_plan(one_stage(work), system(*DRAINED), new_memory(), longest_window=window)
    assert free.iteration_ps == short.iteration_ps
