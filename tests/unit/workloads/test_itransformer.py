"""iTransformer against the published code: parameters, and MACs for one window of 96 steps."""

import pytest
from figures import Figure

from neupims.graph import load_model

FIGURES = [
    Figure("itransformer-ecl", 4_833_888, 1_889_971_200, tolerance=0),
    Figure("itransformer-ecl", 5_154_000, 1_993_804_800, {"horizon": 720}, tolerance=0),
    Figure("itransformer-traffic", 6_411_872, 8_605_351_936, tolerance=0),
    Figure("itransformer-traffic", 6_731_984, 8_882_028_544, {"horizon": 720}, tolerance=0),
    Figure("itransformer-weather", 4_833_888, 122_342_400, tolerance=0),
    Figure("itransformer-solar", 3_255_904, 482_871_296, tolerance=0),
    Figure("itransformer-pems03", 6_411_872, 2_812_493_824, tolerance=0),
    Figure("itransformer-ett", 841_568, 9_315_328, tolerance=0),
    Figure("itransformer-exchange", 224_224, 2_727_936, tolerance=0),
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


@pytest.mark.parametrize(
    ("variant", "tokens"),
    [("ecl", 325), ("traffic", 866), ("weather", 25), ("solar", 137), ("pems03", 358), ("ett", 11), ("exchange", 12)],
)
def test_tokens_are_variates_and_features_of_the_time_stamp(variant: str, tokens: int) -> None:
    graph = load_model("itransformer", variant).trace((1, 1))
    [softmax] = [op for op in graph.block("layer").items if op.name == "attention.softmax"]
    assert softmax.outputs[0].shape == (2, 8, tokens, tokens)


def test_the_forecast_is_of_the_variates_alone() -> None:
    graph = load_model("itransformer", options={"horizon": 192}).trace((1, 1, 1))
    assert [tensor.shape for tensor in graph.outputs] == [(3, 192, 321)]
