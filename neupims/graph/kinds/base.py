"""What is known of an operator kind: a row of the table of kinds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from neupims.errors import ModelError
from neupims.graph.operator import Operator
from neupims.graph.tensor import ELEMENT_BYTES, ElementType, Shape, Tensor


class ShapeError(ModelError):
    """Operands do not fit the operator; the message says what does not fit, the tracer adds where."""


Count = Callable[[Operator], int]


@dataclass(frozen=True, slots=True)
class Product:
    """`count` matrix products of one shape, [rows, inner] times [inner, outputs] each."""

    count: int
    rows: int
    inner: int
    outputs: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all of them."""
        return self.count * self.rows * self.inner * self.outputs


Products = Callable[[Operator], tuple[Product, ...]]


def no_products(op: Operator) -> tuple[Product, ...]:
    """Nothing that a systolic array could do."""
    return ()


def product_macs(op: Operator, products: Products) -> int:
    """Multiply-accumulates of the matrix products of an operator."""
    return sum(product.macs for product in products(op))


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


def per_result(operations: int) -> Count:
    """This many operations for each element of the first result."""
    return lambda op: operations * op.outputs[0].elements


def indices(op: Operator) -> ElementType:
    """Results are indices."""
    return "int32"


def like_input(op: Operator) -> tuple[Shape, ...]:
    """One result of the shape of the first input."""
    return (op.inputs[0].shape,)


@dataclass(frozen=True, slots=True)
class Kind:
    """Shapes, work and bytes of an operator, each a function of its operands and attributes."""

    inputs: int | None
    """Number of inputs; None: one or more."""
    shapes: Callable[[Operator], tuple[Shape, ...]]
    """Shapes of the results; ShapeError if the operands do not fit."""
    macs: Count = none
    other_ops: Count = none
    read: Count = operands
    written: Count = results
    element: Callable[[Operator], ElementType] = of_first_input
    products: Products = no_products
    """The matrix products in it, in the order in which they are done; their MACs are those of the operator."""
    spare: bool = False
    """Whether nobody need read its results: it is done for what it changes, or leaves more than is asked for."""

    def complete(self, op: Operator) -> Operator:
        """The operator with its results, work and bytes; ShapeError if its operands do not fit."""
        if len(op.inputs) != (self.inputs or max(1, len(op.inputs))):
            raise ShapeError(f"takes {self.inputs or 'one or more'} inputs, not {len(op.inputs)}")
        whole = replace(op, outputs=self._results(op))
        return replace(
            whole,
            macs=self.macs(whole) + product_macs(whole, self.products),
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


def axis_of(op: Operator, shape: Shape, name: str = "axis") -> int:
    """Attribute `axis`, counted from the front; ShapeError if the shape has no such axis."""
    axis = op.number(name)
    require(-len(shape) <= axis < len(shape), f"{name} {axis} does not exist in shape {shape}")
    return axis % len(shape)


def broadcast(*shapes: Shape) -> Shape:
    """The common shape of operands, as in numpy; ShapeError if they have none."""
    length = max(len(shape) for shape in shapes)
    padded = [(1,) * (length - len(shape)) + shape for shape in shapes]
    sizes = [{size for size in axis if size != 1} for axis in zip(*padded, strict=True)]
    listed = " and ".join(str(shape) for shape in shapes)
    problem = f"shapes {listed} do not broadcast; sizes must be equal or 1"
    require(all(len(found) < 2 for found in sizes), problem)
    return tuple(found.pop() if found else 1 for found in sizes)
