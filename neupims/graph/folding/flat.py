"""A flat list of operators, and whether stretches of it that look alike are wired alike."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor

OUTSIDE = -1
"""Where inputs, weights and states are made."""

Edge = tuple[str, Hashable]
"""Where an operand comes from, seen from its repetition: `own` weight, `in` it, the one `before`, or `outside`."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """`count` repetitions of `size` operators from `start` on."""

    start: int
    size: int
    count: int

    @property
    def end(self) -> int:
        """The first operator behind it."""
        return self.start + self.size * self.count

    def repetition(self, index: int) -> int:
        """The repetition in which an operator is; negative before the stretch."""
        return (index - self.start) // self.size


@dataclass(frozen=True)
class Flat:
    """Operators in order, and the names of what is wanted of them in the end."""

    operators: Sequence[Operator]
    outputs: Sequence[Tensor]
    kept: Mapping[str, Tensor]
    """Weights and states, by name."""

    @cached_property
    def made(self) -> dict[str, int]:
        """The operator that makes each tensor."""
        return {tensor.name: index for index, op in enumerate(self.operators) for tensor in op.outputs}

    @cached_property
    def read(self) -> dict[str, list[int]]:
        """The operators that read each tensor; an output is read behind the last one."""
        found: dict[str, list[int]] = {}
        for index, op in enumerate(self.operators):
            for tensor in operands(op):
                found.setdefault(root(tensor), []).append(index)
        for tensor in self.outputs:
            found.setdefault(root(tensor), []).append(len(self.operators))
        return found

    @cached_property
    def keys(self) -> list[int]:
        """A number for each operator, the same for operators of one kind, shapes and attributes."""
        numbers: dict[Hashable, int] = {}
        return [numbers.setdefault(_look(op), len(numbers)) for op in self.operators]

    def edge(self, stretch: Stretch, index: int, operand: int) -> Edge:
        """Where an operand of an operator of a stretch comes from."""
        tensor = operands(self.operators[index])[operand]
        here, made = stretch.repetition(index), self.made.get(root(tensor), OUTSIDE)
        if made >= stretch.start:
            offset = (made - stretch.start) % stretch.size
            back = here - stretch.repetition(made)
            return (("in", "before", "long before")[min(back, 2)], (offset, tensor.name[len(root(tensor)) :]))
        readers = self.read[root(tensor)]
        if tensor.role != "activation" and all(stretch.repetition(reader) == here for reader in readers):
            first = readers[0]
            names = [root(other) for other in operands(self.operators[first])]
            return ("own", ((first - stretch.start) % stretch.size, names.index(root(tensor))))
        return ("outside", tensor.name)

    def fitting(self, stretch: Stretch) -> Stretch:
        """The stretch with as many repetitions as are wired alike; one if it must not be folded."""
        count = 1
        while count < stretch.count and self._alike(stretch, count):
            count += 1
        shorter = Stretch(stretch.start, stretch.size, count)
        return Stretch(stretch.start, stretch.size, 1) if self._leaks(shorter) else shorter

    def crossing(self, stretch: Stretch) -> int:
        """Tensors that a repetition hands to the next one."""
        second = range(stretch.start + stretch.size, stretch.start + 2 * stretch.size)
        edges = {self.edge(stretch, index, operand) for index in second for operand in self._operands(index)}
        return sum(where == "before" for where, _ in edges)

    def _alike(self, stretch: Stretch, repetition: int) -> bool:
        """Whether a repetition is wired as the second one, or, if it is the second one, as the first one may be."""
        for offset in range(stretch.size):
            index = stretch.start + repetition * stretch.size + offset
            for operand in self._operands(index):
                edge = self.edge(stretch, index, operand)
                if edge[0] == "long before":
                    return False
                earlier = self.edge(stretch, index - stretch.size, operand)
                begins = repetition == 1 and edge[0] == "before" and earlier[0] == "outside"
                if edge != earlier and not begins:
                    return False
        return True

    def _leaks(self, stretch: Stretch) -> bool:
        """Whether something behind the stretch reads a repetition other than the last one."""
        inner = self.operators[stretch.start : stretch.end - stretch.size]
        readers = (self.read.get(tensor.name, []) for op in inner for tensor in op.outputs)
        return any(found and found[-1] >= stretch.end for found in readers)

    def _operands(self, index: int) -> range:
        return range(len(operands(self.operators[index])))


def operands(op: Operator) -> tuple[Tensor, ...]:
    """Everything that an operator reads."""
    return (*op.inputs, *op.weights, *op.states)


def root(tensor: Tensor) -> str:
    """The name of a tensor, or of the one of which it is a view."""
    return tensor.base or tensor.name


def _look(op: Operator) -> Hashable:
    read = tuple((tensor.shape, tensor.element, tensor.role) for tensor in operands(op))
    parts = (len(op.inputs), len(op.weights))
    return (op.kind, op.attributes, parts, read, tuple((tensor.shape, tensor.element) for tensor in op.outputs))
