"""What is known of an operator kind: a row of the table of kinds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from neupims.errors import ModelError
from neupims.graph.operator import Operator
from neupims.graph.tensor import ELEMENT_BYTES, ElementType, Shape, Tensor


class ShapeError(ModelError):
    """Operands do not fit the operator; the message says what does not fit, the tracer adds where."""


Count = Callable[[Operator], int]


def none(op: Operator) -> int:
    """No work of this sort."""
    return 0


def operands(op: Operator) -> int:
    """Bytes of all inputs, weights and states, each once."""
    return sum(tensor.bytes for tensor in (*op.inputs, *op.weights, *op.states))


def results(op: Operator) -> int:
    """Bytes of all results."""
    return sum(tensor.bytes for tensor in op.outputs)


def per_element(operations: int) -> Count:
    """This many operations for each element of the first input."""
    return lambda op: operations * op.inputs[0].elements


def of_first_input(op: Operator) -> ElementType:
    """Results have the element type of the first input."""
    return op.inputs[0].element


def like_input(op: Operator) -> tuple[Shape, ...]:
    """One result of the shape of the first input."""
    return (op.inputs[0].shape,)


@dataclass(frozen=True, slots=True)
class Kind:
    """Shapes, work and bytes of an operator, each a function of its operands and attributes."""

    inputs: int
    """Number of inputs."""
    shapes: Callable[[Operator], tuple[Shape, ...]]
    """Shapes of the results; ShapeError if the operands do not fit."""
    macs: Count = none
    other_ops: Count = none
    read: Count = operands
    written: Count = results
    element: Callable[[Operator], ElementType] = of_first_input

    def complete(self, op: Operator) -> Operator:
        """The operator with its results, work and bytes; ShapeError if its operands do not fit."""
        if len(op.inputs) != self.inputs:
            raise ShapeError(f"takes {self.inputs} inputs, not {len(op.inputs)}")
        whole = replace(op, outputs=self._results(op))
        return replace(
            whole,
            macs=self.macs(whole),
            other_ops=self.other_ops(whole),
            bytes_read=self.read(whole),
            bytes_written=self.written(whole),
        )

    def _results(self, op: Operator) -> tuple[Tensor, ...]:
        shapes, element = self.shapes(op), self.element(op)
        names = [op.name] if len(shapes) == 1 else [f"{op.name}.{index}" for index in range(len(shapes))]
        return tuple(Tensor(name, shape, element) for name, shape in zip(names, shapes, strict=True))


def element_bytes(tensor: Tensor) -> int:
    """Bytes of one element."""
    return ELEMENT_BYTES[tensor.element]


def require(fits: bool, problem: str) -> None:
    """ShapeError with the problem, unless the operands fit."""
    if not fits:
        raise ShapeError(problem)
