"""Transforms, linear algebra and message passing."""

from math import ceil, log2

from neupims.graph.kinds.base import Kind, require, results
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape


def fft_shapes(op: Operator) -> tuple[Shape, ...]:
    """A transform of the last axis: complex as [..., n, 2]; real input [..., n] gives [..., n / 2 + 1, 2].

    Attributes: `real`, `inverse`, `size` n.
    """
    x, attributes, n = op.inputs[0].shape, dict(op.attributes), op.number("size")
    if not attributes.get("real"):
        require(x[-2:] == (n, 2), f"input {x} must be complex, [..., {n}, 2]")
        return (x,)
    if attributes.get("inverse"):
        require(x[-2:] == (n // 2 + 1, 2), f"input {x} must be [..., {n // 2 + 1}, 2]")
        return ((*x[:-2], n),)
    require(x[-1:] == (n,), f"input {x} must be [..., {n}]")
    return ((*x[:-1], n // 2 + 1, 2),)


def fft_ops(op: Operator) -> int:
    """5 n log2 n for each complex transform (radix 2, as FFT benchmarks count), half of it for a real one."""
    x, n, real = op.inputs[0], op.number("size"), bool(dict(op.attributes).get("real"))
    elements = op.outputs[0].elements if dict(op.attributes).get("inverse") and real else x.elements
    transforms = elements // (n if real else 2 * n)
    return transforms * (5 * n * max(1, ceil(log2(n)))) // (2 if real else 1)


def square_shapes(op: Operator) -> tuple[Shape, ...]:
    """A symmetric matrix [..., n, n]: its factor, as large."""
    x = op.inputs[0].shape
    require(len(x) >= 2 and x[-1] == x[-2], f"input {x} must be a square matrix, [..., n, n]")
    return (x,)


def cholesky_ops(op: Operator) -> int:
    """n^3 / 3 for each matrix (Golub and Van Loan, section 4.2)."""
    return op.inputs[0].elements * op.inputs[0].shape[-1] // 3


def eigen_ops(op: Operator) -> int:
    """9 n^3 for values and vectors of a symmetric matrix (Golub and Van Loan, section 8.3)."""
    return 9 * op.inputs[0].elements * op.inputs[0].shape[-1]


def values_shapes(op: Operator) -> tuple[Shape, ...]:
    """A symmetric matrix [..., n, n]: its eigenvalues [..., n]."""
    return tuple(shape[:-1] for shape in square_shapes(op))


def values_ops(op: Operator) -> int:
    """4 n^3 / 3 for values alone: the reduction to a tridiagonal matrix (Golub and Van Loan, section 8.3)."""
    return 4 * op.inputs[0].elements * op.inputs[0].shape[-1] // 3


def solve_shapes(op: Operator) -> tuple[Shape, ...]:
    """A triangular matrix [..., n, n] and right sides [..., n, k]: solutions as the right sides."""
    matrix, sides = (tensor.shape for tensor in op.inputs)
    require(matrix[-1] == matrix[-2], f"matrix {matrix} must be square, [..., n, n]")
    require(sides[-2] == matrix[-1], f"right sides {sides} must have {matrix[-1]} rows")
    return (sides,)


def solve_ops(op: Operator) -> int:
    """n^2 for each right side (Golub and Van Loan, section 3.1)."""
    return op.inputs[1].elements * op.inputs[0].shape[-1]


def message_shapes(op: Operator) -> tuple[Shape, ...]:
    """Features [nodes, width] summed over edges [2, edges], with weights [edges] or [edges, heads] if given.

    Attribute: `nodes` that receive.
    """
    x, edges = op.inputs[0].shape, op.inputs[1]
    require(len(edges.shape) == 2 and edges.shape[0] == 2, f"edges {edges.shape} must be [2, edges]")
    require(edges.element == "int32", f"edges must be int32, not {edges.element}")
    for weights in op.inputs[2:]:
        require(weights.shape[0] == edges.shape[1], f"weights {weights.shape} must have one row for each edge")
    return ((op.number("nodes"), *x[1:]),)


def message_ops(op: Operator) -> int:
    """For each edge the width of a feature twice: its product with a weight, if there are any, and its sum."""
    return op.inputs[1].shape[1] * (op.inputs[0].elements // op.inputs[0].shape[0]) * (1 + (len(op.inputs) > 2))


def message_bytes(op: Operator) -> int:
    """For each edge its ends, its weights, and the feature of its source."""
    width = op.inputs[0].bytes // op.inputs[0].shape[0]
    return sum(tensor.bytes for tensor in op.inputs[1:]) + op.inputs[1].shape[1] * width


NUMERIC = {
    "fft": Kind(1, fft_shapes, other_ops=fft_ops),
    "cholesky": Kind(1, square_shapes, other_ops=cholesky_ops),
    "eigen": Kind(1, square_shapes, other_ops=eigen_ops),
    "eigenvalues": Kind(1, values_shapes, other_ops=values_ops),
    "triangular_solve": Kind(2, solve_shapes, other_ops=solve_ops),
    "message_passing": Kind(None, message_shapes, other_ops=message_ops, read=message_bytes, written=results),
}
