"""The GPT-3 family against formulas written by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, load_model

SIZES = {"7b": (32, 32, 4096), "13b": (40, 40, 5120), "30b": (48, 56, 7168), "175b": (96, 96, 12288)}
VOCABULARY, POSITIONS, HEAD = 50304, 2048, 128
LENGTHS = (300, 1, 2048, 17)

BLOCK = [
    ("attention.norm", "layer_norm"),
    ("attention.qkv", "linear"),
    ("attention.logit", "logit"),
    ("attention.softmax", "softmax"),
    ("attention.attend", "attend"),
    ("attention.projection", "linear"),
    ("attention.residual", "add"),
    ("ffn.norm", "layer_norm"),
    ("ffn.fc1", "linear"),
    ("ffn.gelu", "gelu"),
    ("ffn.fc2", "linear"),
    ("ffn.residual", "add"),
]

variants = pytest.mark.parametrize("variant", SIZES)


@variants
def test_parameters_are_those_of_the_formula(variant: str) -> None:
    layers, _, e = SIZES[variant]
    block = 12 * e * e + 13 * e
    assert load_model("gpt3", variant).params == layers * block + 2 * e + (VOCABULARY + POSITIONS) * e


@variants
def test_parameters_are_about_what_the_name_says(variant: str) -> None:
    assert load_model("gpt3", variant).params == pytest.approx(float(variant[:-1]) * 1e9, rel=0.05)


@variants
def test_decode_macs_are_those_of_the_formula(variant: str) -> None:
    layers, heads, e = SIZES[variant]
    linear = len(LENGTHS) * 12 * e * e
    attention = 2 * heads * HEAD * sum(LENGTHS)
    head = len(LENGTHS) * e * VOCABULARY
    assert load_model("gpt3", variant).decode(LENGTHS).macs == layers * (linear + attention) + head


@variants
def test_prefill_macs_are_those_of_the_formula(variant: str) -> None:
    layers, heads, e = SIZES[variant]
    linear = sum(LENGTHS) * 12 * e * e
    attention = 2 * heads * HEAD * sum(length * length for length in LENGTHS)
    head = len(LENGTHS) * e * VOCABULARY
    assert load_model("gpt3", variant).prefill(LENGTHS).macs == layers * (linear + attention) + head


@variants
def test_kv_cache_holds_keys_and_values_of_all_tokens_in_all_layers(variant: str) -> None:
    layers, _, e = SIZES[variant]
    model = load_model("gpt3", variant)
    assert model.decode(LENGTHS).state_bytes == 2 * 2 * layers * sum(LENGTHS) * e
    assert model.prefill(LENGTHS).state_bytes == model.decode(LENGTHS).state_bytes


@variants
def test_heads_have_128_dimensions_and_layers_are_counted(variant: str) -> None:
    layers, heads, _ = SIZES[variant]
    model = load_model("gpt3", variant)
    logit = model.decode(LENGTHS).block("layer").operator("attention.logit")
    assert (logit.number("heads"), logit.number("head_dim"), model.layers) == (heads, HEAD, layers)


def decode() -> Graph:
    return load_model("gpt3-7b").decode(LENGTHS)


def test_a_block_is_recorded_once_in_the_order_of_the_paper() -> None:
    (block,) = decode().blocks
    assert [(op.name, op.kind) for op in block.operators] == BLOCK
    assert (block.name, block.count, block.first) == ("layer", 32, 0)


def test_unrolled_operators_are_embedding_layers_and_head() -> None:
    names = [op.name for op in decode().operators]
    layers = [f"layer{index}.{name}" for index in range(32) for name, _ in BLOCK]
    before, after = ["embedding.token", "embedding.position", "embedding.add"], ["final_norm", "lm_head", "sampling"]
    assert names == before + layers + after


def test_shapes_of_a_decode_step() -> None:
    block, n, e = decode().block("layer"), len(LENGTHS), 4096
    shapes = {op.name: (op.inputs[0].shape, op.weights[0].shape) for op in block.operators if op.kind == "linear"}
    assert shapes == {
        "attention.qkv": ((n, e), (e, 3 * e)),
        "attention.projection": ((n, e), (e, e)),
        "ffn.fc1": ((n, e), (e, 4 * e)),
        "ffn.fc2": ((n, 4 * e), (4 * e, e)),
    }
    assert block.operator("attention.logit").states[0].shape == (sum(LENGTHS), e)
    assert block.operator("attention.softmax").outputs[0].shape == (32, sum(LENGTHS))
    assert block.operator("attention.attend").numbers("lengths") == LENGTHS


def test_output_matrix_is_the_embedding_table_and_counts_once() -> None:
    head = decode().operator("lm_head")
    assert (head.weights[0].shape, head.weights[0].base) == ((4096, VOCABULARY), "token_table")
    assert [tensor.name for tensor in decode().weights].count("token_table") == 1


def test_prefill_takes_the_last_token_of_each_request_to_the_head() -> None:
    graph = load_model("gpt3-7b").prefill(LENGTHS)
    assert graph.operator("last_token").inputs[0].shape == (sum(LENGTHS), 4096)
    assert graph.operator("lm_head").inputs[0].shape == (len(LENGTHS), 4096)


def test_a_prompt_costs_as_much_as_its_tokens_one_by_one() -> None:
    model, length = load_model("gpt3-7b", options={"layers": 2, "width": 256, "heads": 2}), 20
    whole = model.prefill([length]).block("layer")
    steps = [model.decode([context]).block("layer") for context in range(1, length + 1)]
    for name in (name for name, kind in BLOCK if kind not in ("logit", "softmax", "attend")):
        parts = [step.operator(name) for step in steps]
        assert whole.operator(name).macs == sum(op.macs for op in parts)
        assert whole.operator(name).other_ops == sum(op.other_ops for op in parts)


def test_a_prompt_scores_its_whole_square_and_single_tokens_only_the_past() -> None:
    model, length = load_model("gpt3-7b"), 20
    square = model.prefill([length]).block("layer").operator("attention.logit").macs
    triangle = sum(model.decode([n]).block("layer").operator("attention.logit").macs for n in range(1, length + 1))
    assert (square, triangle) == (4096 * length * length, 4096 * length * (length + 1) // 2)


def test_attention_of_a_batch_is_that_of_its_requests() -> None:
    model = load_model("gpt3-13b")
    for name in ("attention.logit", "attention.softmax", "attention.attend"):
        whole = model.decode(LENGTHS).block("layer").operator(name)
        parts = [model.decode([length]).block("layer").operator(name) for length in LENGTHS]
        for count in ("macs", "other_ops", "bytes_read", "bytes_written"):
            assert getattr(whole, count) == sum(getattr(op, count) for op in parts)


def test_sums_of_the_graph_are_those_of_the_unrolled_operators() -> None:
    for graph in (decode(), load_model("gpt3-7b").prefill(LENGTHS)):
        for count in ("macs", "other_ops", "bytes_read", "bytes_written"):
            assert getattr(graph, count) == sum(getattr(op, count) for op in graph.operators)
        weights = {w.name: w for op in graph.operators for w in op.weights if w.base is None}
        assert graph.params == sum(w.elements for w in weights.values())
        assert graph.weight_bytes == 2 * graph.params
        assert graph.state_bytes == sum(s.bytes for op in graph.operators for s in op.states)


def test_bytes_of_a_layer_are_those_of_its_operands() -> None:
    block, n, e, context = decode().block("layer"), len(LENGTHS), 4096, sum(LENGTHS)
    read = {op.name: op.bytes_read for op in block.operators}
    written = {op.name: op.bytes_written for op in block.operators}
    assert read["attention.qkv"] == 2 * (n * e + 3 * e * e + 3 * e)
    assert written["attention.qkv"] == 2 * n * 3 * e
    assert read["attention.logit"] == 2 * (n * e + context * e)
    assert written["attention.logit"] == 2 * (32 * context + n * e)
    assert read["attention.attend"] == 2 * (32 * context + context * e)
    assert written["attention.attend"] == 2 * (n * e + n * e)
    assert read["ffn.residual"] == 2 * 2 * n * e
    assert decode().operator("embedding.token").bytes_read == 4 * n + 2 * n * e


def test_names_take_upper_case() -> None:
    assert load_model("GPT3-7B") == load_model("gpt3-7b") == load_model("Gpt3", "7B")


def test_a_model_says_what_it_is() -> None:
    model = load_model("gpt3-30b")
    assert (model.name, model.variant, model.family) == ("gpt3-30b", "30b", "language")
    assert (model.paper.title, model.paper.arxiv) == ("Language Models are Few-Shot Learners", "2005.14165")


def test_graphs_are_the_same_each_time_and_say_so() -> None:
    model = load_model("gpt3-30b")
    assert model.decode(LENGTHS) == model.decode(list(LENGTHS))
    assert model.decode(LENGTHS).digest == model.decode(LENGTHS).digest
    assert len({model.decode((5, 6)).digest, model.decode((6, 5)).digest, model.prefill((5, 6)).digest}) == 3


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_digest_is_the_same_in_any_process(hash_seed: str, tmp_path: Path) -> None:
    code = "from neupims.graph import load_model; print(load_model('gpt3-7b').decode((300, 20)).digest)"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == load_model("gpt3-7b").decode((300, 20)).digest


def test_json_holds_a_block_once() -> None:
    document = json.loads(json.dumps(decode().to_json()))
    (block,) = [item for item in document["items"] if "block" in item]
    assert (block["block"], block["count"], len(block["items"])) == ("layer", 32, len(BLOCK))
    assert (document["macs"], document["params"]) == (decode().macs, decode().params)
    assert document["lengths"] == list(LENGTHS)
    assert block["inputs"][0]["carried"]["name"] == "ffn.residual"


@pytest.mark.parametrize(
    ("lengths", "problem"),
    [
        ((), "decode: no requests; give the length of at least one"),
        ((5, 0), "decode: length of request 1 is 0; it must be an integer of at least 1"),
        ((2.5,), "decode: length of request 0 is 2.5; it must be an integer of at least 1"),
        ((True,), "decode: length of request 0 is True; it must be an integer of at least 1"),
    ],
)
def test_lengths_that_are_none(lengths: tuple[int, ...], problem: str) -> None:
    with pytest.raises(ModelError) as error:
        load_model("gpt3-7b").decode(lengths)
    assert str(error.value) == problem


def test_a_context_beyond_the_positions_is_refused() -> None:
    with pytest.raises(ModelError, match=r"gpt3\.py:\d+: input 'positions'") as error:
        load_model("gpt3-7b").decode([5, 2049])
    assert str(error.value).endswith("a context of 2049 tokens is longer than the 2048 positions of the model")
    assert load_model("gpt3-7b", options={"positions": 4096}).decode([2049]).lengths == (2049,)
