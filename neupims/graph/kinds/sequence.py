"""Recurrences along a sequence: scans, and the states that they keep."""

from neupims.graph.kinds.base import Kind, per_element, require
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


def with_state(op: Operator) -> int:
    """The result, and the state in its place."""
    return sum(tensor.bytes for tensor in (*op.outputs, *op.states))


SEQUENCE = {
    "scan": Kind(2, scan_shapes, other_ops=per_element(2)),
    "selective_scan": Kind(4, selective_shapes, other_ops=selective_ops, written=with_state),
}
