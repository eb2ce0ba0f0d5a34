"""Element-wise work, norms and reductions."""

from neupims.graph.kinds.base import Kind, like_input, per_element, require
from neupims.graph.operator import Operator
from neupims.graph.tensor import ElementType, Shape

LAYER_NORM_OPS = 7
"""For each element: mean, subtraction, square, variance, division by the deviation, scale, shift."""

GELU_OPS = 9
"""For each element x: 0.5 x (1 + tanh(c (x + 0.044715 x^3))), the form of GPT-2 and GPT-3."""


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


def without_last_axis(op: Operator) -> tuple[Shape, ...]:
    """Reduces the last axis of [..., width]."""
    return (op.inputs[0].shape[:-1],)


def _indices(op: Operator) -> ElementType:
    return "int32"


VECTOR = {
    "add": Kind(2, same_shapes, other_ops=per_element(1)),
    "layer_norm": Kind(1, norm_shapes, other_ops=per_element(LAYER_NORM_OPS)),
    "gelu": Kind(1, like_input, other_ops=per_element(GELU_OPS)),
    "argmax": Kind(1, without_last_axis, other_ops=per_element(1), element=_indices),
}
