"""Tensors of an operator graph: a name, a shape, an element type, and what they hold."""

from dataclasses import dataclass
from math import prod
from typing import Literal

Shape = tuple[int, ...]

ElementType = Literal["fp32", "fp16", "bf16", "int32", "int8"]
ELEMENT_BYTES: dict[ElementType, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "int32": 4, "int8": 1}

Role = Literal["activation", "weight", "constant", "kv_cache", "state"]
"""A weight is stationary, and so is a constant, which is no parameter; an activation streams; a KV cache grows by the
new tokens; a state is replaced."""


DETACHED = "(detached)"
"""Ends the name of a view through which no gradient goes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An operand or result of an operator. Its name is unique in its graph or repeated block."""

    name: str
    shape: Shape
    element: ElementType = "fp16"
    role: Role = "activation"
    base: str | None = None
    """Name of the tensor of which this is a view, a slice or a transpose: the same memory, no work."""

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self.elements * ELEMENT_BYTES[self.element]


@dataclass(frozen=True, slots=True)
class Part:
    """What training changes of a weight: elements start to stop - 1 of an axis."""

    weight: str
    axis: int
    start: int
    stop: int
