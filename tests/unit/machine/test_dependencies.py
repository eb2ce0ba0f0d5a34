"""Works that come after works of the other program, and stages without a barrier between them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from neupims.isa.work import LinkWork, Plan, Stage
from neupims.machine.device import run_plan
from neupims.machine.outcome import DeviceResult, OperatorSpan

Make = Callable[..., Any]
Works = tuple[Any, ...]
WAY, READ, BURST = 1, 16, 2
"""Interconnect, and the memory of conftest.py: cycles to data, and per burst."""


def run(memory: Any, spec: Any, npu: Works, pim: Works) -> DeviceResult:
    return run_plan(Plan((Stage("A", npu, pim),), (1,)), spec, memory)


def spans(result: DeviceResult) -> dict[str, OperatorSpan]:
    return {operator.name: operator for operator in result.operators}


def first_read(memory: Any) -> int:
    return min(cycle for cycle, *_, what in memory.log if what == "read")


def test_npu_after_pim_takes_as_long_as_behind_a_barrier(
    new_memory: Make, system: Make, npu_work: Make, pim_work: Make
) -> None:
    pim, npu = pim_work((0, 64), (1, 640)), npu_work("gemm")
    together = run(new_memory(), system(), (replace(npu, after=("attention",)),), (pim,))
    apart = run_plan(Plan((Stage("A", (), (pim,)), Stage("B", (npu,))), (1, 1)), system(), new_memory())
    assert together.iteration_ps == apart.iteration_ps
    assert spans(together) == spans(apart)


def test_pim_after_npu_takes_as_long_as_behind_a_barrier(
    new_memory: Make, system: Make, npu_work: Make, pim_work: Make
) -> None:
    pim, npu = pim_work((0, 64), (1, 640)), npu_work("gemm")
    together = run(new_memory(), system(), (npu,), (replace(pim, after=("gemm",)),))
    apart = run_plan(Plan((Stage("A", (npu,)), Stage("B", (), (pim,))), (1, 1)), system(), new_memory())
    assert together.iteration_ps == apart.iteration_ps
    assert spans(together) == spans(apart)


def test_a_collective_waits_as_well(new_memory: Make, system: Make, npu_work: Make, pim_work: Make) -> None:
    link = LinkWork("sum", "all_reduce", 1000, 2, after=("attention",))
    parts = spans(run(new_memory(), system(), (npu_work("gemm", steps=1), link), (pim_work((0, 640)),)))
    assert parts["gemm"].end_ps < parts["attention.attend"].end_ps == parts["sum"].start_ps


def test_early_loads_do_not_wait(new_memory: Make, system: Make, npu_work: Make, pim_work: Make) -> None:
    pim, memories = pim_work((0, 64)), [new_memory() for _ in range(2)]
    early, late = (
        run(memory, system(), (replace(npu_work("gemm", early=early), after=("attention",)),), (pim,))
        for memory, early in zip(memories, (True, False), strict=True)
    )
    begins = spans(late)["gemm"].start_ps
    assert begins == spans(early)["gemm"].start_ps == spans(late)["attention.attend"].end_ps
    assert (first_read(memories[0]), first_read(memories[1])) == (1, begins // 1000 + 1)
    alone = run(new_memory(), system(), (npu_work("gemm"),), ()).iteration_ps
    first_operands = WAY + BURST + READ + WAY
    assert late.iteration_ps == begins + alone
    assert early.iteration_ps == begins + alone - 1000 * first_operands


def test_programs_meet_where_works_say_so_and_nowhere_else(
    new_memory: Make, system: Make, npu_work: Make, pim_work: Make
) -> None:
    """The second attention waits for `a` only, and begins while `b` runs."""
    first, second = (replace(pim_work((0, length)), name=f"attention{length}") for length in (32, 64))
    npu = (npu_work("a"), npu_work("b", steps=50))
    parts = spans(run(new_memory(), system(), npu, (first, replace(second, after=("a",)))))
    assert parts["attention64.logit"].start_ps == max(parts["a"].end_ps, parts["attention32.attend"].end_ps)
    assert parts["attention64.logit"].start_ps < parts["b"].end_ps


def test_stages_without_a_barrier_go_on(new_memory: Make, system: Make, npu_work: Make, pim_work: Make) -> None:
    a = Stage("A", (npu_work("a"),), (replace(pim_work((0, 640)), name="p"),))
    b = Stage("B", (npu_work("b", steps=9),), (replace(pim_work((0, 32)), name="q", after=("a",)),))
    free = run_plan(Plan((a, b), (1, 3), barriers=(True, False)), system(), new_memory())
    bound = run_plan(Plan((a, replace(b, pim=(pim_work((0, 32)),))), (1, 3)), system(), new_memory())
    parts = spans(free)
    assert parts["b"].start_ps == parts["a"].end_ps < parts["p.attend"].end_ps == parts["q.logit"].start_ps
    first, second = free.stages
    assert (first.start_ps, first.end_ps) == (0, parts["p.attend"].end_ps)
    assert (second.start_ps, second.end_ps) == (first.end_ps, max(parts["b"].end_ps, parts["q.attend"].end_ps))
    assert [span.name for span in second.operators] == ["b", "q.logit", "q.softmax", "q.attend"]
    assert free.iteration_ps == first.duration_ps + 3 * second.duration_ps < bound.iteration_ps


def test_a_barrier_behind_stages_without_one(new_memory: Make, system: Make, npu_work: Make, pim_work: Make) -> None:
    stages = tuple(Stage(name, (npu_work(name, steps=30),), (pim_work((0, 32)),)) for name in "ABCD")
    plan = Plan(stages, (1,) * 4, barriers=(True, False, True, False))
    assert plan.groups() == (range(2), range(2, 4))
    result = run_plan(plan, system(), new_memory())
    ends = [stage.end_ps for stage in result.stages]
    starts = {operator.name: operator.start_ps for operator in result.stages[2].operators}
    assert starts["C"] == starts["attention.logit"] == ends[1]
    halves = [ends[1], ends[3] - ends[1]]
    assert halves[0] == halves[1]


def test_a_name_that_does_not_exist_never_ends(new_memory: Make, system: Make, npu_work: Make) -> None:
    with pytest.raises(RuntimeError, match=r"^deadlock at \d+ ps: the memory is idle, no event is due, and yet"):
        run(new_memory(), system(), (replace(npu_work("a"), after=("b",)),), ())
