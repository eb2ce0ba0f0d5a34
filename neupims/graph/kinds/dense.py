"""Products of activations with weights, and of activations with each other."""

from math import prod

from neupims.graph.kinds.base import Kind, Product, broadcast, require
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


def linear_products(op: Operator) -> tuple[Product, ...]:
    """One product of all rows."""
    inner, outputs = op.weights[0].shape
    return (Product(1, op.inputs[0].elements // inner, inner, outputs),)


def bias_additions(op: Operator) -> int:
    """One addition for each result if there is a bias."""
    return op.outputs[0].elements if len(op.weights) > 1 else 0


def matmul_shapes(op: Operator) -> tuple[Shape, ...]:
    """a [..., m, k] times b [..., k, n], batch axes as in numpy: [..., m, n]; b may be a weight or a constant."""
    a, b = _operands(op)
    require(len(a) >= 2 and len(b) >= 2, f"both operands need two axes at least, not shapes {a} and {b}")
    depth = b[len(b) - 2]
    require(a[len(a) - 1] == depth, f"{a} and {b} do not fit; the last axis of the first must be {depth}")
    return ((*broadcast(a[:-2], b[:-2]), *a[-2:-1], *b[-1:]),)


def matmul_products(op: Operator) -> tuple[Product, ...]:
    """One product for each of the batch axes; those that share b are one."""
    (a, b), result = _operands(op), op.outputs[0].shape
    if prod(b[:-2]) == 1:
        return (Product(1, prod(result[:-1]), a[-1], b[-1]),)
    return (Product(prod(result[:-2]), a[-2], a[-1], b[-1]),)


def expert_shapes(op: Operator) -> tuple[Shape, ...]:
    """x [rows, in], sorted by expert, times weight [experts, in, out], plus bias [experts, out]: [rows, out].

    Attribute: `rows`, how many rows each expert gets.
    """
    x, weight, rows = op.inputs[0].shape, op.weights[0].shape, op.numbers("rows")
    require(len(weight) == 3, f"a weight of experts has three axes, [experts, in, out], not shape {weight}")
    require(len(rows) == weight[0], f"there are rows for {len(rows)} experts, not for {weight[0]}")
    expected = (sum(rows), weight[1])
    require(x == expected, f"input {x} does not fit the rows of the experts; it must be {expected}")
    for bias in op.weights[1:]:
        fitting = (weight[0], weight[2])
        require(bias.shape == fitting, f"bias {bias.shape} does not fit weight {weight}; it must be {fitting}")
    return ((x[0], weight[2]),)


def expert_products(op: Operator) -> tuple[Product, ...]:
    """One product for each expert that has rows."""
    _, inner, outputs = op.weights[0].shape
    return tuple(Product(1, rows, inner, outputs) for rows in op.numbers("rows") if rows)


def active_experts(op: Operator) -> int:
    """Bytes of the input and of the weights of the experts that have rows."""
    active, experts = sum(rows > 0 for rows in op.numbers("rows")), op.weights[0].shape[0]
    return op.inputs[0].bytes + sum(weight.bytes // experts * active for weight in op.weights)


def _operands(op: Operator) -> tuple[Shape, Shape]:
    shapes = [tensor.shape for tensor in (*op.inputs, *op.states, *op.weights)]
    require(len(shapes) == 2, f"takes two operands, not {len(shapes)}")
    return shapes[0], shapes[1]


DENSE = {
    "linear": Kind(1, linear_shapes, products=linear_products, other_ops=bias_additions),
    "matmul": Kind(None, matmul_shapes, products=matmul_products),
    "expert_linear": Kind(1, expert_shapes, products=expert_products, other_ops=bias_additions, read=active_experts),
}
