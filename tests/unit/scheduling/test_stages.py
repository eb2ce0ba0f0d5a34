from collections import Counter

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from neupims.isa.outline import Outline, Part
from neupims.scheduling.stages import execution_mode, stages


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
    assert stages("interleaved", 2) == stages("interleaved", 2, unroll=True)


@examples(st.sampled_from(["serial", "interleaved"]), st.integers(1, 12), st.booleans())
def test_every_layer_runs_every_part_once_for_each_sub_batch(mode: str, layers: int, unroll: bool) -> None:
    sub_batches = {"serial": 1, "interleaved": 2}[mode]
    expected = {(part, half): layers for part in ("qkv", "attention", "ffn") for half in range(sub_batches)}
    assert parts(stages(mode, layers, unroll)) == expected


@examples(st.sampled_from(["serial", "interleaved"]), st.integers(1, 9))
def test_unrolled_stages_run_each_layer_in_order(mode: str, layers: int) -> None:
    order: dict[int, list[tuple[int, str]]] = {0: [], 1: []}
    for stage in stages(mode, layers, unroll=True):
        for part in (*stage.attention, *stage.npu):
            order[part.sub_batch].append((part.layer, part.operators))
    for half in range({"serial": 1, "interleaved": 2}[mode]):
        expected = [(layer, part) for layer in range(layers) for part in ("qkv", "attention", "ffn")]
        assert order[half] == expected


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
