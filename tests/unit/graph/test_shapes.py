"""What does not fit is refused where it is written: operator, shapes, file and line."""

from collections.abc import Callable
from inspect import getsourcelines
from pathlib import Path

import pytest

from neupims.errors import ModelError
from neupims.graph import Graph, Tracer, Value

Trace = Callable[..., Graph]
Describe = Callable[[Tracer, Value], Value]

CASES: dict[str, tuple[Describe, str]] = {
    "add": (
        lambda net, x: x + net.linear(x, 9, name="wide"),
        "add 'residual': shapes (1, 8) and (1, 9) do not broadcast; sizes must be equal or 1",
    ),
    "shared weight": (
        lambda net, x: net.linear(x, 5, weight=net.weight(7, 5, name="w"), name="head"),
        "linear 'head': input (1, 8) does not fit weight (7, 5); the last axis of the input must be 7",
    ),
    "width of a shared weight": (
        lambda net, x: net.linear(x, 6, weight=net.weight(8, 5, name="w"), name="head"),
        "linear 'head': weight (8, 5) does not give a width of 6",
    ),
    "vector as weight": (
        lambda net, x: net.linear(x, 8, weight=net.weight(8, name="w"), name="head"),
        "linear 'head': a weight has two axes, [in, out], not shape (8,)",
    ),
    "no width": (
        lambda net, x: net.linear(x, 0, name="head"),
        "weight 'head.weight': shape (8, 0) must have integers of at least 1",
    ),
    "heads": (
        lambda net, x: net.attention(x, x, x, heads=3),
        "logit 'logit': queries (1, 8) do not divide into 3 heads",
    ),
    "no heads": (
        lambda net, x: net.attention(x, x, x, heads=0),
        "logit 'logit': queries (1, 8) do not divide into 0 heads",
    ),
    "keys": (
        lambda net, x: net.attention(x, net.linear(x, 4, name="k"), x, heads=2),
        "logit 'logit': keys (1, 4) do not fit the heads and requests; they must be (1, 8)",
    ),
    "values": (
        lambda net, x: net.attention(x, x, net.linear(x, 4, name="v"), heads=2),
        "attend 'attend': values (1, 4) do not fit the heads and requests; they must be (1, 8)",
    ),
    "split": (
        lambda net, x: net.split(x, 3)[0],
        "split 'embedding': the last axis of (1, 8) does not divide into 3 parts",
    ),
    "transpose": (
        lambda net, x: net.transpose(net.argmax(x, name="one")),
        "transpose 'one': only a matrix can be transposed, not shape (1,)",
    ),
    "table": (
        lambda net, x: net.embedding(net.positions(4), net.weight(4, name="t"), name="lookup"),
        "embedding 'lookup': a table has two axes, [entries, width], not shape (4,)",
    ),
    "indices": (
        lambda net, x: net.embedding(x, net.weight(4, 4, name="t"), name="lookup"),
        "embedding 'lookup': indices must be int32, not fp16",
    ),
    "name twice": (
        lambda net, x: net.gelu(net.gelu(x, name="g"), name="g"),
        "gelu 'g': there is an operator or weight of this name already; give another",
    ),
    "name of a weight twice": (
        lambda net, x: net.linear(x, 4, weight=net.weight(8, 4, name="embedding")),
        "weight 'embedding': there is an operator or weight of this name already; give another",
    ),
    "odd name": (
        lambda net, x: net.gelu(x, name="Gelu 1"),
        "name 'Gelu 1': must be lower-case letters, digits and _, beginning with a letter",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_shape_has_its_sentence(name: str, trace: Trace) -> None:
    describe, problem = CASES[name]
    with pytest.raises(ModelError) as error:
        trace(describe)
    place, _, sentence = str(error.value).partition(": ")
    assert sentence == problem
    assert Path(place.rpartition(":")[0]).name == Path(__file__).name


def test_the_line_is_that_of_the_call(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(4, "layer"):
            with net.scope("ffn"):
                x = x + net.linear(x, 9)
        return x

    line = getsourcelines(describe)[1] + 3
    with pytest.raises(ModelError, match=rf"test_shapes\.py:{line}: add 'layer\.ffn\.residual': shapes \(1, 8\)"):
        trace(describe)


def test_an_input_belongs_outside_of_repeats(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        for _ in net.repeat(2, "layer"):
            net.tokens()
        return x

    with pytest.raises(ModelError, match=r"input 'layer\.tokens': an input must be taken outside of repeats$"):
        trace(describe)


def test_a_value_of_another_trace_is_refused(trace: Trace) -> None:
    kept: list[Value] = []
    trace(lambda net, x: (kept.append(x), x)[1])
    with pytest.raises(ModelError, match=r"add 'add': 'embedding' was made while another graph was traced$"):
        trace(lambda net, x: x + kept[0])


def test_parts_and_shared_names_of_scopes(trace: Trace) -> None:
    def describe(net: Tracer, x: Value) -> Value:
        with net.scope("a"):
            left, right = net.split(net.gelu(x), 2)
            y = net.gelu(left) + right
        with net.scope("a"):
            return net.gelu(y)

    graph = trace(describe)
    assert [op.name for op in graph.operators] == ["embedding", "a.gelu", "a.gelu_2", "a.add", "a.gelu_3"]
    assert graph.operator("a.add").inputs[1].base == "a.gelu"
    assert graph.operator("a.add").inputs[1].shape == (1, 4)


def test_an_addition_to_what_it_was_computed_from_is_a_residual(trace: Trace) -> None:
    graph = trace(lambda net, x: (net.gelu(x) + x) + net.embedding(net.positions(9), net.weight(9, 8, name="t")))
    assert [(op.name, dict(op.attributes)) for op in graph.operators if op.kind == "add"] == [
        ("residual", {"residual": True}),
        ("add", {"residual": False}),
    ]


def test_attributes_have_types(trace: Trace) -> None:
    (op,) = (op for op in trace(lambda net, x: net.attention(x, x, x, heads=2)).operators if op.kind == "softmax")
    with pytest.raises(TypeError, match="softmax 'softmax': lengths is \\(3,\\), not an integer"):
        op.number("lengths")
    with pytest.raises(TypeError, match="softmax 'softmax': heads is 2, not a list of integers"):
        op.numbers("heads")
    with pytest.raises(KeyError):
        op.number("tails")
