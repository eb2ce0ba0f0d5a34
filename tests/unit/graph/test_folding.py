"""Unrolled models fold into the blocks that they had; what is not wired alike stays as it is."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_configs import SMALL

from neupims.errors import ModelError
from neupims.graph import Graph, Tracer, Value, load_model, verify
from neupims.graph.folding.fold import fold
from neupims.graph.sequences import samples

Describe = Callable[[Tracer, Value], Value]


def unrolled(graph: Graph) -> Graph:
    """The graph without blocks."""
    operators = graph.operators
    weights = {tensor.name: tensor for tensor in graph.weights}
    weights |= {tensor.name: tensor for op in operators for tensor in op.weights if tensor.base is None}
    states = {tensor.name: tensor for op in operators for tensor in op.states if tensor.base is None}
    flat = replace(graph, items=operators, weights=tuple(weights.values()), states=tuple(states.values()))
    verify(flat)
    return flat


def flat(describe: Describe) -> Graph:
    net = Tracer(samples((1,)))
    net.output(describe(net, net.input("x", 2, 8)))
    return net.finish("flat")


def blocks(graph: Graph) -> list[tuple[str, int, int]]:
    return [(block.name, block.count, len(block.operators)) for block in graph.blocks]


@pytest.mark.parametrize(("model", "expected"), [("gpt3-7b", ("layer", 32, 12)), ("llama-2-7b", ("layer", 32, 18))])
def test_a_decoder_is_what_it_was(model: str, expected: tuple[str, int, int]) -> None:
    graph = load_model(model).decode((5, 3))
    folded = fold(unrolled(graph))
    assert blocks(folded) == [expected]
    assert [op.name for op in folded.operators] == [op.name for op in graph.operators]
    assert folded.state_bytes == graph.state_bytes
    (before,), (after,) = graph.blocks, folded.blocks
    assert len(after.inputs) == len(before.inputs)
    assert [op.kind for op in after.operators] == [op.kind for op in before.operators]


def test_poolformer_folds_into_its_stages() -> None:
    graph = load_model("poolformer-s12").trace((1,))
    assert blocks(fold(unrolled(graph))) == blocks(graph)


@pytest.mark.parametrize("name", [name for name in SMALL if "deepseek" not in name])
def test_all_small_models_fold_and_do_the_same(name: str, tmp_path: Path) -> None:
    """That what is folded does the same work is checked by `fold` itself."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SMALL[name]), encoding="utf-8")
    graph = load_model(str(path)).trace((5, 3))
    assert blocks(fold(unrolled(graph))) == [found for found in blocks(graph) if found[1] > 1]


def test_layers_in_a_row_hand_on_what_they_make() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in range(5):
            x = net.relu(net.linear(x, 8))
        return x

    folded = fold(flat(describe))
    (block,) = folded.blocks
    assert blocks(folded) == [("block", 5, 2)]
    assert [(port.initial.name, port.carried and port.carried.name) for port in block.inputs] == [("x", "relu")]
    assert [tensor.name for tensor in folded.outputs] == ["block4.relu"]
    assert folded.params == 5 * (64 + 8)


def test_layers_side_by_side_are_no_repetition() -> None:
    assert fold(flat(lambda net, x: net.concat(net.linear(x, 8), net.linear(x, 8), net.linear(x, 8)))).blocks == ()


def test_a_value_of_an_earlier_repetition_that_is_read_behind_keeps_them_apart() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        made = [x]
        for _ in range(4):
            made.append(net.relu(net.linear(made[-1], 8)))
        return made[-1] + made[2]

    assert all(count == 2 for _, count, _ in blocks(fold(flat(describe))))


def test_a_shared_weight_stays_shared() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        weight = net.weight(8, 8, name="shared")
        for _ in range(4):
            x = net.relu(net.linear(x, 8, weight=weight, bias=False))
        return x

    folded = fold(flat(describe))
    assert blocks(folded) == [("block", 4, 2)]
    assert folded.params == 64
    assert [port.initial.name for port in folded.blocks[0].inputs] == ["x", "shared"]


def test_a_tensor_from_outside_is_read_by_all() -> None:
    def describe(net: Tracer, x: Value) -> Value:
        gate, y = net.sigmoid(x), x
        for _ in range(3):
            y = net.linear(y, 8) * gate
        return y

    (block,) = fold(flat(describe)).blocks
    assert [port.carried is None for port in block.inputs] == [False, True]


def test_wiring_that_differs_ends_a_stretch() -> None:
    """The fourth layer reads the first instead of the third."""

    def describe(net: Tracer, x: Value) -> Value:
        first = net.relu(net.linear(x, 8))
        third = net.relu(net.linear(net.relu(net.linear(first, 8)), 8))
        fourth = net.relu(net.linear(first, 8))
        return third + fourth

    assert all(count < 4 for _, count, _ in blocks(fold(flat(describe))))


def test_only_a_flat_graph_can_be_folded() -> None:
    with pytest.raises(ModelError, match=r"^gpt3-7b: only a graph without blocks can be folded$"):
        fold(load_model("gpt3-7b").decode((3,)))
