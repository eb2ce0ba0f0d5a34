"""The products of training steps against those that torch counts in its own backward pass."""

from typing import Any

import pytest

from neupims.graph import Tracer, Value, training_step
from neupims.graph.sequences import training_batch

WHY = "compares with torch, which is not installed (pip install 'neupims[oracle]')"
torch = pytest.importorskip("torch", reason=WHY)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TOKENS, WIDTH, HEADS = 24, 16, 2


def ours(net: Tracer) -> Value:
    """Convolutions, attention, linear layers."""
    x = net.relu(net.conv(net.input("x", 1, 2, 4, 6), 4, 3, padding=1, bias=False, name="c0"))
    x = net.gelu(net.conv_transposed(x, WIDTH, 2, stride=2, bias=False, name="c1"))
    x = net.conv(x, WIDTH, 3, stride=2, padding=1, name="c2")
    x = net.permute(net.reshape(x, WIDTH, TOKENS), 1, 0)
    q, k, v = (net.linear(x, WIDTH, bias=False, name=name) for name in ("q", "k", "v"))
    return net.linear(net.attend_all(q, k, v, heads=HEADS), 5, bias=False, name="head")


def theirs(trained: tuple[str, ...]) -> int:
    """Multiply-accumulates of torch, forwards and backwards."""
    from torch.utils.flop_counter import FlopCounterMode

    shapes = {"c0": (4, 2, 3, 3), "c1": (4, WIDTH, 2, 2), "c2": (WIDTH, WIDTH, 3, 3), "head": (5, WIDTH)}
    shapes |= dict.fromkeys(("q", "k", "v"), (WIDTH, WIDTH))
    weights = {name: torch.randn(shape, requires_grad=name in trained) for name, shape in shapes.items()}
    with FlopCounterMode(display=False) as counter:
        _forward(weights).square().sum().backward()
    return counter.get_total_flops() // 2


def _forward(weights: dict[str, Any]) -> Any:
    f = torch.nn.functional
    x = f.relu(f.conv2d(torch.randn(1, 2, 4, 6), weights["c0"], padding=1))
    x = f.gelu(f.conv_transpose2d(x, weights["c1"], stride=2))
    x = f.conv2d(x, weights["c2"], stride=2, padding=1).reshape(WIDTH, TOKENS).T
    q, k, v = (f.linear(x, weights[n]).reshape(TOKENS, HEADS, -1).transpose(0, 1) for n in ("q", "k", "v"))
    mixed = torch.softmax(q @ k.transpose(1, 2), -1) @ v
    return f.linear(mixed.transpose(0, 1).reshape(TOKENS, WIDTH), weights["head"])


@pytest.mark.parametrize(
    "trained",
    [("c0", "c1", "c2", "q", "k", "v", "head"), ("head",), ("v",), ("q",), ("c2", "head"), ("c1",), ("c0", "k")],
)
def test_products_are_those_of_torch(trained: tuple[str, ...]) -> None:
    net = Tracer(training_batch((1,)))
    net.output(ours(net))
    step = training_step(net.finish("small"), [f"{name}.*" for name in trained], loss="squared_error")
    assert step.macs == theirs(trained)
