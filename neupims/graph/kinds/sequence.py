"""Recurrences along a sequence: scans, and the states that they keep."""

from neupims.graph.kinds.base import Kind, like_input, per_element, require
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape

SCAN_MULTIPLIES = 3
"""For each channel and state of a token: A h, (delta B) x and C h, each a product that is summed."""

SELECTIVE_SCAN_OPS = SCAN_MULTIPLIES + 3
"""And delta A, its exponential, delta B (Gu and Dao 2023, algorithm 2)."""


def scan_shapes(op: Operator) -> tuple[Shape, ...]:
    """h[t] = a[t] h[t - 1] + b[t] along an axis, for a and b of one shape: all h. Attribute: `axis`."""
    a, b = (tensor.shape for tensor in op.inputs)
    require(a == b, f"shapes {a} and {b} differ; factors and terms must have the same shape")
    return (a,)


def selective_shapes(op: Operator) -> tuple[Shape, ...]:
    """x, delta [tokens, channels], B, C [tokens, states], A [channels, states], D [channels]: as x.

    State [requests, channels, states]. Attribute: `new` tokens of each request.
    """
    x, delta, b, c = (tensor.shape for tensor in op.inputs)
    rows, channels = op.weights[0].shape, x[-1]
    require(x == delta, f"input {x} and delta {delta} must have the same shape")
    require(b == c and b[0] == x[0], f"B {b} and C {c} must have one shape, [tokens, states] for {x[0]} tokens")
    require(rows == (channels, b[1]), f"A {rows} must be {(channels, b[1])}")
    for state in op.states:
        require(state.shape[1:] == rows, f"state {state.shape} must be [requests, {channels}, {b[1]}]")
    return (x,)


def selective_ops(op: Operator) -> int:
    """SELECTIVE_SCAN_OPS for each channel and state of each token, and a skip of 2 for each channel."""
    return op.inputs[0].elements * (SELECTIVE_SCAN_OPS * op.weights[0].shape[1] + 2)


def dual_shapes(op: Operator) -> tuple[Shape, ...]:
    """x [tokens, heads * size], delta [tokens, heads], B, C [tokens, groups * states]; A and D [heads]: as x.

    State [requests, heads, size, states]. Attributes: `groups` of heads that share B and C; `new`.
    """
    x, delta, b, c = (tensor.shape for tensor in op.inputs)
    heads, groups = delta[-1], op.number("groups")
    divides = x[-1] % heads == 0 and heads % groups == 0
    require(divides, f"input {x} does not divide into {heads} heads in {groups} groups")
    require(b == c and b[0] == x[0] and b[1] % groups == 0, f"B {b} and C {c} must be [{x[0]}, {groups} * states]")
    for weight in op.weights:
        require(weight.shape == (heads,), f"weight {weight.shape} must be {(heads,)}, one for each head")
    expected = (heads, x[-1] // heads, b[1] // groups)
    for state in op.states:
        require(state.shape[1:] == expected, f"state {state.shape} must be [requests, {', '.join(map(str, expected))}]")
    return (x,)


def dual_ops(op: Operator) -> int:
    """SCAN_MULTIPLIES for each channel and state of a token, its skip and delta x, and for each head exp(delta A)."""
    states = op.inputs[2].shape[1] // op.number("groups")
    return op.inputs[0].elements * (SCAN_MULTIPLIES * states + 3) + 2 * op.inputs[1].elements


def wkv_shapes(op: Operator) -> tuple[Shape, ...]:
    """Keys and values [tokens, width], weights of decay and of the new token [width]: as the values.

    State [requests, 3, width]: sums of the values and of their weights, and the greatest exponent.
    """
    k, v = (tensor.shape for tensor in op.inputs)
    require(k == v, f"keys {k} and values {v} must have the same shape")
    for weight in op.weights:
        require(weight.shape == k[1:], f"weight {weight.shape} must be {k[1:]}")
    for state in op.states:
        require(state.shape[1:] == (3, k[1]), f"state {state.shape} must be [requests, 3, {k[1]}]")
    return (k,)


def with_state(op: Operator) -> int:
    """The result, and the state in its place."""
    return sum(tensor.bytes for tensor in (*op.outputs, *op.states))


WKV_OPS = 24
"""For each channel of a token (Peng et al. 2023, appendix D): the result takes a maximum, two exponents of differences
from it, numerator, denominator and their quotient (12); the state the same with decay, but no quotient (12)."""

SEQUENCE = {
    "scan": Kind(2, scan_shapes, other_ops=per_element(2)),
    "selective_scan": Kind(4, selective_shapes, other_ops=selective_ops, written=with_state),
    "dual_scan": Kind(4, dual_shapes, other_ops=dual_ops, written=with_state),
    "wkv": Kind(2, wkv_shapes, other_ops=per_element(WKV_OPS), written=with_state),
    "token_shift": Kind(1, like_input, other_ops=per_element(1), written=with_state),
}
