"""What importers of graphs of operators share: a tracer whose names are paths, words on given weights, and folding."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import Any

from neupims.errors import ModelError
from neupims.graph.folding.fold import fold
from neupims.graph.graph import Graph
from neupims.graph.model import Model
from neupims.graph.operator import Attribute
from neupims.graph.sequences import PHASES, Phase
from neupims.graph.tensor import Shape
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value

Given = Value | float
"""A value, or a number."""


class Assembler(Tracer):
    """A tracer that names operators by the path of the node that is being translated."""

    path: str = ""

    def named(self, name: str | None, kind: str) -> str:
        """The path with a name or kind behind it, numbered if there is one already."""
        full = ".".join(part for part in (self.path, name or kind) if part)
        numbered, index = full, 1
        while numbered in self.region.tensors:
            index += 1
            numbered = f"{full}_{index}"
        return numbered

    def error(self, kind: str, name: str, problem: str) -> ModelError:
        """An error about a node; the importer puts the file before it."""
        return ModelError(f"{kind} '{name}': {problem}")

    def any_binary(self, kind: str, *operands: Given) -> Value:
        """An operator of two operands or more, which may be numbers."""
        values = [operand for operand in operands if isinstance(operand, Value)]
        numbers = [operand for operand in operands if not isinstance(operand, Value)]
        inputs = [value for value in values if value.tensor.role == "activation"] or values
        attributes: dict[str, Attribute] = {"by": float(numbers[0])} if numbers else {}
        attributes |= {"residual": False} if kind == "add" and not numbers else {}
        weights = [value for value in values if value not in inputs]
        return self.apply(kind, self.named(None, kind), inputs, weights=weights, attributes=attributes)

    def product(self, a: Value, b: Value) -> Value:
        """a [..., m, k] times b [..., k, n], of which either may be a weight; vectors are matrices of one row."""
        if len(a.shape) == 1:
            return self.dropped(self.product(self.reshape(a, 1, -1), b), -2)
        if len(b.shape) == 1:
            return self.dropped(self.product(a, self.reshape(b, -1, 1)), -1)
        if b.tensor.role in ("weight", "constant") and len(b.shape) == 2:
            return self.linear_with(a, b)
        if a.tensor.role in ("weight", "constant"):
            return self.turned(self.product(self.turned(b), self.turned(a)))
        return self.matmul(a, b)

    def turned(self, x: Value) -> Value:
        """The last two axes in the other order."""
        axes = list(range(len(x.shape)))
        return self.permute(x, *axes[:-2], axes[-1], axes[-2])

    def dropped(self, x: Value, axis: int) -> Value:
        """x without an axis of one element."""
        axis %= len(x.shape)
        return self.reshape(x, *x.shape[:axis], *x.shape[axis + 1 :])

    def reduced(self, kind: str, x: Value, axes: Iterable[int], keep: bool) -> Value:
        """sum, mean, max, min or variance over some axes, as over one that has the elements of all of them."""
        gone = sorted({axis % len(x.shape) for axis in axes}) or list(range(len(x.shape)))
        rest = [axis for axis in range(len(x.shape)) if axis not in gone]
        kept = [x.shape[axis] for axis in rest]
        flat = self.reshape(self.permute(x, *rest, *gone), *kept, prod(x.shape[axis] for axis in gone))
        result = self.reduce(kind, flat)
        shape = [1 if axis in gone else size for axis, size in enumerate(x.shape)] if keep else kept
        return self.reshape(result, *shape)

    def convolved(
        self, x: Value, weights: Sequence[Value], pads: Sequence[int], window: Mapping[str, Attribute]
    ) -> Value:
        """A convolution with given weights; `pads` of all axes, before and then after, may differ."""
        return self._over_windows("conv", x, weights, pads, window)

    def pooled(self, kind: str, x: Value, pads: Sequence[int], window: Mapping[str, Attribute]) -> Value:
        """Mean or greatest element of each window."""
        return self._over_windows(kind, x, (), pads, window)

    def sliced(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Some elements of an axis, as numpy counts them."""
        size = x.shape[axis]
        chosen = range(size)[start:stop:step]
        if len(chosen) == size and step == 1:
            return x
        axis %= len(x.shape)
        if not chosen:
            raise self.error("slice", x.tensor.name, f"axis {axis} of {x.shape} has no part [{start}:{stop}:{step}]")
        shape = (*x.shape[:axis], len(chosen), *x.shape[axis + 1 :])
        return self.view(x, f"[{axis}:{chosen.start}:{chosen.stop}:{step}]", shape)

    def looked_up(self, x: Value, axis: int, indices: Value) -> Value:
        """Places of an axis: a lookup if x is a table of weights."""
        if x.tensor.role in ("weight", "constant") and len(x.shape) == 2 and axis % 2 == 0:
            return self.embedding(indices, x)
        return self.gather(x, indices, axis=axis)

    def _over_windows(
        self, kind: str, x: Value, weights: Sequence[Value], pads: Sequence[int], window: Mapping[str, Attribute]
    ) -> Value:
        before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
        for axis, (first, last) in enumerate(zip(before, after, strict=True)):
            x = x if first == last else self.pad(x, first, last, axis=axis + 2)
        both = tuple(first if first == last else 0 for first, last in zip(before, after, strict=True))
        attributes = {**window, "padding": both}
        return self.apply(kind, self.named(None, kind), (x,), weights=weights, attributes=attributes)


@dataclass(frozen=True)
class ImportedModel(Model):
    """A model that was a graph of operators; equal stretches of them are blocks."""

    def _traced(self, lengths: Iterable[int], phase: Phase) -> Graph:
        net = Assembler(PHASES[phase](lengths), "fp32")
        self.architecture.describe(net, self.config)
        return fold(net.finish(self.name))


def path_of(name: str) -> str:
    """A path of a node in lower-case words with dots between them."""
    words = re.split(r"[./:]+", name.lower())
    return ".".join(re.sub(r"[^a-z0-9_]", "_", word) for word in words if word)


def broadcast_to(net: Assembler, x: Value, shape: Shape) -> Value:
    """x repeated to a shape, for the words that do not broadcast by themselves."""
    whole = net.reshape(x, *(1,) * (len(shape) - len(x.shape)), *x.shape)
    wanted = tuple(max(old, new) for old, new in zip(whole.shape, shape, strict=True))
    return whole if wanted == whole.shape else net.expand(whole, *wanted)


def optional(package: str, extra: str, what: str) -> Any:
    """A package that an extra installs; ModelError that says how to get it."""
    try:
        return import_module(package)
    except ImportError:
        problem = f"needs the package {package}: pip install 'neupims[{extra}]'"
        raise ModelError(f"{what} {problem}") from None
