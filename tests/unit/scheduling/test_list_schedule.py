"""The list scheduler: priorities, chains, and the paper's stages as what it gives for decoder blocks."""

from collections import defaultdict
from collections.abc import Callable
from graphlib import CycleError
from itertools import pairwise

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from list_schedule import Task, list_schedule

from neupims.isa.outline import Operators, Part
from neupims.scheduling.stages import stages


def test_the_longest_way_to_the_end_goes_first() -> None:
    tasks = [Task("short", "npu", 1), Task("long", "npu", 1), Task("behind", "pim", 9, ("long",))]
    assert list_schedule(tasks) == {"npu": ("long", "short"), "pim": ("behind",)}


def test_ties_go_in_order() -> None:
    assert list_schedule([Task(name, "npu", 4) for name in "cab"]) == {"npu": ("c", "a", "b")}


def test_an_engine_does_not_wait_for_a_better_task() -> None:
    """`late` has the longer way, but is not ready when the engine is free."""
    tasks = [Task("feed", "pim", 1), Task("late", "npu", 50, ("feed",)), Task("now", "npu", 2)]
    assert list_schedule(tasks)["npu"] == ("now", "late")


def test_a_chain_on_one_engine_is_not_torn_apart() -> None:
    """Once `a` is over, `b` has the longer way, but `a2` waits for nothing else."""
    tasks = [
        Task("a", "npu", 9),
        Task("a2", "npu", 1, ("a",)),
        Task("b", "npu", 5),
        *(Task(f"{name} behind", "pim", 1, (name,)) for name in ("a2", "b")),
    ]
    assert list_schedule(tasks)["npu"] == ("a", "a2", "b")


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([Task("a", "npu", 1), Task("a", "pim", 1)], "^two tasks have the same name$"),
        ([Task("a", "npu", 1, ("b",))], "^a comes after b, which does not exist$"),
    ],
)
def test_names_that_are_wrong(tasks: list[Task], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list_schedule(tasks)


def test_tasks_that_wait_for_each_other() -> None:
    with pytest.raises(CycleError):
        list_schedule([Task("a", "npu", 1, ("b",)), Task("b", "pim", 1, ("a",))])


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    engines, tasks = st.sampled_from(["npu", "pim", "link"]), list[Task]()
    for index in range(draw(st.integers(0, 12))):
        after = draw(st.lists(st.sampled_from(range(index)), max_size=3)) if index else []
        tasks.append(Task(f"t{index}", draw(engines), draw(st.integers(0, 9)), tuple(f"t{i}" for i in after)))
    return draw(st.permutations(tasks))


@examples(graphs())
def test_every_task_runs_once_on_its_engine_and_the_orders_fit_together(tasks: list[Task]) -> None:
    orders = list_schedule(tasks)
    assert sorted(name for order in orders.values() for name in order) == sorted(task.name for task in tasks)
    assert all(task.name in orders[task.engine] for task in tasks)
    before: dict[str, list[str]] = defaultdict(list, {task.name: list(task.after) for task in tasks})
    for order in orders.values():
        for first, second in pairwise(order):
            before[second].append(first)
    list_schedule([Task(task.name, task.engine, 1, tuple(before[task.name])) for task in tasks])


Estimates = Callable[[Operators, int], int]
ENGINES: dict[Operators, str] = {"qkv": "npu", "attention": "pim", "ffn": "npu"}


def decoder(layers: int, sub_batches: int, estimate: Estimates) -> list[Task]:
    """Operator groups of decoder blocks, each after the one before it in its sub-batch."""
    tasks: list[Task] = []
    for sub_batch in range(sub_batches):
        before: tuple[str, ...] = ()
        for layer in range(layers):
            for operators, engine in ENGINES.items():
                name = str(Part(operators, sub_batch, layer))
                tasks.append(Task(name, engine, estimate(operators, sub_batch), before))
                before = (name,)
    return tasks


def orders(mode: str, layers: int, sub_batches: int) -> dict[str, tuple[str, ...]]:
    """What each engine does, stage after stage."""
    outline = stages(mode, layers, layers, sub_batches=max(2, sub_batches))
    return {
        "npu": tuple(str(part) for stage in outline for part in stage.npu),
        "pim": tuple(str(part) for stage in outline for part in stage.attention),
    }


halves = st.lists(st.integers(1, 100), min_size=3, max_size=3)


@examples(st.integers(1, 5), halves, halves)
def test_two_sub_batches_are_the_stages_of_the_paper_whatever_takes_how_long(
    layers: int, one: list[int], other: list[int]
) -> None:
    """The longer one is the first."""
    times = [dict(zip(ENGINES, each, strict=True)) for each in sorted((one, other), key=sum, reverse=True)]
    tasks = decoder(layers, 2, lambda operators, half: times[half][operators])
    assert list_schedule(tasks) == orders("interleaved", layers, 2)


@examples(st.integers(1, 5), st.lists(st.integers(1, 100), min_size=3, max_size=3))
def test_one_batch_is_the_serial_stages(layers: int, times: list[int]) -> None:
    known = dict(zip(ENGINES, times, strict=True))
    assert list_schedule(decoder(layers, 1, lambda operators, _: known[operators])) == orders("serial", layers, 1)


@examples(st.integers(1, 4), st.integers(3, 5), st.lists(st.integers(1, 100), min_size=3, max_size=3))
def test_equal_sub_batches_take_turns(layers: int, sub_batches: int, times: list[int]) -> None:
    known = dict(zip(ENGINES, times, strict=True))
    tasks = decoder(layers, sub_batches, lambda operators, _: known[operators])
    assert list_schedule(tasks) == orders("interleaved", layers, sub_batches)
