"""Stages, what their results do not depend on, and plans that cannot end."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neupims.hardware.load import load_system
from neupims.isa.commands import Command
from neupims.isa.work import LinkWork, Plan, Stage
from neupims.machine import transfers
from neupims.machine.device import run_plan
from neupims.machine.outcome import DeviceResult

Make = Callable[..., Any]


def everything(result: DeviceResult) -> list[Any]:
    counts = [stage.counts for stage in result.stages]
    return [
        [(stage.name, stage.start_ps, stage.end_ps, stage.operators) for stage in result.stages],
        [(c.commands.tolist(), c.pim_busy.tolist(), c.macs.tolist()) for c in counts if c is not None],
    ]


def test_stage_ends_when_both_programs_have_ended(
    new_memory: Make, system: Make, npu_work: Make, pim_work: Make
) -> None:
    works = ((npu_work(steps=50),), ()), ((), (pim_work((0, 32)),)), ((npu_work(steps=50),), (pim_work((0, 32)),))
    npu, pim, both = (run_plan(Plan((Stage("A", *work),), (1,)), system(), new_memory()).iteration_ps for work in works)
    assert pim < npu <= both


def test_stages_follow_each_other_and_repeat(new_memory: Make, system: Make, npu_work: Make) -> None:
    one, two = Stage("A", (npu_work("a", steps=2),)), Stage("B", (npu_work("b", steps=9),))
    result = run_plan(Plan((one, two), (3, 2)), system(), new_memory())
    first, second = result.stages
    assert (first.start_ps, first.end_ps) == (0, second.start_ps)
    assert result.iteration_ps == 3 * first.duration_ps + 2 * second.duration_ps
    assert [operator.name for operator in result.operators] == ["a", "b"]
    assert first.busy_ps("array") == first.operators[0].busy_ps


def test_counts_belong_to_their_stage(new_memory: Make, system: Make, pim_work: Make) -> None:
    stages = tuple(Stage(name, (), (pim_work((0, length)),)) for name, length in (("A", 32), ("B", 96)))
    result = run_plan(Plan(stages, (1, 1)), system(), new_memory())
    tiles = [stage.counts.commands[0, Command.PIM_HEADER] for stage in result.stages if stage.counts]
    assert tiles == [1 + 2, 3 + 2]


def test_progress_is_told_for_each_stage(new_memory: Make, system: Make, npu_work: Make) -> None:
    told: list[tuple[str, int, int]] = []
    stages = (Stage("A", (npu_work(),)), Stage("B", (npu_work(),)))
    run_plan(Plan(stages, (1, 1)), system(), new_memory(), lambda *what: told.append(what))
    assert told == [("A", 0, 2), ("B", 1, 2)]


def test_a_memory_that_has_run_before_only_shifts_time(new_memory: Make, system: Make, npu_work: Make) -> None:
    plan, late = Plan((Stage("A", (npu_work(),)),), (1,)), new_memory()
    late.advance(777)
    early, later = (run_plan(plan, system(), memory) for memory in (new_memory(), late))
    assert later.stages[0].start_ps == 777_000
    assert later.iteration_ps == early.iteration_ps


def test_a_gpu_cannot_run_a_plan(new_memory: Make, system: Make) -> None:
    with pytest.raises(ValueError, match=r"^gpu-a100: only an NPU with a simulated memory can run a plan$"):
        run_plan(Plan((), ()), load_system("gpu-a100"), new_memory())


operators = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["array", "vector"]),
            st.integers(1, 12),
            st.integers(1, 5),
            st.booleans(),
            st.integers(0, 2),
            st.sampled_from([1, 64, 200, 4096]),
        ),
        st.integers(1, 500_000),
    ),
    max_size=4,
)
requests = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 200)), max_size=5)
switches = st.fixed_dictionaries(
    {
        "policy.attention_order": st.sampled_from(["barrier", "request", "head"]),
        "processor.prefetch": st.sampled_from(["stage", "operator"]),
        "processor.vector.counts": st.sampled_from(["elements", "published"]),
        "processor.arrays.folded": st.sampled_from(["true", "false"]),
        "processor.arrays.starts_in_past": st.sampled_from(["true", "false"]),
        "processor.arrays.dataflow": st.sampled_from(["weight_stationary", "output_stationary"]),
        "processor.clock_ghz": st.sampled_from(["1", "0.8"]),
        "processor.interconnect_cycles": st.sampled_from(["0", "1", "7"]),
        "processor.scratchpad.bytes": st.sampled_from(["10240", "1000000"]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operators, requests, switches, st.integers(1, 40))
def test_results_do_not_depend_on_how_far_the_memory_runs_ahead(
    new_memory: Make,
    system: Make,
    npu_work: Make,
    pim_work: Make,
    drawn: list[Any],
    batch: list[tuple[int, int]],
    choices: dict[str, str],
    window: int,
) -> None:
    works: list[Any] = []
    for index, item in enumerate(drawn):
        if isinstance(item, int):
            works.append(LinkWork(f"sum{index}", "all_reduce", item, 2))
            continue
        unit, steps, bursts, early, store, stream = item
        kind = "gemm" if unit == "array" else "add"
        work = npu_work(f"op{index}", unit, kind, steps, bursts, store, early, stream=stream)
        works.append(work)
    stage = Stage("A", tuple(works), (pim_work(*batch, output=bool(drawn)),))
    spec = system(*(f"{key}={value}" for key, value in choices.items()))
    plan = Plan((stage, stage), (1, 1))
    far, near, one = (
        everything(run_plan(plan, spec, new_memory(), longest_window=longest)) for longest in (1 << 16, window, 1)
    )
    assert far == near == one


class Forgetful:
    """A memory that never acknowledges a write."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)

    def submit(self, runs: Any, port: int, first: int, follow: int) -> None:
        self._memory.submit(runs[runs["write"] == 0], port, first)


def test_deadlock_of_an_idle_memory_is_an_error(new_memory: Make, system: Make, npu_work: Make) -> None:
    message = r"^deadlock at \d+ ps: the memory is idle, no event is due, and yet a program waits$"
    with pytest.raises(RuntimeError, match=message):
        run_plan(Plan((Stage("A", (npu_work(),)),), (1,)), system(), Forgetful(new_memory()))


def test_gate_that_never_opens_is_an_error(
    new_memory: Make, system: Make, pim_work: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "PATIENCE", 20_000)
    message = (
        r"^deadlock at \d+ ps: the memory has work but has completed nothing for 20000 cycles "
        r"\(a gate that never opens\?\)$"
    )
    with pytest.raises(RuntimeError, match=message):
        run_plan(Plan((Stage("A", (), (pim_work((0, 32)),)),), (1,)), system(), Forgetful(new_memory()))


def test_a_request_that_comes_too_late_is_an_error(
    new_memory: Make, system: Make, npu_work: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers.Transfers, "lookahead", 5000)
    works = (npu_work("a", "vector", "add", steps=2, stream=64, bursts=1, store=0), npu_work("b", steps=1))
    with pytest.raises(RuntimeError, match=r"^a request for cycle 22 meets a memory that has run to 5001$"):
        run_plan(Plan((Stage("A", works),), (1,)), system(), new_memory())
