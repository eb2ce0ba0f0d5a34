"""Element-wise work, norms and reductions."""

from neupims.graph.kinds.base import Kind, like_input, per_element, require
from neupims.graph.operator import Operator
from neupims.graph.tensor import ElementType, Shape

LAYER_NORM_OPS = 7
"""For each element: mean, subtraction, square, variance, division by the deviation, scale, shift."""

RMS_NORM_OPS = 4
"""For each element: square, mean of squares, division by its root, scale."""

GELU_OPS = 9
"""For each element x: 0.5 x (1 + tanh(c (x + 0.044715 x^3))), the form of GPT-2 and GPT-3."""

SILU_OPS = 4
"""For each element x: x / (1 + exp(-x)): negation, exponential, sum, division."""

ROTARY_OPS = 3
"""For each element: itself times a cosine, its partner times a sine, their sum; the angles come from a table."""


def same_shapes(op: Operator) -> tuple[Shape, ...]:
    """Both inputs have one shape; so has the result."""
    left, right = (tensor.shape for tensor in op.inputs)
    require(left == right, f"shapes {left} and {right} differ; both inputs must have the same shape")
    return (left,)


def norm_shapes(op: Operator) -> tuple[Shape, ...]:
    """Normalises the last axis of x [..., width] with weights [width]."""
    x = op.inputs[0].shape
    for weight in op.weights:
        require(weight.shape == x[-1:], f"weight {weight.shape} does not fit input {x}; it must be {x[-1:]}")
    return (x,)


def rotary_shapes(op: Operator) -> tuple[Shape, ...]:
    """Heads side by side, x [tokens, heads * head_dim], and positions [tokens]: x. Attribute: `head_dim`, even."""
    x, positions, size = op.inputs[0].shape, op.inputs[1], op.number("head_dim")
    require(size > 0 and size % 2 == 0, f"pairs of elements are rotated; head_dim must be even, not {size}")
    require(len(x) == 2 and x[1] % size == 0, f"input {x} does not divide into heads of {size}")
    require(positions.element == "int32", f"positions must be int32, not {positions.element}")
    require(positions.shape == x[:1], f"positions {positions.shape} do not fit input {x}; they must be {x[:1]}")
    return (x,)


def without_last_axis(op: Operator) -> tuple[Shape, ...]:
    """Reduces the last axis of [..., width]."""
    return (op.inputs[0].shape[:-1],)


def _indices(op: Operator) -> ElementType:
    return "int32"


VECTOR = {
    "add": Kind(2, same_shapes, other_ops=per_element(1)),
    "mul": Kind(2, same_shapes, other_ops=per_element(1)),
    "layer_norm": Kind(1, norm_shapes, other_ops=per_element(LAYER_NORM_OPS)),
    "rms_norm": Kind(1, norm_shapes, other_ops=per_element(RMS_NORM_OPS)),
    "rotary": Kind(2, rotary_shapes, other_ops=per_element(ROTARY_OPS)),
    "gelu": Kind(1, like_input, other_ops=per_element(GELU_OPS)),
    "silu": Kind(1, like_input, other_ops=per_element(SILU_OPS)),
    "argmax": Kind(1, without_last_axis, other_ops=per_element(1), element=_indices),
}
