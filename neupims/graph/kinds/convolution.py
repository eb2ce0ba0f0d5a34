"""Convolutions over one, two or three axes; data are [batch, channels, *space].

Attributes, one number for each axis of space: `stride`, `padding` (on both sides), `dilation`; `groups`; and for the
transposed ones `output_padding`. Weights are [out, in / groups, *kernel]; of transposed ones, [in, out / groups,
*kernel].
"""

from math import prod

from neupims.graph.kinds.base import Kind, Product, require
from neupims.graph.kinds.dense import bias_additions
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape


def conv_shapes(op: Operator) -> tuple[Shape, ...]:
    """[batch, in, *space]: [batch, out, *(space + 2 padding - dilation (kernel - 1) - 1) / stride + 1]."""
    x, weight, groups = op.inputs[0].shape, op.weights[0].shape, op.number("groups")
    kernel = _kernel(op, x, weight)
    require(
        x[1] == weight[1] * groups and weight[0] % groups == 0,
        f"input {x} does not fit weight {weight} in {groups} groups; it must have {weight[1] * groups} channels",
    )
    _check_bias(op, weight[0])
    reach = [size + 2 * pad - dilation * (k - 1) - 1 for size, k, pad, dilation, _ in _axes(op, x, kernel)]
    require(min(reach) >= 0, f"kernel {kernel} is larger than the padded input {x}")
    space = [size // stride + 1 for size, stride in zip(reach, op.numbers("stride"), strict=True)]
    return ((x[0], weight[0], *space),)


def conv_products(op: Operator) -> tuple[Product, ...]:
    """For each group one product: rows of im2col, one for each result of a channel, times [in kernel, out]."""
    weight, result, groups = op.weights[0].shape, op.outputs[0].shape, op.number("groups")
    rows = result[0] * prod(result[2:])
    return (Product(groups, rows, prod(weight[1:]), weight[0] // groups),)


def transposed_shapes(op: Operator) -> tuple[Shape, ...]:
    """[batch, in, *space]: [batch, out, *(space - 1) stride - 2 padding + dilation (kernel - 1) + 1 + more]."""
    x, weight, groups = op.inputs[0].shape, op.weights[0].shape, op.number("groups")
    kernel = _kernel(op, x, weight)
    fits = x[1] == weight[0] and weight[0] % groups == 0
    require(fits, f"input {x} does not fit weight {weight}; it must have {weight[0]} channels in {groups} groups")
    _check_bias(op, weight[1] * groups)
    more = op.numbers("output_padding")
    space = [
        (size - 1) * stride - 2 * pad + dilation * (k - 1) + 1 + extra
        for (size, k, pad, dilation, stride), extra in zip(_axes(op, x, kernel), more, strict=True)
    ]
    require(min(space) >= 1, f"nothing is left of input {x} with kernel {kernel}")
    return ((x[0], weight[1] * groups, *space),)


def transposed_products(op: Operator) -> tuple[Product, ...]:
    """For each group one product of all inputs, whose results are summed where they overlap."""
    x, weight, groups = op.inputs[0].shape, op.weights[0].shape, op.number("groups")
    rows = x[0] * prod(x[2:])
    return (Product(groups, rows, weight[0] // groups, prod(weight[1:])),)


def causal_shapes(op: Operator) -> tuple[Shape, ...]:
    """Each channel of x [tokens, channels] over its last taps, weight [channels, taps]: as x.

    The state [requests, channels, taps] holds the last inputs of each request.
    """
    x, weight = op.inputs[0].shape, op.weights[0].shape
    require(len(x) == 2 and len(weight) == 2 and x[1] == weight[0], f"input {x} and weight {weight} differ in channels")
    _check_bias(op, weight[0])
    for state in op.states:
        require(state.shape[1:] == weight, f"state {state.shape} does not fit weight {weight}; it must be [., *weight]")
    return (x,)


def causal_macs(op: Operator) -> int:
    """Each input once for each tap."""
    return op.inputs[0].elements * op.weights[0].shape[1]


def _kernel(op: Operator, x: Shape, weight: Shape) -> Shape:
    require(len(x) in (3, 4, 5), f"input {x} must be [batch, channels, *space] with one to three axes of space")
    require(len(weight) == len(x), f"weight {weight} must have {len(x)} axes as input {x} has")
    for name in ("stride", "padding", "dilation"):
        given = op.numbers(name)
        require(len(given) == len(x) - 2, f"{name} {given} must have one number for each axis of space of {x}")
    require(op.number("groups") > 0, "groups must be at least 1")
    return weight[2:]


def _axes(op: Operator, x: Shape, kernel: Shape) -> list[tuple[int, int, int, int, int]]:
    names = ("padding", "dilation", "stride")
    return list(zip(x[2:], kernel, *(op.numbers(name) for name in names), strict=True))


def _check_bias(op: Operator, channels: int) -> None:
    for bias in op.weights[1:]:
        require(bias.shape == (channels,), f"bias {bias.shape} must be {(channels,)}")


CONVOLUTION = {
    "conv": Kind(1, conv_shapes, products=conv_products, other_ops=bias_additions),
    "conv_transposed": Kind(1, transposed_shapes, products=transposed_products, other_ops=bias_additions),
    "causal_conv": Kind(1, causal_shapes, macs=causal_macs, other_ops=bias_additions),
}
