"""Pointer Networks against the closed form: n steps of an LSTM with a key each, m steps with a pointer each."""

import pytest
from figures import Figure

from neupims.graph import load_model


def tour(points: int) -> dict[str, object]:
    return {"points": points, "steps": points + 1}


FIGURES = [
    Figure("pointer-network-h256", 661_760, 6_952_448, tour(10), tolerance=0),
    Figure("pointer-network-h256", 661_760, 13_626_368, tour(20), tolerance=0),
    Figure("pointer-network-h256", 661_760, 33_955_328, tour(50), tolerance=0),
    Figure("pointer-network-h512", 2_634_240, 27_667_456, tour(10), tolerance=0),
    Figure("pointer-network-h512", 2_634_240, 54_122_496, tour(20), tolerance=0),
    Figure("pointer-network-h512", 2_634_240, 134_102_016, tour(50), tolerance=0),
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


def test_the_state_is_carried_from_the_encoder_through_the_decoder() -> None:
    """The first decoder step reads h and c of the last encoder step, each later one those of the step before."""
    operators = {op.name: op for op in load_model("pointer-network").trace((1,)).operators}
    read = [operators[f"decode{step}.recurrent_gates"].inputs[0].name for step in range(3)]
    assert read == ["encode9.mul_3", "decode0.mul_3", "decode1.mul_3"]
    cells = [operators[f"decode{step}.mul"].inputs[1].name for step in range(2)]
    assert cells == ["encode9.add_2", "decode0.add_2"]


def test_each_step_reads_the_point_that_the_last_one_chose() -> None:
    operators = {op.name: op for op in load_model("pointer-network").trace((1,)).operators}
    assert operators["decode0.input_gates"].inputs[0].name == "start"
    assert operators["decode1.input_gates"].inputs[0].base == "decode0.point"
    assert operators["decode0.point"].inputs[1].base == "decode0.chosen"


def test_steps_are_stored_side_by_side() -> None:
    graph = load_model("pointer-network", options={"points": 5, "steps": 7}).trace((1, 1, 1))
    assert [(tensor.shape, tensor.element) for tensor in graph.outputs] == [((3, 7, 1), "int32")]
    assert graph.operator("keys").inputs[0].shape == (3, 5, 256)
    assert graph.operator("keys").inputs[0].name == "encode4.store"


def test_weights_are_shared_by_all_steps() -> None:
    params = {load_model("pointer-network", options=tour(points)).params for points in (5, 50)}
    assert params == {661_760}
