"""Operators on the vector units: norms, rotary positions, residuals, activations, embedding, sampling. One row is one
token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neupims.hardware.npu import NpuSpec
from neupims.isa.work import STEP, NpuWork
from neupims.lowering.decoder import Norm
from neupims.lowering.places import Integers, Place, rectangles, round_up
from neupims.lowering.storage import Access, block_bytes, loads, stores
from neupims.lowering.target import Target
from neupims.lowering.tiling import blocks

STEPS_AT_LEAST = 4
"""Steps into which even a small batch is cut, so that loads, compute and stores overlap."""

OPS_PER_ELEMENT = {
    **{"layer_norm": 7, "add": 1, "gelu": 9, "embedding": 1, "softmax": 5},
    **{"rms_norm": 4, "rotary": 3, "swiglu": 5},  # swiglu: silu, and the product with the other half
}
"""Operations per element, as the operator graph counts them."""

NORM_ROWS: dict[Norm, int] = {"layer_norm": 2, "rms_norm": 1}
"""Rows of parameters: gain and bias, or gain alone."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokens first to end - 1, each a row of `elements`."""

    first: int
    end: int
    elements: int

    @property
    def count(self) -> int:
        """Number of tokens."""
        return self.end - self.first


def row_chunks(rows: Rows, npu: NpuSpec) -> tuple[Integers, Integers]:
    """Tokens of each step: a block of an array high, less for small batches, all units busy.

    One token per step where element counts are as published.
    """
    return blocks(rows.first, rows.end, _chunk(rows.count, npu))


def _chunk(tokens: int, npu: NpuSpec) -> int:
    if npu.vector.counts == "published":
        return 1
    return round_up(min(npu.arrays.rows, -(-tokens // STEPS_AT_LEAST)), npu.vector.count)


def lower_rows(
    name: str,
    kind: str,
    rows: Rows,
    inputs: Sequence[Place],
    out: Place,
    target: Target,
    parameters: tuple[Place, int] | None = None,
) -> NpuWork:
    """An operator whose token t reads row t of each input and writes row t of `out`.

    `parameters` are a matrix and its rows (gain and bias of a norm, say), `elements` wide, that is read once.
    """
    first, end = row_chunks(rows, target.npu)
    rects = rectangles(first, end, 0, rows.elements)
    accesses = [Access(place, rects, np.arange(len(first))) for place in inputs]
    return _assemble(name, kind, rows, accesses, Access(out, rects, np.arange(len(first))), target, parameters)


def lower_embedding(
    name: str, rows: Rows, table: Sequence[tuple[Place, Integers]], out: Place, target: Target
) -> NpuWork:
    """Sum of one row of each table for each token.

    Tables are (place, row for each token); a negative row belongs to another device and is not read.
    """
    first, end = row_chunks(rows, target.npu)
    chunk = np.repeat(np.arange(len(first)), end - first)
    accesses: list[Access] = []
    for place, lines in table:
        here = lines >= 0
        accesses.append(Access(place, rectangles(lines[here], lines[here] + 1, 0, rows.elements), chunk[here]))
    stored = Access(out, rectangles(first, end, 0, rows.elements), np.arange(len(first)))
    made = _assemble(name, "embedding", rows, accesses, stored, target)
    return replace(made, other_ops=(2 * len(table) - 1) * made.other_ops)


def lower_sampling(name: str, rows: Rows, logits: Place, chosen: Place, target: Target) -> NpuWork:
    """Softmax over the vocabulary of this device and the best token of each row, with its score."""
    first, end = row_chunks(rows, target.npu)
    fetched = Access(logits, rectangles(first, end, 0, rows.elements), np.arange(len(first)))
    stored = Access(chosen, rectangles(first, end, 0, CHOSEN), np.arange(len(first)))
    return _assemble(name, "softmax", rows, [fetched], stored, target)


CHOSEN = 4
"""Numbers that sampling leaves for each token: an index and a score, of two numbers each."""


def _assemble(
    name: str,
    kind: str,
    rows: Rows,
    accesses: Sequence[Access],
    stored: Access,
    target: Target,
    parameters: tuple[Place, int] | None = None,
) -> NpuWork:
    size, count = target.element_bytes, len(stored.blocks)
    steps = np.zeros(count, STEP)
    steps["stream"], steps["rows"] = rows.elements, stored.rects[:, 1] - stored.rects[:, 0]
    steps["frees"] = block_bytes(accesses, count, size)
    apart = len(accesses) if all(len(np.unique(access.blocks)) == count for access in accesses) else 1
    wanted = np.cumsum(steps["frees"] > 0) * apart
    accesses = [
        Access(access.place, access.rects, wanted[access.blocks] - apart + number % apart)
        for number, access in enumerate(accesses)
    ]
    early = np.zeros(int(wanted[-1]), np.bool_)
    if parameters is not None:
        place, lines = parameters[0], np.arange(parameters[1])
        steps["frees"][-1] += len(lines) * rows.elements * size
        steps["loads"] = len(lines)
        early = np.append(np.ones(len(lines), np.bool_), early)
        rects = rectangles(lines, lines + 1, 0, rows.elements)
        accesses = [Access(place, rects, lines), *(_later(access, len(lines)) for access in accesses)]
    steps["loads"] += wanted
    return NpuWork(
        name=name,
        kind=kind,
        unit="vector",
        steps=steps,
        loads=loads(target.storage, accesses, early, size),
        stores=stores(target.storage, [stored], np.arange(count), size),
        other_ops=OPS_PER_ELEMENT[kind] * rows.count * rows.elements,
    )


def _later(access: Access, blocks: int) -> Access:
    return Access(access.place, access.rects, access.blocks + blocks)
