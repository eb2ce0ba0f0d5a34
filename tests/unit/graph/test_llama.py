"""The Llama family against published parameter counts and formulas written by hand."""

import csv
from pathlib import Path

import pytest

from neupims.errors import ModelError
from neupims.graph import Tracer, Value, load_model
from neupims.graph.sequences import decode_step

PUBLISHED = {
    "7b": 6_738_415_616,
    "13b": 13_015_864_320,
    "33b": 32_528_943_616,
    "65b": 65_285_660_672,
    "2-7b": 6_738_415_616,
    "2-13b": 13_015_864_320,
    "2-70b": 68_976_648_192,
    "3-8b": 8_030_261_248,
    "3-70b": 70_553_706_496,
    "3.1-8b": 8_030_261_248,
    "3.1-70b": 70_553_706_496,
    "3.1-405b": 405_853_388_800,
    "3.2-1b": 1_235_814_400,
    "3.2-3b": 3_212_749_824,
}
"""Parameters that the model cards on the Hugging Face hub give."""
FIGURES = Path(__file__).parents[4] / "shared/architectures/figures.csv"
LENGTHS = (300, 1, 2048, 17)

BLOCK = [
    ("attention.norm", "rms_norm"),
    ("attention.q", "linear"),
    ("attention.k", "linear"),
    ("attention.v", "linear"),
    ("attention.q_rotary", "rotary"),
    ("attention.k_rotary", "rotary"),
    ("attention.logit", "logit"),
    ("attention.softmax", "softmax"),
    ("attention.attend", "attend"),
    ("attention.projection", "linear"),
    ("attention.residual", "add"),
    ("ffn.norm", "rms_norm"),
    ("ffn.gate", "linear"),
    ("ffn.silu", "silu"),
    ("ffn.up", "linear"),
    ("ffn.mul", "mul"),
    ("ffn.down", "linear"),
    ("ffn.residual", "add"),
]


@pytest.mark.parametrize("variant", PUBLISHED)
def test_parameters_are_the_published_ones(variant: str) -> None:
    assert load_model("llama", variant).params == PUBLISHED[variant]


def test_these_are_all_variants() -> None:
    assert list(load_model("llama-7b").architecture.variants) == list(PUBLISHED)


def figure(card: str, model: str, shape: str) -> int:
    """MACs of a row of the table of figures."""
    if not FIGURES.is_file():
        pytest.skip(f"{FIGURES} is not there: MACs measured on other implementations are not shipped")
    with FIGURES.open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row[:3] == [card, model, shape]]
    (row,) = rows
    return int(row[5])


@pytest.mark.parametrize(
    ("model", "card", "column", "value"),
    [
        ("llama-7b", "49-s2ft", "LLaMA-7B", "base, decode 1 token, 511 past"),
        ("llama-7b", "49-s2ft", "LLaMA-7B", "base, decode 1 token, 2047 past"),
        ("llama-3-8b", "49-s2ft", "LLaMA-3-8B", "base, decode 1 token, 2047 past"),
        ("llama-13b", "55-hydra", "LLaMA-13B (Vicuna-13B)", "decode 1 token 2047 past"),
        ("llama-33b", "55-hydra", "LLaMA-33B (Vicuna-33B)", "decode 1 token 2047 past"),
    ],
)
def test_decode_macs_are_those_of_the_table(model: str, card: str, column: str, value: str) -> None:
    past = int(value.split()[-2])
    assert load_model(model).decode([past + 1]).macs == figure(card, column, value)


@pytest.mark.parametrize(
    ("model", "column", "vocabulary"), [("llama-2-7b", "LLaMA-7B", 32000), ("llama-3-8b", "LLaMA-3-8B", 128256)]
)
def test_prefill_macs_are_those_of_the_table_but_for_the_lm_head(model: str, column: str, vocabulary: int) -> None:
    """The table counts the LM head for all tokens, serving for the last only."""
    expected = figure("49-s2ft", column, "base, prefill 512 dense mask")
    assert load_model(model).prefill([512]).macs + 511 * 4096 * vocabulary == expected


@pytest.mark.parametrize(("model", "kv"), [("llama-2-7b", 4096), ("llama-3.1-8b", 1024), ("llama-2-70b", 1024)])
def test_grouped_queries_share_keys_and_values(model: str, kv: int) -> None:
    graph = load_model(model).decode(LENGTHS)
    (block,) = graph.blocks
    assert graph.state_bytes == 2 * 2 * block.count * sum(LENGTHS) * kv
    logit, attend = block.operator("attention.logit"), block.operator("attention.attend")
    width = logit.inputs[0].shape[1]
    assert logit.macs == attend.macs == width * sum(LENGTHS)
    assert logit.bytes_read == 2 * (len(LENGTHS) * width + sum(LENGTHS) * kv)
    assert attend.outputs[0].shape == (len(LENGTHS), width)


def test_a_block_reads_like_the_paper() -> None:
    (block,) = load_model("llama-3.1-8b").decode(LENGTHS).blocks
    assert [(op.name, op.kind) for op in block.operators] == BLOCK


def test_the_head_is_a_matrix_of_its_own_except_in_the_smallest() -> None:
    assert load_model("llama-3.1-8b").decode([5]).operator("lm_head").weights[0].base is None
    assert load_model("llama-3.2-1b").decode([5]).operator("lm_head").weights[0].base == "token_table"


def test_a_context_beyond_the_trained_one_is_refused() -> None:
    with pytest.raises(ModelError, match=r"a context of 4097 tokens is longer than the 4096 positions of the model$"):
        load_model("llama-2-7b").decode([4097])


def traced(wrong: str) -> None:
    net = Tracer(decode_step([5, 6]))
    x = net.embedding(net.tokens(), net.weight(10, 12, name="table"))
    q = net.linear(x, 12, bias=False)
    calls = {
        "heads": lambda: net.attention(q, x, x, heads=3, kv_heads=2),
        "keys": lambda: net.attention(q, x, x, heads=6, kv_heads=3),
        "odd": lambda: net.rotary(q, net.positions(10), head_dim=3),
        "size": lambda: net.rotary(q, net.positions(10), head_dim=8),
        "type": lambda: net.rotary(q, q, head_dim=4),
        "product": lambda: q * narrow(net, q),
    }
    calls[wrong]()


def narrow(net: Tracer, x: Value) -> Value:
    return net.split(x, 2)[0]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("heads", "logit 'logit': 3 heads cannot share 2 heads of keys and values evenly"),
        ("keys", "logit 'logit': keys (2, 12) do not fit the heads and requests; they must be (2, 6)"),
        ("odd", "rotary 'rotary': pairs of elements are rotated; head_dim must be even, not 3"),
        ("size", "rotary 'rotary': input (2, 12) does not divide into heads of 8"),
        ("type", "rotary 'rotary': positions must be int32, not fp16"),
        (
            "product",
            "mul 'mul': shapes (2, 12) and (2, 6) do not broadcast; sizes must be equal or 1",
        ),
    ],
)
def test_operands_that_do_not_fit(wrong: str, problem: str) -> None:
    with pytest.raises(ModelError) as error:
        traced(wrong)
    assert str(error.value).split(": ", 1)[1] == problem
