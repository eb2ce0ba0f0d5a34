"""A graph while it is being recorded: regions of operators, one for each trace of a repeated body.

A repeated body is traced twice. Both traces must record the same operators; what the second reads where the first
read something else is what one repetition carries on to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from neupims.graph.operator import Operator
from neupims.graph.tensor import Part, Shape, Tensor


class Net(Protocol):
    """What values need of the tracer."""

    def add(self, x: Value, y: Operand) -> Value:
        """Sum, element by element."""
        ...

    def sub(self, x: Value, y: Operand) -> Value:
        """Difference, element by element."""
        ...

    def mul(self, x: Value, y: Operand) -> Value:
        """Product, element by element."""
        ...

    def div(self, x: Value, y: Operand) -> Value:
        """Quotient, element by element."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What an architecture passes from operator to operator: a tensor while it is being traced."""

    tensor: Tensor
    """Its name is unique in its region."""
    region: Region = field(repr=False)
    sources: tuple[Value, ...] = field(default=(), repr=False)
    """What it was computed from."""

    def __add__(self, other: Operand) -> Value:
        return self.region.net.add(self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.region.net.sub(self, other)

    def __mul__(self, other: Operand) -> Value:
        return self.region.net.mul(self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.region.net.div(self, other)

    @property
    def shape(self) -> Shape:
        """Axes; tokens of all requests, or the samples of the batch, come first."""
        return self.tensor.shape

    @property
    def width(self) -> int:
        """Size of the last axis."""
        return self.tensor.shape[-1]

    @property
    def key(self) -> tuple[int, str]:
        """Equal for values that are one tensor."""
        return (id(self.region), self.tensor.name)


Operand = Value | float
"""A value, or a number that each of its elements meets."""


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One operand of one operator."""

    value: Value


@dataclass(frozen=True, slots=True)
class Draft:
    """An operator as traced; its inputs and weights are taken from the uses in the end."""

    op: Operator
    inputs: tuple[Use, ...]
    weights: tuple[Use, ...]
    where: str
    """File and line of the call."""


@dataclass(slots=True)
class Repeat:
    """A repeated body as traced: twice if it repeats at all."""

    name: str
    count: int
    first: int
    where: str
    traces: list[Region] = field(default_factory=list["Region"])
    outputs: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Tensors of the body that are read outside."""

    @property
    def body(self) -> Region:
        """The trace that is kept."""
        return self.traces[0]

    @property
    def last(self) -> str:
        """What stands before the names of the last repetition."""
        return f"{self.name}{self.first + self.count - 1}."


@dataclass(slots=True, eq=False)
class Region:
    """What has been recorded of the whole graph outside of repeats, or of one trace of a repeated body."""

    net: Net = field(repr=False)
    parent: Region | None = field(default=None, repr=False)
    repeat: Repeat | None = field(default=None, repr=False)
    """The repeat of which this is a trace."""
    items: list[Draft | Repeat] = field(default_factory=list["Draft | Repeat"])
    tensors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Inputs, weights, states and results that came into being here."""
    scopes: list[str] = field(default_factory=list[str])
    trained: dict[str, Part] = field(default_factory=dict[str, Part])
    """What training changes, by the name of its weight."""
