"""S2FT: the Llamas that it tunes, what of them it trains, and what serving its adapters costs."""

import pytest
from figures import Figure, weighted

from neupims.errors import ModelError
from neupims.graph import Graph, load_model

BASE_7B, BASE_8B = 6_738_415_616, 8_030_261_248
ALL = {"all_logits": True}
LAYERS, WIDTH, HIDDEN = 32, 4096, 11008

# Parameters measured on the Hugging Face modules; MACs by formula, prompts with the logits of all tokens and the whole
# score matrix.
FIGURES = [
    Figure("s2ft-llama-2-7b", BASE_7B, 6_741_295_104, lengths=(512,), phase="decode", tolerance=0),
    Figure("s2ft-llama-2-7b", BASE_7B, 7_143_948_288, lengths=(2048,), phase="decode", tolerance=0),
    Figure("s2ft-llama-2-7b", BASE_7B, 3_451_543_093_248, ALL, (512,), "prefill", tolerance=0),
    Figure("s2ft-llama-2-7b", BASE_7B, 14_630_806_093_824, ALL, (2048,), "prefill", tolerance=0),
    Figure("s2ft-llama-3-8b", BASE_8B, 8_041_529_344, lengths=(2048,), phase="decode", tolerance=0),
    Figure("s2ft-llama-3-8b", BASE_8B, 3_911_104_593_920, ALL, (512,), "prefill", tolerance=0),
]


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_figures(figure: Figure) -> None:
    figure.check()


def updated(graph: Graph) -> int:
    return sum(times * op.weights[0].elements for op, times in weighted(graph) if op.kind == "adamw")


@pytest.mark.parametrize(
    ("variant", "tuning", "trained"),
    [
        ("llama-2-7b", "s2ft", 53 * 128 * WIDTH + 7045 * WIDTH),  # 56643584
        ("llama-3-8b", "s2ft", 13762 * WIDTH),  # 56369152
        ("llama-2-7b", "lora", 56_098_816),
        ("llama-3-8b", "lora", 56_623_104),
        ("llama-2-7b", "full", BASE_7B),
        ("llama-3-8b", "full", BASE_8B),
    ],
)
def test_as_much_is_trained_as_published(variant: str, tuning: str, trained: int) -> None:
    """S2FT: heads and channels that the published scripts select. LoRA: 0.83 % and 0.70 % of the parameters."""
    graph = load_model("s2ft", variant, {"tuning": tuning}).trace((16,), "training")
    assert graph.trained_params == updated(graph) == trained
    assert graph.state_bytes == 2 * 4 * trained


def steps(tokens: int) -> dict[str, Graph]:
    return {
        tuning: load_model("s2ft-llama-2-7b", options={"tuning": tuning}).trace((tokens,), "training")
        for tuning in ("full", "lora", "s2ft")
    }


def test_full_tuning_is_three_forward_passes() -> None:
    forward = load_model("s2ft-llama-2-7b", options=ALL).prefill((256,))
    assert steps(256)["full"].macs == 3 * forward.macs


def test_sparse_tuning_is_two_forward_passes_and_the_gradient_of_what_is_trained() -> None:
    """In the first layer, nothing below the output projection asks for a gradient."""
    tokens = 256
    forward = load_model("s2ft-llama-2-7b", options=ALL).prefill((tokens,)).macs
    attention = 2 * tokens * tokens * WIDTH
    inputs = forward - LAYERS * attention + (LAYERS - 1) * 2 * attention - 4 * tokens * WIDTH * WIDTH
    graph = steps(tokens)["s2ft"]
    assert graph.macs == forward + inputs + tokens * graph.trained_params
    assert [(block.name, block.count) for block in graph.blocks[:4]] == [
        ("layer", 1),
        ("layer", 4),
        ("layer", 16),
        ("layer", 11),
    ]


def test_sparse_tuning_computes_and_keeps_less_than_lora_and_lora_less_than_full() -> None:
    found = steps(256)
    assert found["s2ft"].macs < found["lora"].macs < found["full"].macs
    assert found["s2ft"].kept_bytes < found["lora"].kept_bytes < found["full"].kept_bytes
    assert found["s2ft"].bytes_written < found["lora"].bytes_written < found["full"].bytes_written


def test_of_the_input_of_a_sparse_layer_only_what_is_trained_is_kept() -> None:
    block = steps(256)["s2ft"].blocks[3]
    kept = {tensor.name: tensor.shape for tensor in block.kept}
    assert kept["attention.attend[0:128]^T"] == (128, 256)
    assert kept["ffn.mul[0:220]^T"] == (220, 256)
    assert "ffn.norm" not in kept


@pytest.mark.parametrize(("tuning", "rank_rows"), [("lora", 0), ("s2ft", 1)])
def test_serving_adapters_costs_the_base_and_each_requests_adapter(tuning: str, rank_rows: int) -> None:
    """Ten requests, each with its own: of S2FT as many MACs as it trains; of LoRA likewise."""
    lengths = (100,) * 10
    base = load_model("s2ft-llama-2-7b").decode(lengths)
    served = load_model("s2ft-llama-2-7b", options={"tuning": tuning, "adapters": 10}).decode(lengths)
    trained = load_model("s2ft-llama-2-7b", options={"tuning": tuning}).trace((4,), "training").trained_params
    assert served.macs - base.macs == 10 * trained
    assert served.params - base.params == 10 * trained
    gathers = sum(times for op, times in weighted(served) if op.kind == "gather")
    assert gathers == rank_rows * 2 * LAYERS


def test_no_layer_may_have_more_channels_than_there_are() -> None:
    model = load_model("s2ft-llama-2-7b", options={"channel_ratio": 2.0})
    with pytest.raises(ModelError, match=r"'layer\.ffn\.down\.weight': axis 0 of \(11008, 4096\) has no 22016 "):
        model.trace((4,), "training")
