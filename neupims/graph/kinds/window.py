"""Pooling and interpolation over the axes of space of [batch, channels, *space]."""

from math import prod

from neupims.graph.kinds.base import Kind, require
from neupims.graph.operator import Operator
from neupims.graph.tensor import Shape

INTERPOLATION_OPS = {"nearest": 0, "linear": 3, "bilinear": 7, "bicubic": 31, "trilinear": 15}
"""For each result: products with the weights of its 1, 2, 4, 16 or 8 neighbours, and their sum."""


def pooled(op: Operator) -> tuple[Shape, ...]:
    """[batch, channels, *(space + 2 padding - kernel) / stride + 1], rounded up with attribute `ceil`."""
    x = op.inputs[0].shape
    numbers = [op.numbers(name) for name in ("kernel", "stride", "padding")]
    require(len(x) >= 3, f"input {x} must be [batch, channels, *space]")
    require(all(len(given) == len(x) - 2 for given in numbers), f"kernel, stride and padding must fit input {x}")
    reach = [size + 2 * pad - k for size, k, pad in zip(x[2:], numbers[0], numbers[2], strict=True)]
    require(min(reach) >= 0, f"kernel {numbers[0]} is larger than the padded input {x}")
    up = bool(dict(op.attributes).get("ceil", False))
    space = [-(-size // stride) if up else size // stride for size, stride in zip(reach, numbers[1], strict=True)]
    return ((*x[:2], *(size + 1 for size in space)),)


def per_window(op: Operator) -> int:
    """One operation for each element of each window."""
    return op.outputs[0].elements * prod(op.numbers("kernel"))


def resized(op: Operator) -> tuple[Shape, ...]:
    """[batch, channels, *size]. Attributes: `size`, and `mode`, a key of INTERPOLATION_OPS."""
    x, size = op.inputs[0].shape, op.numbers("size")
    require(len(x) == len(size) + 2, f"size {size} must have one number for each axis of space of {x}")
    mode = dict(op.attributes)["mode"]
    require(mode in INTERPOLATION_OPS, f"mode {mode} is unknown; modes: {', '.join(INTERPOLATION_OPS)}")
    return ((*x[:2], *size),)


def interpolation(op: Operator) -> int:
    """Operations of the mode for each result."""
    return op.outputs[0].elements * INTERPOLATION_OPS[str(dict(op.attributes)["mode"])]


WINDOW: dict[str, Kind] = {
    "avg_pool": Kind(1, pooled, other_ops=per_window),
    "max_pool": Kind(1, pooled, other_ops=per_window),
    "interpolate": Kind(1, resized, other_ops=interpolation),
}
