from collections import Counter

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from neupims.isa.outline import Outline, Part
from neupims.scheduling.stages import execution_mode, periods, stages


def parts(outline: Outline) -> Counter[tuple[str, int]]:
    """How often each operator group of each sub-batch runs in an iteration."""
    count: Counter[tuple[str, int]] = Counter()
    for stage in outline:
        for part in (*stage.npu, *stage.attention):
            count[part.operators, part.sub_batch] += stage.repeats
    return count


def test_serial_repeats_three_stages() -> None:
    outline = stages("serial", 32)
    assert [(stage.name, stage.repeats) for stage in outline] == [("A", 32), ("B", 32), ("E", 32)]
    assert [stage.npu for stage in outline] == [(Part("qkv", 0, 0),), (), (Part("ffn", 0, 0),)]
    assert outline[1].attention == (Part("attention", 0, 0),)


def test_interleaved_has_the_stages_of_the_extrapolation() -> None:
    outline = stages("interleaved", 32)
    assert [(stage.name, stage.repeats) for stage in outline] == [
        ("A", 1), ("B", 1), ("C", 31), ("D", 31), ("E", 1), ("F", 1),
    ]  # fmt: skip
    c, d = outline[2], outline[3]
    assert c.npu == (Part("ffn", 0, 0), Part("qkv", 0, 1))
    assert c.attention == (Part("attention", 1, 0),)
    assert d.npu == (Part("ffn", 1, 0), Part("qkv", 1, 1))
    assert d.attention == (Part("attention", 0, 1),)


def test_a_single_layer_has_no_steady_state() -> None:
    outline = stages("interleaved", 1)
    assert [stage.name for stage in outline] == ["A", "B", "E", "F"]
    assert {part.layer for stage in outline for part in (*stage.npu, *stage.attention)} == {0}


def test_two_layers_are_the_same_unrolled() -> None:
    assert stages("interleaved", 2) == stages("interleaved", 2, 2)


@examples(
    st.sampled_from(["serial", "interleaved"]), st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(2, 5)
)
def test_every_layer_runs_every_part_once_for_each_sub_batch(
    mode: str, layers: int, written: int, barriers: bool, sub_batches: int
) -> None:
    number = {"serial": 1, "interleaved": sub_batches}[mode]
    expected = {(part, turn): layers for part in ("qkv", "attention", "ffn") for turn in range(number)}
    assert parts(stages(mode, layers, written, barriers=barriers, sub_batches=sub_batches)) == expected


@examples(st.sampled_from(["serial", "interleaved"]), st.integers(1, 9))
def test_unrolled_stages_run_each_layer_in_order(mode: str, layers: int) -> None:
    order: dict[int, list[tuple[int, str]]] = {0: [], 1: []}
    for stage in stages(mode, layers, layers):
        for part in (*stage.attention, *stage.npu):
            order[part.sub_batch].append((part.layer, part.operators))
    for half in range({"serial": 1, "interleaved": 2}[mode]):
        expected = [(layer, part) for layer in range(layers) for part in ("qkv", "attention", "ffn")]
        assert order[half] == expected


def test_what_is_written_out_stands_for_the_rest_in_equal_shares() -> None:
    assert periods(31, 1, barriers=True) == (31,)
    assert periods(31, 3, barriers=True) == (11, 10, 10)
    assert periods(2, 3, barriers=True) == (1, 1)
    assert periods(0, 1, barriers=True) == ()


def test_without_barriers_the_ends_stand_for_themselves() -> None:
    assert periods(31, 1, barriers=False) == (1, 29, 1)
    assert periods(31, 2, barriers=False) == (1, 15, 14, 1)
    assert periods(3, 1, barriers=False) == (1, 1, 1)
    assert [stage.barrier for stage in stages("serial", 2, barriers=False)] == [True, *[False] * 5]
    assert all(stage.barrier for stage in stages("interleaved", 9))


def test_three_sub_batches_take_turns() -> None:
    outline = stages("interleaved", 5, sub_batches=3)
    assert [(stage.name, stage.repeats) for stage in outline] == [
        ("first1", 1), ("first2", 1), ("first3", 1), ("steady1", 4), ("steady2", 4), ("steady3", 4),
        ("last1", 1), ("last2", 1), ("last3", 1),
    ]  # fmt: skip
    assert [stage.attention for stage in outline] == [
        (), (Part("attention", 0, 0),), (Part("attention", 1, 0),),
        (Part("attention", 2, 0),), (Part("attention", 0, 1),), (Part("attention", 1, 1),),
        (Part("attention", 2, 1),), (), (),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("interleaving", "requests", "mode"),
    [
        ("off", 512, "serial"),
        ("on", 2, "interleaved"),
        ("on", 1, "serial"),
        ("auto", 255, "serial"),
        ("auto", 256, "interleaved"),
    ],
)
def test_execution_mode(interleaving: str, requests: int, mode: str) -> None:
    assert execution_mode(interleaving, requests, 256) == mode
