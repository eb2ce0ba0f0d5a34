"""Matrix products on the systolic arrays: one large product in tiles, or many small ones side by side."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from neupims.graph.kinds import Product
from neupims.hardware.npu import SystolicArrays
from neupims.isa.address import AddressMap
from neupims.isa.work import STEP, Dataflow, NpuWork, Records
from neupims.lowering.gemm import Operands, choose_tiling, lower_gemm
from neupims.lowering.operators.pieces import Pieces, contiguous, load_all, store_all, whole
from neupims.lowering.places import Integers, Place, RowMajor, WeightBlocks, panels
from neupims.lowering.target import Target
from neupims.lowering.tiling import Gemm, Tiling, W, X, areas

GROUP_BYTES = 1 << 20
"""Most bytes of the operands of a group of products, so that groups overlap with their loads, and of one in a group."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operand or result of `count` products: `bytes` bytes from `base` on, evenly divided among them.

    They may be fewer than its elements: an input of a convolution, or rows that several products share.
    """

    base: int
    bytes: int
    early: bool = False
    """Whether it depends on no earlier operator (weights, states)."""
    shared: bool = False
    """Whether all products read the same."""


@dataclass(frozen=True, slots=True)
class Task:
    """Matrix products with their operands: a times b gives out."""

    name: str
    product: Product
    a: Matrix
    b: Matrix
    out: Matrix
    bias: Matrix | None = None
    kind: str = "gemm"
    other_ops: int = 0


def lower_products(task: Task, address: AddressMap, target: Target) -> NpuWork:
    """Work of a task on the arrays."""
    product, arrays = task.product, target.npu.arrays
    if product.count == 1 and task.b.early and _full(task, target):
        return _weights(task, address, target)
    small = task.a.bytes + task.b.bytes <= GROUP_BYTES * product.count
    if small and array_tiles(product, arrays) <= arrays.count:
        return _side_by_side(task, address, target)
    return _one_by_one(task, address, target)


def array_tiles(product: Product, arrays: SystolicArrays) -> int:
    """Blocks of the stationary operand of one product, the smaller one."""
    inner = ceil(product.inner / arrays.rows)
    return inner * min(ceil(product.outputs / arrays.columns), ceil(product.rows / arrays.columns))


def _full(task: Task, target: Target) -> bool:
    """Whether each operand has all of its elements in memory."""
    product, size = task.product, target.element_bytes
    return (
        task.a.bytes >= product.rows * product.inner * size and task.b.bytes >= product.inner * product.outputs * size
    )


def _weights(task: Task, address: AddressMap, target: Target) -> NpuWork:
    """A linear layer: weights lie in blocks of the arrays, activations in panels."""
    product, size, arrays = task.product, target.element_bytes, target.npu.arrays
    gemm = Gemm(product.rows, product.inner, product.outputs)
    x = panels(address, task.a.base, (product.rows, product.inner), arrays.rows, size)
    out = panels(address, task.out.base, (product.rows, product.outputs), arrays.rows, size)
    shape = (product.inner, product.outputs, arrays.rows, arrays.columns, arrays.count, size)
    bias: Place | None = RowMajor(address, task.bias.base, product.outputs, size) if task.bias else None
    work = lower_gemm(task.name, gemm, Operands(x, WeightBlocks(address, task.b.base, *shape), bias, out), target)
    return replace(work, kind=task.kind, other_ops=task.other_ops)


# Many small products --------------------------------------------------------------------------


def _side_by_side(task: Task, address: AddressMap, target: Target) -> NpuWork:
    """Groups of products, each in arrays of its own; in a group each array goes through its blocks.

    The stationary operand is the one with which the steps take less time.
    """
    product, arrays = task.product, target.npu.arrays
    together = max(1, arrays.count // array_tiles(product, arrays))
    fitting = max(1, GROUP_BYTES * product.count // max(1, task.a.bytes + task.b.bytes))
    size = max(together, min(product.count, fitting) // together * together)
    groups = ceil(product.count / size)
    each, dataflow = _steps_of_group(product, arrays, np.minimum(size, product.count - np.arange(groups) * size))
    return _assembled(task, address, target, groups, each, dataflow)


def _steps_of_group(product: Product, arrays: SystolicArrays, members: Integers) -> tuple[list[Records], Dataflow]:
    """Steps of each group: waves of stationary blocks, past which the other operand streams."""
    inner = ceil(product.inner / arrays.rows)
    columns, streamed = min(
        (
            (ceil(product.outputs / arrays.columns), product.rows),
            (ceil(product.rows / arrays.columns), product.outputs),
        ),
        key=lambda option: option[0] * max(arrays.rows, option[1]),
    )
    made: list[Records] = []
    for count in members.tolist():
        blocks = count * inner * columns
        split = max(1, arrays.count // blocks)
        steps = np.zeros(ceil(blocks / arrays.count), STEP)
        steps["stream"], steps["preload"] = ceil(streamed / split), arrays.rows
        made.append(steps)
    return made, "weight_stationary"


def _assembled(
    task: Task, address: AddressMap, target: Target, groups: int, each: list[Records], dataflow: Dataflow
) -> NpuWork:
    """One load of each operand for each group, and a store of its results."""
    operands = [(_parts(operand, groups), operand.early) for operand in (task.a, task.b, task.bias) if operand]
    loads, blocks = load_all(address, operands)
    ends = np.cumsum([len(steps) for steps in each])
    steps = np.concatenate(each)
    group = np.zeros(len(loads.bytes), np.int64)
    for (pieces, _), block in zip(operands, blocks, strict=True):
        group[block] = np.unique(pieces.parts)
    once = np.zeros(len(loads.bytes), np.bool_)
    for operand, block in zip([operand for operand in (task.a, task.b, task.bias) if operand], blocks, strict=True):
        once[block] = operand.shared
    steps["loads"] = np.searchsorted(group, np.repeat(np.arange(groups), [len(part) for part in each]), "right")
    np.add.at(steps["frees"], np.where(once, len(steps) - 1, ends[group] - 1), loads.bytes)
    out = contiguous(task.out.base, task.out.bytes, groups)
    return NpuWork(
        name=task.name,
        kind=task.kind,
        unit="array",
        steps=steps,
        loads=loads,
        stores=store_all(address, [out], ends - 1),
        dataflow=dataflow,
        macs=task.product.macs,
        other_ops=task.other_ops,
    )


def _parts(operand: Matrix, groups: int) -> Pieces:
    return contiguous(operand.base, operand.bytes, 1 if operand.shared else groups)


# Products larger than the arrays ---------------------------------------------------------------


def _one_by_one(task: Task, address: AddressMap, target: Target) -> NpuWork:
    """Each product in the tiles of its best dataflow; what a tile moves is its share of the operand or result."""
    product = task.product
    tiles = choose_tiling(Gemm(product.rows, product.inner, product.outputs), target, bias=False)
    read = _read(task, tiles)
    early = np.tile(np.where(tiles.operand == X, task.a.early, task.b.early), product.count)
    bias = [(whole(task.bias.base, task.bias.bytes), True)] if task.bias else []
    loads, _ = load_all(address, [*bias, (read, False)])
    before, steps = len(bias), np.tile(tiles.steps, product.count)
    steps["loads"] += before + np.repeat(np.arange(product.count), len(tiles.steps)) * len(tiles.loaded)
    steps["frees"] = _frees(tiles, read.sizes[: len(tiles.loaded)], product.count)
    steps["frees"][-1] += loads.bytes[:before].sum()
    first = np.repeat(np.arange(product.count) * len(tiles.steps), len(tiles.stored))
    written = _written(task, tiles)
    return NpuWork(
        name=task.name,
        kind=task.kind,
        unit="array",
        steps=steps,
        loads=replace(loads, early=np.append(loads.early[:before], early)),
        stores=store_all(address, [written], np.tile(tiles.store_steps, product.count) + first),
        dataflow=tiles.dataflow,
        macs=product.macs,
        other_ops=task.other_ops,
    )


def _read(task: Task, tiles: Tiling) -> Pieces:
    """What the tiles of all products read, product after product."""
    product, count = task.product, task.product.count
    starts, sizes, apart = (np.zeros(len(tiles.loaded), np.int64) for _ in range(3))
    operands = ((X, task.a, product.rows * product.inner), (W, task.b, product.inner * product.outputs))
    for code, operand, elements in operands:
        chosen, share = np.flatnonzero(tiles.operand == code), operand.bytes // (1 if operand.shared else count)
        sizes[chosen] = np.maximum(1, areas(tiles.loaded[chosen]) * share // elements)
        starts[chosen] = operand.base + _offsets(tiles.loaded[chosen], sizes[chosen], share)
        apart[chosen] = 0 if operand.shared else share
    turn = np.repeat(np.arange(count), len(tiles.loaded))
    return Pieces(np.tile(starts, count) + turn * np.tile(apart, count), np.tile(sizes, count), np.arange(len(turn)))


def _written(task: Task, tiles: Tiling) -> Pieces:
    """What the tiles of all products write: their shares of the result, one after the other."""
    product = task.product
    edges = np.cumsum(np.append(0, np.tile(areas(tiles.stored), product.count)))
    edges = edges * task.out.bytes // max(1, int(edges[-1]))
    return Pieces(task.out.base + edges[:-1], np.diff(edges), np.arange(len(edges) - 1))


def _offsets(rects: Integers, sizes: Integers, share: int) -> Integers:
    """Where in its operand a tile begins: tiles lie in the order in which they are first read."""
    _, first, which = np.unique(rects, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    before = np.empty(len(order), np.int64)
    before[order] = np.cumsum(sizes[first[order]]) - sizes[first[order]]
    return np.minimum(before[which.ravel()], np.maximum(0, share - sizes))


def _frees(tiles: Tiling, sizes: Integers, count: int) -> Integers:
    """What the steps of one product free, in proportion to the elements that they free, and all in the end."""
    everything = int(tiles.steps["frees"].sum())
    freed = np.cumsum(tiles.steps["frees"]) * int(sizes.sum()) // max(1, everything)
    arrived = np.concatenate(([0], np.cumsum(sizes)))[tiles.steps["loads"]]
    freed = np.maximum.accumulate(np.minimum(freed, arrived))
    freed[-1] = int(sizes.sum())
    return np.tile(np.diff(freed, prepend=0), count)
