from dataclasses import replace

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, load_model
from neupims.lowering.decoder import DecoderShape, beyond_gpt3, read_decoder, shard


@pytest.mark.parametrize(
    ("name", "layers", "heads", "width"),
    [("gpt3-7b", 32, 32, 4096), ("gpt3-13b", 40, 40, 5120), ("gpt3-30b", 48, 56, 7168), ("gpt3-175b", 96, 96, 12288)],
)
def test_gpt3_family(name: str, layers: int, heads: int, width: int) -> None:
    model = load_model(name)
    expected = DecoderShape(
        width=width, heads=heads, head_dim=128, ffn=4 * width, layers=layers, vocabulary=50304, positions=2048
    )
    assert read_decoder(model.decode([7, 300])) == expected
    assert read_decoder(model.prefill([7, 300])) == expected


@pytest.mark.parametrize(
    ("name", "layers", "heads", "group", "width", "ffn", "vocabulary"),
    [("llama-2-7b", 32, 32, 1, 4096, 11008, 32000), ("llama-3.1-8b", 32, 32, 4, 4096, 14336, 128256)],
)
def test_llama_family(name: str, layers: int, heads: int, group: int, width: int, ffn: int, vocabulary: int) -> None:
    model = load_model(name)
    expected = DecoderShape(
        *(width, heads, 128, ffn, layers, vocabulary),
        bias=False,
        tied=False,
        group=group,
        norm="rms_norm",
        rotary=True,
        gated=True,
    )
    assert read_decoder(model.decode([7, 300])) == expected
    assert read_decoder(model.prefill([7, 300])) == expected


def graph(**changes: object) -> Graph:
    """A decode step of the smallest model, with other fields."""
    step = load_model("gpt3-7b").decode([7])
    return Graph(**{name: changes.get(name, getattr(step, name)) for name in step.__dataclass_fields__})


def test_a_graph_without_blocks_is_refused() -> None:
    step = graph()
    with pytest.raises(ModelError) as error:
        read_decoder(graph(items=tuple(item for item in step.items if item not in step.blocks)))
    assert str(error.value) == (
        "gpt3-7b: it has 0 kinds of repeated blocks; this lowering knows models of one, a decoder block"
    )


def test_other_operators_around_the_blocks_are_refused() -> None:
    with pytest.raises(ModelError) as error:
        read_decoder(graph(items=graph().items[:-1]))
    assert str(error.value) == (
        "gpt3-7b: behind its blocks it has layer_norm linear; this lowering knows last layer_norm linear argmax, or "
        "layer_norm linear argmax"
    )


SHAPE = DecoderShape(width=96, heads=6, head_dim=16, ffn=384, layers=5, vocabulary=100)


def test_a_shard_divides_heads_ffn_vocabulary_and_layers() -> None:
    part = shard(SHAPE, tp=3, pp=2)
    assert (part.heads, part.ffn, part.vocabulary, part.layers) == (2, 128, 34, 3)
    assert (part.width, part.attention_width) == (96, 32)


@pytest.mark.parametrize(
    ("shape", "tp", "pp", "message"),
    [
        (SHAPE, 4, 1, "--tp 4 does not divide the model's 6 heads; use a divisor of 6"),
        (
            DecoderShape(96, 6, 16, 100, 5, 100),
            3,
            1,
            "--tp 3 does not divide the model's 100 columns of the feed-forward layer; use a divisor of 100",
        ),
        (SHAPE, 1, 6, "--pp 6 is more than the model's 5 layers; use at most 5"),
    ],
)
def test_a_model_that_cannot_be_divided_is_refused(shape: DecoderShape, tp: int, pp: int, message: str) -> None:
    with pytest.raises(ModelError) as error:
        shard(shape, tp, pp)
    assert str(error.value) == message


LLAMA = DecoderShape(96, 8, 16, 384, 5, 100, group=4, norm="rms_norm", rotary=True, gated=True)


def test_a_shard_divides_heads_of_keys_and_values() -> None:
    part = shard(LLAMA, tp=2)
    assert (part.heads, part.kv_heads, part.group, part.attention_width, part.kv_width) == (4, 1, 4, 64, 16)
    assert (part.qkv_width, part.hidden_width) == (64 + 2 * 16, 2 * 192)
    with pytest.raises(ModelError) as error:
        shard(LLAMA, tp=4)
    assert str(error.value) == ("--tp 4 does not divide the model's 2 heads of keys and values; use a divisor of 2")


def test_what_a_decoder_has_beyond_gpt3_is_named() -> None:
    assert beyond_gpt3(shard(SHAPE, tp=1)) == ()
    assert beyond_gpt3(shard(LLAMA, tp=1)) == (
        *("4 query heads for each head of keys and values", "RMS norms", "rotary positions"),
        "a gated feed-forward network",
    )
    assert beyond_gpt3(shard(replace(LLAMA, group=1, norm="layer_norm", gated=False), tp=1)) == ("rotary positions",)
