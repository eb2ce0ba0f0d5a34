"""Element-wise work and norms."""

from collections.abc import Callable

from neupims.graph.kinds.base import (
    Kind,
    axis_of,
    broadcast,
    indices,
    like_input,
    per_element,
    per_result,
    require,
)
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape

LAYER_NORM_OPS = 7
"""For each element: mean, subtraction, square, variance, division by the deviation, scale, shift."""

RMS_NORM_OPS = 4
"""For each element: square, mean of squares, division by its root, scale."""

BATCH_NORM_OPS = 2
"""For each element, with the statistics folded into its weights as in inference: scale, shift."""

ROTARY_OPS = 3
"""For each element: itself times a cosine, its partner times a sine, their sum; the angles come from a table."""

UNARY_OPS = {
    "gelu": 9,  # 0.5 x (1 + tanh(c (x + 0.044715 x^3))), the form of GPT-2 and GPT-3
    "quick_gelu": 5,  # x / (1 + exp(-1.702 x))
    "silu": 4,  # x / (1 + exp(-x)): negation, exponential, sum, division
    "sigmoid": 3,  # as silu, without the product
    "tanh": 4,
    "relu": 1,
    "relu6": 2,
    "leaky_relu": 2,
    "elu": 3,
    "softplus": 3,
    "hard_swish": 4,
    "hard_sigmoid": 3,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "rsqrt": 2,
    "reciprocal": 1,
    "square": 1,
    "abs": 1,
    "neg": 1,
    "sign": 1,
    "sin": 1,
    "cos": 1,
    "erf": 1,
    "round": 1,
    "clip": 2,
}
"""Operations for each element."""

BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "power", "compare", "where")
"""One operation for each result."""


def binary_shapes(op: Operator) -> tuple[Shape, ...]:
    """Operands that broadcast as in numpy, one of which may be a weight, or a number (attribute `by`)."""
    shapes = [tensor.shape for tensor in (*op.inputs, *op.weights, *op.states)]
    scalar = any(name == "by" for name, _ in op.attributes)
    require(len(shapes) + scalar >= 2, "takes two operands, or one and a number")
    return (broadcast(*shapes),)


def norm_shapes(op: Operator) -> tuple[Shape, ...]:
    """Normalises the last axis of x [..., width] with weights [width], or without any."""
    x = op.inputs[0].shape
    for weight in op.weights:
        require(weight.shape == x[-1:], f"weight {weight.shape} does not fit input {x}; it must be {x[-1:]}")
    return (x,)


def channel_norm_shapes(op: Operator) -> tuple[Shape, ...]:
    """Normalises x [batch, channels, ...] with weights [channels]; attribute `groups` of a group norm."""
    x = op.inputs[0].shape
    require(len(x) >= 2, f"input {x} must be [batch, channels, ...]")
    for weight in op.weights:
        require(weight.shape == x[1:2], f"weight {weight.shape} does not fit input {x}; it must be {x[1:2]}")
    groups = dict(op.attributes).get("groups", 1)
    require(isinstance(groups, int) and x[1] % groups == 0, f"{x[1]} channels do not divide into {groups} groups")
    return (x,)


def rotary_shapes(op: Operator) -> tuple[Shape, ...]:
    """Heads side by side, x [tokens, heads * head_dim], and positions [tokens]: x.

    Attributes: `head_dim`, even; `rotated`, elements of a head that are turned, if not all.
    """
    x, positions, size = op.inputs[0].shape, op.inputs[1], op.number("head_dim")
    turned, what = _rotated(op)
    require(0 < turned <= size and turned % 2 == 0, f"pairs of elements are rotated; {what} must be even, not {turned}")
    require(len(x) == 2 and x[1] % size == 0, f"input {x} does not divide into heads of {size}")
    require(positions.element == "int32", f"positions must be int32, not {positions.element}")
    require(positions.shape == x[:1], f"positions {positions.shape} do not fit input {x}; they must be {x[:1]}")
    return (x,)


def rotary_ops(op: Operator) -> int:
    """ROTARY_OPS for each element that is turned."""
    return op.inputs[0].elements // op.number("head_dim") * _rotated(op)[0] * ROTARY_OPS


def reduced(op: Operator) -> tuple[Shape, ...]:
    """Reduces one axis; with attribute `keep` it stays, with size 1."""
    x = op.inputs[0].shape
    axis = axis_of(op, x)
    return ((*x[:axis], *((1,) if dict(op.attributes).get("keep") else ()), *x[axis + 1 :]),)


def without_last_axis(op: Operator) -> tuple[Shape, ...]:
    """Reduces the last axis of [..., width]."""
    return (op.inputs[0].shape[:-1],)


def _rotated(op: Operator) -> tuple[int, str]:
    name = "rotated" if any(given == "rotated" for given, _ in op.attributes) else "head_dim"
    return op.number(name), name


def _norm(shapes: Callable[[Operator], tuple[Shape, ...]], operations: int) -> Kind:
    return Kind(1, shapes, other_ops=per_element(operations))


VECTOR = {
    **{name: Kind(1, like_input, other_ops=per_element(operations)) for name, operations in UNARY_OPS.items()},
    **{name: Kind(None, binary_shapes, other_ops=per_result(1)) for name in BINARY},
    "layer_norm": _norm(norm_shapes, LAYER_NORM_OPS),
    "rms_norm": _norm(norm_shapes, RMS_NORM_OPS),
    "group_norm": _norm(channel_norm_shapes, LAYER_NORM_OPS),
    "batch_norm": _norm(channel_norm_shapes, BATCH_NORM_OPS),
    "rotary": Kind(2, rotary_shapes, other_ops=rotary_ops),
    "argmax": Kind(1, without_last_axis, other_ops=per_element(1), element=indices),
    "cumsum": Kind(1, like_input, other_ops=per_element(1)),
    **{name: Kind(1, reduced, other_ops=per_element(1)) for name in ("sum", "mean", "max", "min")},
    "variance": Kind(1, reduced, other_ops=per_element(4)),
}
