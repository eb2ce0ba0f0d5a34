"""Each kind that has a gradient: it reaches what is trained below, and costs what its table says."""

from collections.abc import Callable

import pytest

from neupims.graph import Graph, Tracer, Value, training_step
from neupims.graph.sequences import training_batch
from neupims.graph.training.rules import RULES

N, WIDTH = 6, 8
Describe = Callable[[Tracer, Value], Value]


def space(net: Tracer, x: Value) -> Value:
    """x [6, 8] as an image [1, 2, 4, 6]."""
    return net.reshape(x, 1, 2, 4, 6)


def index(net: Tracer, *shape: int) -> Value:
    return net.input("index", *shape, element="int32")


def heads(net: Tracer, x: Value) -> Value:
    return net.attention(x, net.linear(x, 4), net.linear(x, 4), heads=4, kv_heads=2)


CASES: dict[str, Describe] = {
    **{
        kind: lambda net, x, kind=kind: net.unary(kind, x)
        for kind in (
            *("gelu", "quick_gelu", "silu", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "elu", "softplus"),
            *("hard_swish", "hard_sigmoid", "exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "abs", "neg"),
            *("sin", "cos", "erf", "clip", "softmax", "copy"),
        )
    },
    **{
        kind: lambda net, x, kind=kind: net.binary(kind, x, net.linear(x, WIDTH))
        for kind in ("add", "sub", "mul", "div", "maximum", "minimum", "where", "power")
    },
    **{kind: lambda net, x, kind=kind: net.reduce(kind, x) for kind in ("sum", "mean", "max", "min", "variance")},
    "layer_norm": lambda net, x: net.layer_norm(x),
    "rms_norm": lambda net, x: net.rms_norm(x),
    "batch_norm": lambda net, x: net.batch_norm(space(net, x)),
    "group_norm": lambda net, x: net.group_norm(space(net, x), groups=2),
    "cumsum": lambda net, x: net.cumsum(x),
    "rotary": lambda net, x: net.rotary(x, index(net, N), head_dim=4),
    "linear": lambda net, x: net.linear(x, 5),
    "matmul": lambda net, x: net.matmul(x, net.transpose(net.linear(x, WIDTH))),
    "expert_linear": lambda net, x: net.expert_linear(x, 5, (4, 0, 2), bias=True),
    "conv": lambda net, x: net.conv(space(net, x), 4, 3, padding=1, groups=2),
    "conv_transposed": lambda net, x: net.conv_transposed(space(net, x), 4, 2, stride=2),
    "causal_conv": lambda net, x: net.causal_conv(x, 4),
    "logit": heads,
    "attend": heads,
    "avg_pool": lambda net, x: net.avg_pool(space(net, x), 2),
    "max_pool": lambda net, x: net.max_pool(space(net, x), 2),
    "interpolate": lambda net, x: net.interpolate(space(net, x), 8, 12),
    "embedding": lambda net, x: x + net.embedding(index(net, N), net.weight(9, WIDTH, name="table")),
    "last": lambda net, x: net.apply("last", "last", (x,), attributes={"new": (2, 4)}),
    "gather": lambda net, x: net.gather(x, index(net, 3)),
    "scatter": lambda net, x: net.scatter(net.slice(x, 0, 2, axis=0), index(net, 2), x, add=True),
    "concat": lambda net, x: net.concat(x, net.relu(x)),
    "pad": lambda net, x: net.pad(x, 1, 2),
    "repeat": lambda net, x: net.expand(x, N, 2 * WIDTH),
    "roll": lambda net, x: net.roll(x, 3),
    "fft": lambda net, x: net.fft(x, WIDTH),
    "message_passing": lambda net, x: net.propagate(x, net.edges(7), net.linear(net.gather(x, index(net, 7)), 1)),
    "scan": lambda net, x: net.scan(x, net.sigmoid(x)),
    "selective_scan": lambda net, x: net.selective_scan(x, net.relu(x), net.linear(x, 3), net.linear(x, 3)),
}


def step(describe: Describe) -> Graph:
    """A training step of `describe(net, x)` for x [6, 8], which a trained layer called `stem` makes."""
    net = Tracer(training_batch((2, 4)))
    x = net.linear(net.input("x", N, WIDTH), WIDTH, bias=False, name="stem")
    net.output(describe(net, x))
    return training_step(net.finish("tiny"), loss="squared_error")


def test_each_kind_with_a_gradient_is_tried() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("kind", CASES)
def test_a_gradient_goes_through(kind: str) -> None:
    graph = step(CASES[kind])
    assert any(op.kind == kind for op in graph.operators)
    assert graph.operator("stem.weight.update").inputs[0].shape == (WIDTH, WIDTH)
    updates = [op.name.removesuffix(".update") for op in graph.operators if op.kind == "adamw"]
    assert set(updates) == {tensor.name for tensor in graph.weights if tensor.role == "weight"}


PRODUCTS = ("linear", "matmul", "expert_linear", "conv", "conv_transposed", "causal_conv", "logit")


@pytest.mark.parametrize("kind", PRODUCTS)
def test_both_operands_of_a_product_cost_it_once_more(kind: str) -> None:
    """But for the stem, whose input needs no gradient."""
    graph = step(CASES[kind])
    loss = next(place for place, op in enumerate(graph.operators) if op.name == "loss")
    forward = sum(op.macs for op in graph.operators[:loss])
    assert graph.macs == 3 * forward - graph.operator("stem").macs


@pytest.mark.parametrize(
    ("kind", "name", "operations"),
    [
        ("gelu", "gelu.grad_input", 18 * N * WIDTH),
        ("layer_norm", "layer_norm.grad_weight", 4 * N * WIDTH),
        ("avg_pool", "avg_pool.grad_input", N * WIDTH),
        ("sum", "sum.grad_input", 0),
        ("message_passing", "propagate.grad_weights", 2 * 7 * WIDTH),
        ("selective_scan", "selective_scan.grad", N * WIDTH * (25 * 3 + 4)),
        ("concat", "grad:stem", N * WIDTH),
    ],
)
def test_other_gradients_count_as_their_table_says(kind: str, name: str, operations: int) -> None:
    (op,) = (op for op in step(CASES[kind]).operators if op.name == name)
    assert op.other_ops == operations


def test_a_power_of_a_number_and_a_product_with_one_have_gradients() -> None:
    graph = step(lambda net, x: net.binary("power", x * 2.0, 3.0) / 5.0)
    kinds = [op.kind for op in graph.operators if ".grad" in op.name]
    assert kinds == ["div", "gradient", "mul", "matmul"]


def test_of_a_choice_the_mask_gets_no_gradient() -> None:
    graph = step(lambda net, x: x * net.binary("compare", net.linear(x, WIDTH, name="mask"), 0.0))
    assert "mask.weight.update" not in [op.name for op in graph.operators]
