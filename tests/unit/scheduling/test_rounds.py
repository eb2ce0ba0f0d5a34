"""List scheduling in rounds, and the stages of the paper as what it gives for decoder blocks."""

import pytest

from neupims.scheduling.rounds import Task, labels, repeated, rounds
from neupims.scheduling.stages import stages

GROUPS = {"qkv": "npu", "attention": "pim", "ffn": "npu"}


def decoder(layers: int, halves: int = 2) -> list[Task]:
    """Each half goes through QKV, attention and FFN of every layer."""
    steps = [(group, layer) for layer in range(layers) for group in GROUPS]
    tasks: list[Task] = []
    for half in range(halves):
        for index, (group, layer) in enumerate(steps):
            before = (len(tasks) - 1,) if index else ()
            label = (half, list(GROUPS).index(group), layer)
            tasks.append(Task(label, GROUPS[group], before, (index, half)))
    return tasks


def named(tasks: list[Task], layers: bool = True) -> list[dict[str, list[tuple[object, ...]]]]:
    names = list(GROUPS)
    return [
        {
            engine: [(names[group], half, layer) if layers else (names[group], half) for half, group, layer in done]
            for engine, done in labels(tasks, one)
        }
        for one in rounds(tasks)
    ]


@pytest.mark.parametrize("layers", [1, 2, 3, 7])
def test_two_halves_of_decoder_blocks_give_the_stages_of_the_paper(layers: int) -> None:
    """Stages A to F with C and D between each two layers, as `interleaved` writes them down (spec 6.5)."""
    expected = [
        {
            engine: [(part.operators, part.sub_batch, part.layer) for part in parts]
            for engine, parts in (("npu", stage.npu), ("pim", stage.attention))
            if parts
        }
        for stage in stages("interleaved", layers, written=layers)
    ]
    assert named(decoder(layers)) == expected


def test_one_half_alone_gives_the_serial_stages() -> None:
    expected = [["qkv"], ["attention"], ["ffn", "qkv"], ["attention"], ["ffn"]]
    found = named(decoder(2, halves=1), layers=False)
    assert [[name for done in one.values() for name, _ in done] for one in found] == expected


def test_equal_rounds_are_counted() -> None:
    tasks = [
        Task((0, index % 2), "npu" if index % 2 else "pim", (index - 1,) if index else (), (index,))
        for index in range(6)
    ]
    assert [one.repeats for one in repeated(tasks, rounds(tasks))] == [3, 3]


def test_what_is_repeated_is_alone() -> None:
    tasks = [Task((0,), "npu", (), (0,), repeats=5), Task((1,), "pim", (), (1,)), Task((2,), "npu", (0, 1), (2,))]
    assert [(one.tasks, one.repeats) for one in rounds(tasks)] == [
        ((("npu", (0,)),), 5),
        ((("pim", (1,)),), 1),
        ((("npu", (2,)),), 1),
    ]


def test_tasks_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="wait for each other"):
        rounds([Task((0,), "npu", (1,), (0,)), Task((1,), "pim", (0,), (1,))])
