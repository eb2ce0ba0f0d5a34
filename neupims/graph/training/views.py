"""Views of tensors, as the vocabulary makes them of values."""

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from neupims.graph.tensor import Part, Shape, Tensor


def root(tensor: Tensor) -> str:
    """Name of the tensor whose memory this is."""
    return tensor.base or tensor.name


def view(tensor: Tensor, suffix: str, shape: Shape) -> Tensor:
    """The same memory seen otherwise."""
    return replace(tensor, name=tensor.name + suffix, shape=shape, base=root(tensor))


def reshaped(tensor: Tensor, shape: Shape) -> Tensor:
    """The same elements in another shape, or the tensor itself if it has that shape."""
    return tensor if tensor.shape == shape else view(tensor, f"({','.join(map(str, shape))})", shape)


def rows(tensor: Tensor) -> Tensor:
    """[..., width] as [rows, width]."""
    return reshaped(tensor, (prod(tensor.shape[:-1]), tensor.shape[-1]))


def turned(tensor: Tensor) -> Tensor:
    """The last two axes in the other order."""
    *outer, m, n = tensor.shape
    return view(tensor, "^T", (*outer, n, m))


def sliced(tensor: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """Elements start to stop - 1 of an axis, or the tensor itself if these are all."""
    shape = tensor.shape
    if (start, stop) == (0, shape[axis]):
        return tensor
    place = "" if axis == len(shape) - 1 else f"{axis}:"
    return view(tensor, f"[{place}{start}:{stop}]", (*shape[:axis], stop - start, *shape[axis + 1 :]))


def part_of(tensor: Tensor, part: Part) -> Tensor:
    """What training changes of a weight, or the same part of its gradient."""
    return sliced(tensor, part.axis, part.start, part.stop)


def kept_of(found: Iterable[Tensor], bases: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What must stay of tensors that are read, some of them as views: each once, slices alone if they are less."""
    slices: dict[str, dict[str, Tensor]] = {}
    for tensor in found:
        if root(tensor) in bases:
            slices.setdefault(root(tensor), {})[tensor.name] = tensor
    return tuple(tensor for name, views in slices.items() for tensor in _least(bases[name], views))


def _least(base: Tensor, views: dict[str, Tensor]) -> tuple[Tensor, ...]:
    less = sum(tensor.elements for tensor in views.values()) < base.elements
    return tuple(views.values()) if less else (base,)
