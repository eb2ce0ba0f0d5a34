"""ONNX operators that take, place and reorder elements."""

from math import prod

import numpy as np

from neupims.graph.importers.assembly import Assembler, broadcast_to
from neupims.graph.importers.onnx_node import Node, Results
from neupims.graph.operator import Attribute


def reshape(net: Assembler, node: Node) -> Results:
    """The same elements in another shape; 0 keeps a size."""
    x, shape = node.value(net, 0), node.integers(1)
    sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape or ())]
    return [net.reshape(x, *sizes)]


def flatten(net: Assembler, node: Node) -> Results:
    """A matrix of all elements."""
    x, axis = node.value(net, 0), int(node.attributes.get("axis", 1))
    return [net.reshape(x, prod(x.shape[:axis]), -1)]


def squeeze(net: Assembler, node: Node) -> Results:
    """Axes of one element fall away."""
    x, axes = node.value(net, 0), node.integers(1, "axes")
    gone = [axis % len(x.shape) for axis in axes] if axes else [i for i, size in enumerate(x.shape) if size == 1]
    return [net.reshape(x, *(size for axis, size in enumerate(x.shape) if axis not in gone))]


def unsqueeze(net: Assembler, node: Node) -> Results:
    """More axes of one element."""
    x, axes = node.value(net, 0), node.integers(1, "axes") or ()
    shape = list(x.shape)
    for axis in sorted(axis % (len(x.shape) + len(axes)) for axis in axes):
        shape.insert(axis, 1)
    return [net.reshape(x, *shape)]


def transpose(net: Assembler, node: Node) -> Results:
    """The axes in another order."""
    x = node.value(net, 0)
    return [net.permute(x, *node.attributes.get("perm", range(len(x.shape))[::-1]))]


def slice(net: Assembler, node: Node) -> Results:
    """Parts of some axes."""
    x = node.value(net, 0)
    starts, ends = node.integers(1, "starts") or (), node.integers(2, "ends") or ()
    axes, steps = node.integers(3, "axes") or range(len(starts)), node.integers(4) or (1,) * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        x = net.sliced(x, axis, start, end, step)
    return [x]


def split(net: Assembler, node: Node) -> Results:
    """Parts that cover an axis."""
    x, axis = node.value(net, 0), int(node.attributes.get("axis", 0))
    sizes = node.integers(1, "split") or (-(-x.shape[axis] // node.outputs),) * node.outputs
    return net.split_at(x, *sizes, axis=axis)


def concat(net: Assembler, node: Node) -> Results:
    """Side by side along an axis."""
    values = [node.value(net, index) for index in range(len(node.inputs))]
    return [net.concat(*values, axis=int(node.attributes["axis"]))]


def expand(net: Assembler, node: Node) -> Results:
    """Repeated to a shape."""
    x, shape = node.value(net, 0), node.integers(1) or ()
    return [broadcast_to(net, x, (1,) * (len(x.shape) - len(shape)) + shape)]


def tile(net: Assembler, node: Node) -> Results:
    """Repeated some times along each axis."""
    x, times = node.value(net, 0), node.integers(1) or ()
    return [net.expand(x, *(size * count for size, count in zip(x.shape, times, strict=True)))]


def pad(net: Assembler, node: Node) -> Results:
    """More elements before and behind."""
    x, pads = node.value(net, 0), node.integers(1, "pads") or ()
    axes = node.integers(3) or range(len(x.shape))
    for axis, before, after in zip(axes, pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True):
        x = net.pad(x, before, after, axis=axis) if before or after else x
    return [x]


def gather_elements(net: Assembler, node: Node) -> Results:
    """Places of an axis, of its own for each of the others."""
    x, indices = node.value(net, 0), node.value(net, 1)
    axis = int(node.attributes.get("axis", 0)) % len(x.shape)
    attributes: dict[str, Attribute] = {"axis": axis, "shape": (indices.shape[axis],)}
    return [net.apply("gather", net.named(None, "gather"), (x, indices), attributes=attributes)]


def gather(net: Assembler, node: Node) -> Results:
    """Places of an axis."""
    axis, indices = int(node.attributes.get("axis", 0)), node.inputs[1]
    x = node.value(net, 0)
    if isinstance(indices, np.ndarray) and indices.ndim == 0:
        place = int(indices) % x.shape[axis]
        return [net.dropped(net.sliced(x, axis, place, place + 1), axis)]
    return [net.looked_up(x, axis, node.value(net, 1))]
