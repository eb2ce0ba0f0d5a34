"""Operators on the vector units: what one unit does in one row, how many rows there are, and what moves meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from neupims.graph import Operator, Tensor
from neupims.graph.operator import Attribute
from neupims.isa.work import STEP, NpuWork
from neupims.lowering.operators.arena import Arena
from neupims.lowering.operators.pieces import Pieces, contiguous, load_all, scattered, store_all
from neupims.lowering.target import Target

STEP_BYTES = 1 << 18
"""Least bytes that a step moves, where there are several."""
MOST_STEPS = 256
LEAST_PART = 4096
"""Elements to which a row is cut at least, if there are fewer rows than units; joining the parts is not counted."""
STEPS_AT_LEAST = 4
"""Steps into which small work is cut, so that loads, compute and stores overlap."""


@dataclass(frozen=True, slots=True)
class Rows:
    """`count` rows of `elements`, each on one unit."""

    elements: int
    count: int


Read = list[tuple[Pieces, bool]]
"""Operands, each with whether it waits for no earlier operator."""


def lower_vector(op: Operator, arena: Arena, target: Target) -> NpuWork:
    """Work of an operator on the vector units; operands much smaller than the largest are read before all else."""
    moved, units = op.bytes_read + op.bytes_written, target.npu.vector.count
    wanted = min(MOST_STEPS, max(STEPS_AT_LEAST, moved // STEP_BYTES))
    rows = vector_rows(op, units * wanted)
    turn, groups = turns(rows, units * wanted)
    count = min(wanted, groups)
    operands = _operands(op, arena, count)
    loads, blocks = load_all(arena.address, operands)
    steps = np.zeros(count, STEP)
    steps["stream"] = rows.elements
    steps["rows"] = np.diff(np.arange(count + 1) * groups // count)
    _want(steps, operands, loads.bytes, blocks)
    results = [contiguous(arena.base(tensor), tensor.bytes, count) for tensor in _written(op)]
    return NpuWork(
        name=op.name,
        kind=op.kind,
        unit="vector",
        steps=steps,
        loads=loads,
        stores=store_all(arena.address, results, np.arange(count)),
        turns=turn,
        macs=op.macs,
        other_ops=op.other_ops,
    )


def lower_append(op: Operator, arena: Arena) -> NpuWork:
    """New keys or values to their cache, behind those of earlier tokens of their requests; with a window, the last."""
    fresh, cache = op.inputs[1], op.states[0]
    row = fresh.bytes // fresh.shape[0]
    new = np.array(op.numbers("new"), np.int64)
    held = np.array(op.numbers("kept" if "kept" in dict(op.attributes) else "lengths"), np.int64)
    count, rows = len(new), np.minimum(new, held)
    source = Pieces(arena.base(fresh) + (np.cumsum(new) - rows) * row, rows * row, np.arange(count))
    place = Pieces(arena.base(cache) + (np.cumsum(held) - rows) * row, rows * row, np.arange(count))
    loads, _ = load_all(arena.address, [(source, False)])
    steps = np.zeros(count, STEP)
    steps["stream"], steps["rows"] = fresh.shape[-1], 1
    steps["loads"], steps["frees"] = np.arange(1, count + 1), loads.bytes
    stores = store_all(arena.address, [place], np.arange(count))
    return NpuWork(f"{op.name}.append", "copy", "vector", steps, loads, stores)


def turns(rows: Rows, places: int) -> tuple[int, int]:
    """Rows that a unit takes one after the other, and how many such groups there are; at least one for each place."""
    each = max(1, rows.count // max(1, places))
    return each, ceil(rows.count / each)


def _want(steps: np.ndarray, operands: Read, sizes: np.ndarray, blocks: list[np.ndarray]) -> None:
    """Each step wants the loads of its part, and of those before; they are free after it."""
    count = len(steps)
    step = np.zeros(len(sizes), np.int64)
    shared = np.zeros(len(sizes), np.bool_)
    for (pieces, _), block in zip(operands, blocks, strict=True):
        step[block] = np.unique(pieces.parts)
        shared[block] = len(block) == 1
    steps["loads"] = np.searchsorted(step, np.arange(count), "right")
    steps["loads"][-1] = len(sizes)
    np.add.at(steps["frees"], np.where(shared, count - 1, step), sizes)


def _written(op: Operator) -> tuple[Tensor, ...]:
    """Results, and states that are replaced."""
    return (*op.outputs, *(state for state in op.states if state.role == "state"))


def _operands(op: Operator, arena: Arena, count: int) -> Read:
    if op.kind in SCATTERED:
        return SCATTERED[op.kind](op, arena, count)
    return [_streamed(tensor, arena, count, op) for tensor in (*op.weights, *op.inputs, *op.states)]


def _streamed(tensor: Tensor, arena: Arena, count: int, op: Operator) -> tuple[Pieces, bool]:
    largest = max(other.bytes for other in (*op.weights, *op.inputs, *op.outputs, *op.states))
    parts = count if 2 * tensor.bytes > largest // count else 1
    return contiguous(arena.base(tensor), tensor.bytes, parts), tensor.role != "activation"


# Rows that data choose ------------------------------------------------------------------------


def _chosen(table: Tensor, row: int, taken: int, indices: Tensor, arena: Arena, count: int) -> Read:
    rows = scattered(arena.base(table), table.bytes, row, max(1, taken // row), count)
    return [
        (contiguous(arena.base(indices), indices.bytes, 1), indices.role != "activation"),
        (rows, False),
    ]


def _embedding(op: Operator, arena: Arena, count: int) -> Read:
    table = op.weights[0]
    row = table.bytes // table.shape[0]
    return _chosen(table, row, op.outputs[0].bytes, op.inputs[0], arena, count)


def _gather(op: Operator, arena: Arena, count: int) -> Read:
    x = op.inputs[0]
    axis = op.number("axis") % len(x.shape)
    row = max(1, x.bytes // x.elements * prod(x.shape[axis + 1 :]))
    return _chosen(x, row, op.outputs[0].bytes, op.inputs[1], arena, count)


def _messages(op: Operator, arena: Arena, count: int) -> Read:
    x, edges = op.inputs[:2]
    row = x.bytes // x.shape[0]
    read = _chosen(x, row, row * edges.shape[1], edges, arena, count)
    weights = [(contiguous(arena.base(tensor), tensor.bytes, count), False) for tensor in op.inputs[2:]]
    return [*read, *weights]


def _edges(op: Operator, arena: Arena, count: int) -> Read:
    features, gradients, edges = op.inputs
    read = [(contiguous(arena.base(edges), edges.bytes, 1), edges.role != "activation")]
    for tensor in (features, gradients):
        row = tensor.bytes // tensor.shape[0]
        read.append((scattered(arena.base(tensor), tensor.bytes, row, edges.shape[1], count), False))
    return read


def _scatter(op: Operator, arena: Arena, count: int) -> Read:
    x, indices, base = op.inputs
    row = x.bytes // x.elements * x.shape[-1]
    return [*_chosen(base, row, x.bytes, indices, arena, count), (contiguous(arena.base(x), x.bytes, count), False)]


def _last(op: Operator, arena: Arena, count: int) -> Read:
    x, result = op.inputs[0], op.outputs[0]
    rows = scattered(arena.base(x), x.bytes, result.bytes // result.shape[0], result.shape[0], count)
    return [(rows, False)]


def _update(op: Operator, arena: Arena, count: int) -> Read:
    """Weight, gradient and moments side by side, a part at a time."""
    operands = (*op.weights, *op.inputs, *op.states)
    return [(contiguous(arena.base(tensor), tensor.bytes, count), False) for tensor in operands]


SCATTERED: dict[str, Callable[[Operator, Arena, int], Read]] = {
    "embedding": _embedding,
    "gather": _gather,
    "message_passing": _messages,
    "edge_gradient": _edges,
    "scatter": _scatter,
    "last": _last,
    **dict.fromkeys(("adamw", "adam", "momentum", "sgd"), _update),
}
"""Kinds that read rows here and there, which depend on data and are spread evenly by a hash; and updates of weights."""


# Rows -----------------------------------------------------------------------------------------


def vector_rows(op: Operator, places: int) -> Rows:
    """Rows of an operator, at least one for each of `places` where its elements can be cut anywhere."""
    if op.kind in ROWWISE:
        length = ROWWISE[op.kind](op)
        count = max(1, op.inputs[0].elements // length)
        cuts = min(max(1, places // count), ceil(length / LEAST_PART))
        return Rows(ceil(length / cuts), count * cuts)
    elements = WORK.get(op.kind, largest)(op)
    each = max(1, ceil(elements / max(1, places)))
    return Rows(each, ceil(elements / each))


def largest(op: Operator) -> int:
    """Elements of the largest operand or result."""
    return max(tensor.elements for tensor in (*op.inputs, *op.outputs, *op.states))


def operations(op: Operator) -> int:
    """One element for each operation."""
    return max(1, op.other_ops + op.macs)


def _last_axis(op: Operator) -> int:
    return op.inputs[0].shape[-1]


def _reduced_axis(op: Operator) -> int:
    return op.inputs[0].shape[op.number("axis")]


def _group(op: Operator) -> int:
    shape = op.inputs[0].shape
    groups: Attribute = dict(op.attributes).get("groups", 1)
    assert isinstance(groups, int)
    return prod(shape[1:]) // groups


def _scores(op: Operator) -> int:
    """The mean context, where each request has its own."""
    attributes = dict(op.attributes)
    if "lengths" not in attributes:
        return op.inputs[0].shape[-1]
    new, pairs = sum(op.numbers("new")), op.inputs[0].shape[-1]
    return max(1, pairs // new)


ROWWISE: dict[str, Callable[[Operator], int]] = {
    "layer_norm": _last_axis,
    "rms_norm": _last_axis,
    "group_norm": _group,
    "softmax": _scores,
    "argmax": _last_axis,
    "sum": _reduced_axis,
    "mean": _reduced_axis,
    "max": _reduced_axis,
    "min": _reduced_axis,
    "variance": _reduced_axis,
}
"""Kinds that reduce, with the length of what one unit reduces."""

WORK: dict[str, Callable[[Operator], int]] = {
    name: operations
    for name in (
        *("avg_pool", "max_pool", "interpolate", "message_passing", "top_k", "sort"),
        *("fft", "cholesky", "eigen", "triangular_solve", "causal_conv", "conv", "conv_transposed", "matmul"),
        *("linear", "expert_linear", "logit", "attend", "attention_gradient", "expert_gradient"),
        *("conv_input_gradient", "conv_weight_gradient", "causal_conv_gradient", "gradient", "edge_gradient"),
        *("selective_scan_gradient", "cross_entropy", "squared_error", "adamw", "adam", "momentum", "sgd"),
        *("dual_scan", "wkv", "token_shift", "eigenvalues"),
    )
}
WORK["selective_scan"] = lambda op: op.inputs[0].elements * op.weights[0].shape[1]
"""Kinds whose work is not one element for each of their largest operand."""

ESTIMATED = (
    *("top_k", "sort", "fft", "cholesky", "eigen", "eigenvalues", "triangular_solve", "dual_scan", "wkv"),
    *("selective_scan_gradient", "gradient"),
)
"""Kinds that take one operation of each lane after the other; what waits for what inside them is not modelled."""
