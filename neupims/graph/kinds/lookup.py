"""Rows taken out of a matrix: only they are read, and each element taken counts as one operation."""

from neupims.graph.kinds.base import Kind, require, results
from neupims.graph.operator import Operator
from neupims.graph.tensor import ElementType, Shape


def embedding_shapes(op: Operator) -> tuple[Shape, ...]:
    """Indices [...] into a table [entries, width]: [..., width]."""
    table, indices = op.weights[0].shape, op.inputs[0]
    require(len(table) == 2, f"a table has two axes, [entries, width], not shape {table}")
    require(indices.element == "int32", f"indices must be int32, not {indices.element}")
    return ((*indices.shape, table[1]),)


def last_shapes(op: Operator) -> tuple[Shape, ...]:
    """The last row of each request in x [tokens, width]: [requests, width]. Attribute: `new` tokens of each."""
    x, new = op.inputs[0].shape, op.numbers("new")
    require(len(x) == 2 and x[0] == sum(new), f"input {x} must have one row for each of the {sum(new)} tokens")
    return ((len(new), x[1]),)


def moved(op: Operator) -> int:
    """Elements taken."""
    return op.outputs[0].elements


def indices_and_rows(op: Operator) -> int:
    """Bytes of the indices and of the rows taken."""
    return op.inputs[0].bytes + results(op)


def _of_table(op: Operator) -> ElementType:
    return op.weights[0].element


LOOKUP = {
    "embedding": Kind(1, embedding_shapes, other_ops=moved, read=indices_and_rows, element=_of_table),
    "last": Kind(1, last_shapes, other_ops=moved, read=results),
}
