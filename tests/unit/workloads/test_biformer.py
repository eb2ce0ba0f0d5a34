"""BiFormer against the published code: parameters, and MACs with routing and attention (224 x 224, batch 1)."""

import pytest
from figures import Figure, weighted

from neupims.errors import ModelError
from neupims.graph import load_model

FIGURES = [
    Figure("biformer-t", 13_142_760, 2_215_901_568, tolerance=0),
    Figure("biformer-s", 25_536_232, 4_463_629_568, tolerance=0),
    Figure("biformer-b", 56_804_968, 9_758_990_208, tolerance=0),
    Figure("biformer-stl", 28_372_552, 4_573_874_496, tolerance=0),
]

READ_ME = {
    "biformer-t": (13.1e6, 2.2e9),
    "biformer-s": (25.5e6, 4.5e9),
    "biformer-b": (56.8e6, 9.8e9),
    "biformer-stl": (28.4e6, 4.6e9),
}
"""The table of the published code; what it calls FLOPs are MACs."""


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


@pytest.mark.parametrize("name", READ_ME)
def test_the_published_table_is_these_figures_rounded(name: str) -> None:
    model, (params, macs) = load_model(name), READ_ME[name]
    assert round(model.params, -5) == params
    assert round(model.trace((1,)).macs, -8) == macs


def test_kinds_of_work_of_the_tiny_one() -> None:
    """Linear layers with bias, the qkv of the last stage, products of attention and routing, convolutions, apart."""
    counts = dict.fromkeys(("conv", "biased", "unbiased", "matmul"), 0)
    for op, times in weighted(load_model("biformer-t").trace((1,))):
        kind = op.kind if op.kind != "linear" else ("unbiased", "biased")[len(op.weights) - 1]
        counts[kind] = counts.get(kind, 0) + times * op.macs
    assert {kind: count for kind, count in counts.items() if count} == {
        "conv": 277_874_688,
        "biased": 1_721_749_504,
        "unbiased": 77_070_336,
        "matmul": 139_207_040,
    }


@pytest.mark.parametrize(("stage", "regions", "tokens"), [(1, 1, 64), (2, 4, 64), (3, 16, 64)])
def test_regions_that_are_gathered(stage: int, regions: int, tokens: int) -> None:
    """Each of the 49 regions gathers as many as its stage routes; rows of the softmax are their tokens."""
    operators = {op.name: op for op in load_model("biformer-t").trace((1,)).operators}
    block = f"stage{stage}.block0.attention"
    assert operators[f"{block}.routed"].outputs[0].shape == (1, 49, regions)
    assert operators[f"{block}.gather"].outputs[0].shape[:3] == (1, 49, regions)
    assert operators[f"{block}.softmax"].outputs[0].shape[-1] == tokens


def test_a_fixed_map_saves_the_routing_and_nothing_else() -> None:
    routed, fixed = (
        load_model("biformer-t", options={"routing": way}).trace((2,) * 2) for way in ("top_k", "neighbours")
    )
    affinity = sum(op.macs for op in routed.operators if op.name.endswith("affinity"))
    assert affinity == 2 * 49 * 49 * (2 * 64 + 2 * 128 + 8 * 256)
    assert routed.macs - fixed.macs == affinity
    assert fixed.params == routed.params
    assert not [op for op in fixed.operators if op.kind == "top_k"]


def test_stages_must_divide_into_regions() -> None:
    with pytest.raises(ModelError, match=r"biformer.py:\d+: reshape .* cannot become"):
        load_model("biformer-t", options={"resolution": 192}).trace((1,))
