"""Informer against the published code (time features, batch 1): parameters, MACs, and what ProbSparse attention is."""

import pytest
from figures import Figure

from neupims.graph import load_model


def lengths(lookback: int, label: int, horizon: int, **options: object) -> dict[str, object]:
    return {"lookback": lookback, "label": label, "horizon": horizon, **options}


FIGURES = [
    Figure("informer-ett", 11_330_055, 831_762_432, lengths(96, 48, 24), tolerance=0),
    Figure("informer-ett", 11_330_055, 549_605_376, lengths(48, 48, 24), tolerance=0),
    Figure("informer-ett", 11_330_055, 2_265_016_320, lengths(168, 168, 168), tolerance=0),
    Figure("informer-ett", 11_330_055, 8_555_765_760, lengths(720, 336, 720), tolerance=0),
    Figure("informer-ett", 11_330_055, 840_941_568, lengths(96, 48, 24, attention="full"), tolerance=0),
    Figure("informer-ett", 11_330_055, 10_249_150_464, lengths(720, 336, 720, attention="full"), tolerance=0),
    Figure("informer-ecl", 12_455_745, 924_364_800, lengths(96, 48, 24), tolerance=0),
    Figure("informer-stack", 29_721_607, 1_612_849_152, lengths(96, 48, 24), tolerance=0),
    # the defaults of the class: three layers in the encoder, two in the decoder
    Figure(
        "informer-ett", 11_602_439, 722_018_304, lengths(96, 48, 24, encoders="3", decoders=2, hidden=512), tolerance=0
    ),
    Figure("informer-ett", 11_330_055, 547_614_720, lengths(48, 48, 24, factor=3), tolerance=0),
    Figure("informer-ett", 11_330_055, 922_337_280, lengths(96, 48, 48), tolerance=0),
    Figure("informer-ett", 11_330_055, 6_096_568_320, lengths(336, 336, 720), tolerance=0),
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


def test_keys_that_are_sampled_and_queries_that_are_active() -> None:
    """5 ceil(ln 96) = 25 of 96 in the first layer; the second has 48 tokens, so 20; the decoder has 72, so 25."""
    shapes = {op.name: op.outputs[0].shape for op in load_model("informer").trace((1,)).operators}
    layers = {"encoder.stack0.layer0.attention": (96, 25), "encoder.stack0.layer1.attention": (48, 20)}
    for layer, (length, chosen) in {**layers, "decoder.layer0.self_attention": (72, 25)}.items():
        assert shapes[f"{layer}.sample"] == (1, 8, length, chosen, 64)
        assert shapes[f"{layer}.active"] == (1, 8, chosen)
        assert shapes[f"{layer}.logit"] == (1, 8, chosen, length)
        assert shapes[f"{layer}.scatter"] == (1, 8, length, 64)


def test_a_short_input_samples_all_keys() -> None:
    shapes = {
        op.name: op.outputs[0].shape for op in load_model("informer", options={"lookback": 16}).trace((1,)).operators
    }
    assert shapes["encoder.stack0.layer0.attention.sample"] == (1, 8, 16, 15, 64)
    assert shapes["encoder.stack0.layer1.attention.sample"] == (1, 8, 8, 8, 64)


def test_products_of_the_closed_form() -> None:
    """Products between activations: per layer L U D + 2 u L D, and 2 Ld L' D for the cross attention."""
    graph = load_model("informer").trace((1,))
    macs = sum(op.macs for op in graph.operators if op.kind == "matmul")
    assert (
        macs == sum(3 * 512 * length * chosen for length, chosen in ((96, 25), (48, 20), (72, 25))) + 2 * 72 * 48 * 512
    )


def test_distilling_halves_the_input_of_the_next_layer() -> None:
    """Three layers see 95, 48 and 24 tokens; without distilling, and its two convolutions, all see 95."""
    for distil, length in ((True, 24), (False, 95)):
        options = {"encoders": (3,), "lookback": 95, "distil": distil}
        operators = load_model("informer", options=options).trace((1,)).operators
        assert {op.name: op.outputs[0].shape for op in operators}["encoder.norm0"] == (1, length, 512)
        assert len([op for op in operators if op.kind == "max_pool"]) == 2 * distil


def test_the_stack_joins_encoders_of_the_input_its_half_and_its_quarter() -> None:
    """96 halved twice, 48 halved once, and 24 as it is."""
    shapes = {op.name: op.outputs[0].shape for op in load_model("informer-stack").trace((1,)).operators}
    assert shapes["encoder.concat"] == (1, 24 + 24 + 24, 512)


def test_the_forecast_is_of_the_horizon_alone() -> None:
    assert [tensor.shape for tensor in load_model("informer").trace((1, 1)).outputs] == [(2, 24, 7)]
