"""Elements taken, placed and ordered: only what is taken is read, and each element taken counts as one operation."""

from math import ceil, log2

from neupims.graph.kinds.base import Kind, axis_of, indices, require, results
from neupims.graph.operator import Operator
from neupims.graph.tensor import ElementType, Shape


def embedding_shapes(op: Operator) -> tuple[Shape, ...]:
    """Indices [...] into a table [entries, width]: [..., width]."""
    table, chosen = op.weights[0].shape, op.inputs[0]
    require(len(table) == 2, f"a table has two axes, [entries, width], not shape {table}")
    require(chosen.element == "int32", f"indices must be int32, not {chosen.element}")
    return ((*chosen.shape, table[1]),)


def last_shapes(op: Operator) -> tuple[Shape, ...]:
    """The last row of each request in x [tokens, width]: [requests, width]. Attribute: `new` tokens of each."""
    x, new = op.inputs[0].shape, op.numbers("new")
    require(len(x) == 2 and x[0] == sum(new), f"input {x} must have one row for each of the {sum(new)} tokens")
    return ((len(new), x[1]),)


def gathered(op: Operator) -> tuple[Shape, ...]:
    """x [*outer, n, *rest] and indices of its axis n: [*outer, *shape, *rest].

    Attributes: `axis`; `shape` of the indices of one place of the outer axes, which may share them or have their own.
    """
    x, chosen = op.inputs[0].shape, op.inputs[1]
    axis = axis_of(op, x)
    require(chosen.element == "int32", f"indices must be int32, not {chosen.element}")
    return ((*x[:axis], *op.numbers("shape"), *x[axis + 1 :]),)


def scattered(op: Operator) -> tuple[Shape, ...]:
    """x [..., rows, width] put, or added, to the rows that the indices name in base: as base."""
    x, chosen, base = op.inputs[0].shape, op.inputs[1], op.inputs[2].shape
    require(chosen.element == "int32", f"indices must be int32, not {chosen.element}")
    require(x[-1] == base[-1], f"input {x} and base {base} must have the same last axis")
    return (base,)


def joined(op: Operator) -> tuple[Shape, ...]:
    """Inputs side by side along an axis."""
    first = op.inputs[0].shape
    axis = axis_of(op, first)
    for tensor in op.inputs[1:]:
        other = tensor.shape
        same = len(other) == len(first) and (*other[:axis], *other[axis + 1 :]) == (*first[:axis], *first[axis + 1 :])
        require(same, f"shapes {first} and {other} must be the same but for axis {axis}")
    return ((*first[:axis], sum(tensor.shape[axis] for tensor in op.inputs), *first[axis + 1 :]),)


def appended(op: Operator) -> tuple[Shape, ...]:
    """New rows [tokens, ...] side by side: [tokens, width], put into a cache [context, width]. Attribute: `axis` -1."""
    (rows,) = joined(op)
    for cache in op.states:
        require(cache.shape[1:] == rows[1:], f"rows {rows} do not fit cache {cache.shape}; widths must be the same")
    return (rows,)


def new_rows(op: Operator) -> int:
    """Bytes of what is appended."""
    return sum(tensor.bytes for tensor in op.inputs)


def padded(op: Operator) -> tuple[Shape, ...]:
    """More elements on an axis. Attributes: `axis`, `before`, `after`."""
    x = op.inputs[0].shape
    axis = axis_of(op, x)
    return ((*x[:axis], x[axis] + op.number("before") + op.number("after"), *x[axis + 1 :]),)


def repeated(op: Operator) -> tuple[Shape, ...]:
    """A copy of the input that repeats it to attribute `shape`."""
    x, shape = op.inputs[0].shape, op.numbers("shape")
    fits = len(x) == len(shape) and all(new % old == 0 for old, new in zip(x, shape, strict=True))
    require(fits, f"input {x} cannot be repeated to {shape}")
    return (shape,)


def chosen_shapes(op: Operator) -> tuple[Shape, ...]:
    """Indices of the `k` greatest elements of the last axis: [..., k]."""
    x, k = op.inputs[0].shape, op.number("k")
    require(1 <= k <= x[-1], f"k must be 1 to {x[-1]}, the last axis of {x}, not {k}")
    return ((*x[:-1], k),)


def selection_ops(op: Operator) -> int:
    """A heap of k for each row: n (1 + ceil(log2 k)) comparisons."""
    return op.inputs[0].elements * (1 + ceil(log2(op.number("k"))))


def sorting_ops(op: Operator) -> int:
    """n ceil(log2 n) comparisons for each row."""
    return op.inputs[0].elements * max(1, ceil(log2(op.inputs[0].shape[-1])))


def moved(op: Operator) -> int:
    """Elements taken."""
    return op.outputs[0].elements


def indices_and_rows(op: Operator) -> int:
    """Bytes of the indices and of the rows taken."""
    return op.inputs[0].bytes + results(op)


def taken(op: Operator) -> int:
    """Bytes of the indices, int32, and of what is taken."""
    return op.inputs[1].bytes + results(op)


def put(op: Operator) -> int:
    """Bytes of the input, of the indices and of the places that change."""
    return 2 * op.inputs[0].bytes + op.inputs[1].bytes


def changed(op: Operator) -> int:
    """Bytes of the places that change."""
    return op.inputs[0].bytes


def _of_table(op: Operator) -> ElementType:
    return op.weights[0].element


def _like_first(op: Operator) -> tuple[Shape, ...]:
    return (op.inputs[0].shape,)


LOOKUP = {
    "embedding": Kind(1, embedding_shapes, other_ops=moved, read=indices_and_rows, element=_of_table),
    "last": Kind(1, last_shapes, other_ops=moved, read=results),
    "gather": Kind(2, gathered, other_ops=moved, read=taken),
    "scatter": Kind(3, scattered, other_ops=lambda op: op.inputs[0].elements, read=put, written=changed),
    "concat": Kind(None, joined, other_ops=moved),
    "append": Kind(None, appended, other_ops=moved, read=new_rows),
    "pad": Kind(1, padded, other_ops=moved),
    "copy": Kind(1, _like_first, other_ops=moved),
    "repeat": Kind(1, repeated, other_ops=moved),
    "roll": Kind(1, _like_first, other_ops=moved),
    "top_k": Kind(1, chosen_shapes, other_ops=selection_ops, element=indices),
    "sort": Kind(1, _like_first, other_ops=sorting_ops, element=indices),
}
