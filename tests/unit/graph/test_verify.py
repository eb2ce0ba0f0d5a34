"""The rules of a graph: each, broken by hand, has its sentence."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest

from neupims.errors import ModelError
from neupims.graph import Block, Graph, Operator, Tensor, Tracer, Value, verify
from neupims.graph.verify import problems

Change = Callable[[Graph], Graph]


@pytest.fixture
def graph(trace: Callable[..., Graph]) -> Graph:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(3, "layer"):
            x = x + net.linear(net.attention(x, x, x, heads=2), 8, name="fc")
        return net.gelu(x, name="end")

    return trace(describe, (3, 7))


def with_operator(name: str, /, **changes: object) -> Change:
    """Change an operator, in the block or outside of it."""

    def items(found: tuple[Operator | Block, ...]) -> tuple[Operator | Block, ...]:
        return tuple(
            replace(item, items=items(item.items))
            if isinstance(item, Block)
            else replace(item, **changes)  # type: ignore[arg-type]
            if item.name == name
            else item
            for item in found
        )

    return lambda graph: replace(graph, items=items(graph.items))


def with_block(**changes: object) -> Change:
    """Change the block."""

    def change(graph: Graph) -> Graph:
        items = [replace(i, **changes) if isinstance(i, Block) else i for i in graph.items]  # type: ignore[arg-type]
        return replace(graph, items=tuple(items))

    return change


def with_port(**changes: object) -> Change:
    """Change the only input of the block."""

    def change(graph: Graph) -> Graph:
        (port,) = graph.block("layer").inputs
        return with_block(inputs=(replace(port, **changes),))(graph)  # type: ignore[arg-type]

    return change


STREAM = Tensor("input:0", (2, 8))
FC = (Tensor("fc.weight", (8, 8), role="weight"), Tensor("fc.bias", (8,), role="weight"))

CASES: dict[str, tuple[Change, str]] = {
    "work": (
        with_operator("fc", macs=1),
        "results, work or bytes of 'fc' are not those of a linear of its operands",
    ),
    "result": (
        with_operator("end", outputs=(Tensor("end", (2, 9)),)),
        "results, work or bytes of 'end' are not those of a gelu of its operands",
    ),
    "kind": (with_operator("end", kind="magic"), "'end' is of unknown kind 'magic'"),
    "operand": (
        with_operator("end", inputs=(Tensor("nothing", (2, 8)),)),
        "operand of 'end': 'nothing' does not exist there",
    ),
    "changed operand": (
        with_operator("end", inputs=(Tensor("embedding", (2, 8), "fp32"),)),
        "operand of 'end': 'embedding' is not as it was made",
    ),
    "view": (
        with_operator("end", inputs=(Tensor("view", (9, 8), base="embedding"),)),
        "operand of 'end': activation 'view' fp16 (9, 8) is no view of activation 'embedding' fp16 (2, 8)",
    ),
    "shapes": (
        with_operator("residual", inputs=(STREAM, Tensor("softmax", (2, 10)))),
        "'residual': shapes (2, 8) and (2, 10) do not broadcast; sizes must be equal or 1",
    ),
    "number of inputs": (with_operator("end", inputs=()), "'end': takes 1 inputs, not 0"),
    "attributes": (with_operator("logit", attributes=()), "'logit' lacks what a logit needs: 'new'"),
    "weights": (with_operator("fc", weights=()), "'fc' lacks what a linear needs: tuple index out of range"),
    "role of a weight": (
        with_operator("fc", weights=(STREAM, FC[1])),
        "'fc' uses activation 'input:0' as weight or constant",
    ),
    "role of a state": (
        with_operator("logit", states=(FC[0],)),
        "'logit' uses weight 'fc.weight' as kv_cache or state",
    ),
    "name": (
        with_operator("end", name="embedding", outputs=(Tensor("embedding", (2, 8)),)),
        "there are two tensors 'embedding'",
    ),
    "empty axis": (
        lambda graph: replace(graph, weights=(*graph.weights, Tensor("w", (0, 8), role="weight"))),
        "shape (0, 8) of 'w' has an axis without elements",
    ),
    "element": (
        lambda graph: replace(graph, weights=(*graph.weights, Tensor("w", (8,), "fp3", "weight"))),  # type: ignore[arg-type]
        "'w' has unknown element type 'fp3'",
    ),
    "role of what is kept": (
        lambda graph: replace(graph, states=(Tensor("s", (8,)),)),
        "'s' is activation, not kv_cache or state",
    ),
    "unused weight": (
        lambda graph: replace(graph, weights=(*graph.weights, Tensor("w", (8,), role="weight"))),
        "'w' is never used",
    ),
    "unused result": (
        lambda graph: replace(graph, outputs=(Tensor("embedding", (2, 8)),)),
        "'end' is never used",
    ),
    "output": (
        lambda graph: replace(graph, outputs=(*graph.outputs, Tensor("more", (1,)))),
        "output: 'more' does not exist there",
    ),
    "count": (with_block(count=0), "block 'layer' repeats 0 times"),
    "input of a block": (
        with_port(initial=Tensor("nothing", (2, 8))),
        "input of block 'layer': 'nothing' does not exist there",
    ),
    "carried by a block": (
        with_port(carried=Tensor("nothing", (2, 8))),
        "what block 'layer' carries on: 'nothing' does not exist there",
    ),
    "shape carried on": (
        with_port(carried=Tensor("softmax", (2, 10))),
        "block 'layer': activation 'softmax' fp16 (2, 10) does not fit activation 'input:0' fp16 (2, 8)",
    ),
    "output of a block": (
        lambda graph: with_block(outputs=(*graph.block("layer").outputs, Tensor("more", (1,))))(graph),
        "output of block 'layer': 'more' does not exist there",
    ),
    "two blocks of one name": (
        lambda graph: replace(graph, items=(*graph.items, graph.block("layer"))),
        "'layer0' is the name of two things",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_rule_has_its_sentence(name: str, graph: Graph) -> None:
    change, problem = CASES[name]
    broken = change(graph)
    found = list(problems(broken))
    assert problem in found
    with pytest.raises(ModelError) as error:
        verify(broken)
    assert str(error.value).startswith(f"tiny: the graph breaks its rules: {found[0]}")


def test_a_traced_graph_breaks_no_rule(graph: Graph) -> None:
    assert list(problems(graph)) == []


def test_many_broken_rules_are_counted(graph: Graph) -> None:
    unused = tuple(Tensor(f"w{index}", (8,), role="weight") for index in range(5))
    with pytest.raises(ModelError) as error:
        verify(replace(graph, weights=(*graph.weights, *unused)))
    assert str(error.value) == (
        "tiny: the graph breaks its rules: 'w0' is never used; 'w1' is never used; 'w2' is never used (and 2 more)"
    )


def test_what_an_architecture_forgets_to_use_is_refused(trace: Callable[..., Graph]) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        net.gelu(x, name="forgotten")
        return net.layer_norm(x)

    with pytest.raises(ModelError, match=r"tiny: the graph breaks its rules: 'forgotten' is never used$"):
        trace(describe)


def test_graphs_go_from_process_to_process(graph: Graph) -> None:
    copy = pickle.loads(pickle.dumps(graph))
    assert copy == graph
    verify(copy)


def test_graphs_and_operators_are_frozen_and_hashable(graph: Graph) -> None:
    assert len({graph, graph}) == 1
    assert len(set(graph.operators)) == len(graph.operators)
    with pytest.raises(AttributeError):
        graph.operators[0].macs = 3  # type: ignore[misc]
