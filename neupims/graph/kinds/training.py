"""Losses, gradients that are no operators of the forward pass, and optimizers."""

from math import prod

from neupims.graph.kinds.attention import SOFTMAX_OPS, logit_products
from neupims.graph.kinds.base import Kind, Product, per_element, require, results
from neupims.graph.kinds.convolution import causal_macs
from neupims.graph.kinds.gradients import gradient_ops
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape

CROSS_ENTROPY_OPS = SOFTMAX_OPS + 2
"""For each logit: its softmax, minus one at the target, divided by the number of rows."""

SQUARED_ERROR_OPS = 4
"""For each result: difference, square, sum, and twice the difference over their number."""

SELECTIVE_GRADIENT_OPS = 25
"""For each channel and state of a token: states again (6), gradient of the state (3), of C (2), of its decay (2), of
delta through decay and input (5), of A (2), of B (2) and of x (3), by the chain rule on algorithm 2 of Gu and Dao."""

OPTIMIZER_OPS = {"adamw": 17, "adam": 14, "momentum": 4, "sgd": 2}
"""For each element. adamw: first moment 3, second moment 4, two bias corrections, root, epsilon, division, rate, decay
2, schedule, difference (algorithm 2 of Loshchilov and Hutter 2019); adam: the same without decay and schedule
(algorithm 1 of Kingma and Ba 2015); momentum: v = m v + g, w - r v; sgd: w - r g."""

MOMENTS = {"adamw": 2, "adam": 2, "momentum": 1, "sgd": 0}
"""States as large as what is trained."""


def loss_shapes(op: Operator) -> tuple[Shape, ...]:
    """Results and their targets: the loss [1], and its gradient as the results.

    Targets of a cross-entropy are indices, one for each row of logits; of a squared error, as the results.
    """
    results, targets = op.inputs
    expected = results.shape[:-1] if op.kind == "cross_entropy" else results.shape
    require(targets.shape == expected, f"targets {targets.shape} do not fit {results.shape}; they must be {expected}")
    return ((1,), results.shape)


def named_shape(op: Operator) -> tuple[Shape, ...]:
    """Attribute `shape`."""
    return (op.numbers("shape"),)


def assembled(op: Operator) -> tuple[Shape, ...]:
    """Parts of a tensor put in their place, added where they overlap, zero elsewhere. Attribute: its `shape`."""
    require(all(part.elements <= prod(op.numbers("shape")) for part in op.inputs), "a part is larger than the whole")
    return named_shape(op)


def input_gradient_products(op: Operator) -> tuple[Product, ...]:
    """Of a convolution, [rows, out] times [out, in kernel]; of a transposed one, [rows, out kernel] times [out, in].

    Inputs: gradient of the result; weight. Attributes: those of the convolution, `shape` of its input, `transposed`.
    """
    dy, weight, groups = op.inputs[0].shape, op.weights[0].shape, op.number("groups")
    if op.number("transposed"):
        x = op.numbers("shape")
        return (Product(groups, x[0] * prod(x[2:]), prod(weight[1:]), weight[0] // groups),)
    return (Product(groups, dy[0] * prod(dy[2:]), weight[0] // groups, prod(weight[1:])),)


def weight_gradient_products(op: Operator) -> tuple[Product, ...]:
    """Of a convolution, [in kernel, rows] times [rows, out]; of a transposed one, [in, rows] times [rows, out kernel].

    Inputs: input; gradient of the result. Attributes: those of the convolution, `shape` of its weight, `transposed`.
    """
    x, dy = (tensor.shape for tensor in op.inputs)
    weight, groups = op.numbers("shape"), op.number("groups")
    if op.number("transposed"):
        return (Product(groups, weight[0] // groups, x[0] * prod(x[2:]), prod(weight[1:])),)
    return (Product(groups, prod(weight[1:]), dy[0] * prod(dy[2:]), weight[0] // groups),)


def causal_gradient_shapes(op: Operator) -> tuple[Shape, ...]:
    """Gradient of the result, then weight or, for the gradient of the weight, input: attribute `shape`."""
    return named_shape(op)


def causal_gradient_macs(op: Operator) -> int:
    """Each input once for each tap, as in the forward pass."""
    return causal_macs(op) if op.weights else op.inputs[0].elements * op.numbers("shape")[1]


def expert_gradient_shapes(op: Operator) -> tuple[Shape, ...]:
    """Input [rows, in] and gradient of the result [rows, out], sorted by expert: [experts, in, out]."""
    x, dy = (tensor.shape for tensor in op.inputs)
    return ((len(op.numbers("rows")), x[-1], dy[-1]),)


def expert_gradient_products(op: Operator) -> tuple[Product, ...]:
    """One product for each expert that has rows. Attribute: `rows` of each."""
    _, inner, outputs = op.outputs[0].shape
    return tuple(Product(1, inner, rows, outputs) for rows in op.numbers("rows") if rows)


def selective_gradient_shapes(op: Operator) -> tuple[Shape, ...]:
    """x, delta, B, C, gradient of the result; A, D: gradients of the four inputs and the two weights."""
    require(op.inputs[4].shape == op.inputs[0].shape, "the gradient of the result must be as the input")
    return (*(tensor.shape for tensor in op.inputs[:4]), *(tensor.shape for tensor in op.weights))


def selective_gradient_ops(op: Operator) -> int:
    """SELECTIVE_GRADIENT_OPS for each channel and state of each token, and 4 for each skip."""
    return op.inputs[0].elements * (SELECTIVE_GRADIENT_OPS * op.weights[0].shape[1] + 4)


def edge_ops(op: Operator) -> int:
    """For each edge, the features of its source times the gradient of its target, summed."""
    return 2 * op.inputs[2].shape[1] * (op.inputs[1].elements // op.inputs[1].shape[0])


def edge_bytes(op: Operator) -> int:
    """For each edge its ends, the features of one and the gradient of the other."""
    edges = op.inputs[2].shape[1]
    return op.inputs[2].bytes + sum(edges * (tensor.bytes // tensor.shape[0]) for tensor in op.inputs[:2])


def updated(op: Operator) -> tuple[Shape, ...]:
    """A gradient, a weight of its shape, moments as states: the weight after the step."""
    gradient, weight = op.inputs[0].shape, op.weights[0].shape
    require(gradient == weight, f"gradient {gradient} does not fit weight {weight}")
    require(all(state.shape == weight for state in op.states), f"moments must be {weight} as the weight")
    require(len(op.states) == MOMENTS[op.kind], f"takes {MOMENTS[op.kind]} moments, not {len(op.states)}")
    return (weight,)


def written_with_moments(op: Operator) -> int:
    """Bytes of the weight and of its moments."""
    return results(op) + sum(state.bytes for state in op.states)


def moved_parts(op: Operator) -> int:
    """Elements of all parts."""
    return sum(part.elements for part in op.inputs)


def _optimizer(operations: int) -> Kind:
    return Kind(1, updated, other_ops=per_element(operations), written=written_with_moments, spare=True)


TRAINING = {
    "cross_entropy": Kind(2, loss_shapes, other_ops=per_element(CROSS_ENTROPY_OPS)),
    "squared_error": Kind(2, loss_shapes, other_ops=per_element(SQUARED_ERROR_OPS)),
    "gradient": Kind(None, named_shape, other_ops=gradient_ops),
    "sum_to": Kind(1, named_shape, other_ops=per_element(1)),
    "assemble": Kind(None, assembled, other_ops=moved_parts),
    "conv_input_gradient": Kind(1, named_shape, products=input_gradient_products),
    "conv_weight_gradient": Kind(2, named_shape, products=weight_gradient_products),
    "causal_conv_gradient": Kind(None, causal_gradient_shapes, macs=causal_gradient_macs),
    "attention_gradient": Kind(2, named_shape, products=logit_products),
    "expert_gradient": Kind(2, expert_gradient_shapes, products=expert_gradient_products),
    "edge_gradient": Kind(3, named_shape, other_ops=edge_ops, read=edge_bytes),
    "selective_scan_gradient": Kind(5, selective_gradient_shapes, other_ops=selective_gradient_ops, spare=True),
    **{name: _optimizer(operations) for name, operations in OPTIMIZER_OPS.items()},
}
