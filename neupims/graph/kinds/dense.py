"""Products of activations with weights."""

from neupims.graph.kinds.base import Kind, require
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape


def linear_shapes(op: Operator) -> tuple[Shape, ...]:
    """x [..., in] times weight [in, out], plus bias [out] if there is one: [..., out]."""
    x, weight = op.inputs[0].shape, op.weights[0].shape
    require(len(weight) == 2, f"a weight has two axes, [in, out], not shape {weight}")
    require(
        len(x) >= 1 and x[-1] == weight[0],
        f"input {x} does not fit weight {weight}; the last axis of the input must be {weight[0]}",
    )
    for bias in op.weights[1:]:
        require(bias.shape == weight[1:], f"bias {bias.shape} does not fit weight {weight}; it must be {weight[1:]}")
    return ((*x[:-1], weight[1]),)


def linear_macs(op: Operator) -> int:
    """Rows times in times out."""
    return op.inputs[0].elements * op.weights[0].shape[1]


def bias_additions(op: Operator) -> int:
    """One addition for each result if there is a bias."""
    return op.outputs[0].elements if len(op.weights) > 1 else 0


DENSE = {"linear": Kind(1, linear_shapes, macs=linear_macs, other_ops=bias_additions)}
