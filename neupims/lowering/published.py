"""The GEMM of the published simulator: all arrays folded into one, activations stationary (spec 4.1, 4.2).

Its stores leave early: the queue of stores asks whether an accumulator is valid, which it is between two partial sums.
"""

from dataclasses import dataclass

import numpy as np

from neupims.hardware.npu import SystolicArrays
from neupims.isa.work import Accumulation
from neupims.lowering.dataflows import Budget
from neupims.lowering.places import rectangles, round_up
from neupims.lowering.tiling import BIAS, Fetch, Gemm, Grid, Nest, Tiling, blocks, join, pick

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tile:
    """The part of a GEMM that is on chip at a time."""

    n: Span
    k: Span
    m: Span


def folded_nest(gemm: Gemm, arrays: SystolicArrays, limits: Budget, all_stores: bool) -> Nest:
    """Tiles in the order outputs, tokens, inner; in each tile token blocks, K blocks, feature blocks."""
    return join([_tile_nest(tile, gemm, arrays, all_stores) for tile in tiles(gemm, arrays.rows, limits)])


def early_stores(nest: Nest, made: Tiling) -> Accumulation:
    """When the stores of a folded nest may leave, if it stores only what the published simulator stores.

    An accumulator belongs to a block of tokens and one of features; those of the first block of features are filled
    by the bias, which is as long as the tokens are many. Between the stores of two blocks of tokens stand some that
    store nothing: the last of them waits for the first partial sum of the last block of features.
    """
    n, m = nest.n[0], nest.m[0]
    stored, bias = made.store_steps, np.flatnonzero(made.operand == BIAS)
    _, accumulator = np.unique(np.stack((n, m)), axis=1, return_inverse=True)
    _, first = np.unique(accumulator, return_index=True)
    widest = {int(block): int(first[accumulator[(n == block) & (m == m.max())][0]]) for block in np.unique(n)}
    before = dict(zip(list(widest)[1:], list(widest.values())[:-1], strict=True))
    filled = np.where((m[stored] == 0) & (len(bias) > 0), bias[0] if len(bias) else -1, -1)
    behind = np.array([before.get(int(block), -1) for block in n[stored]], np.int64)
    return Accumulation(accumulator.astype(np.int64).ravel(), filled.astype(np.int64), behind)


def tiles(gemm: Gemm, block: int, limits: Budget) -> list[Tile]:
    """Tiles after halving the largest dimension (K first on ties) until three aligned operands fit."""
    sizes = {"k": gemm.inner, "m": gemm.outputs, "n": gemm.tokens}
    while _footprint(sizes, block) * limits.element_bytes > limits.operands and max(sizes.values()) > block:
        largest = max(sizes, key=lambda name: sizes[name])
        sizes[largest] = -(-sizes[largest] // 2)
    edges = {
        name: _spans(total, round_up(sizes[name], block))
        for name, total in (("k", gemm.inner), ("m", gemm.outputs), ("n", gemm.tokens))
    }
    return [Tile(n, k, m) for m in edges["m"] for n in edges["n"] for k in edges["k"]]


def _footprint(sizes: dict[str, int], block: int) -> int:
    n, k, m = (round_up(sizes[name], block) for name in ("n", "k", "m"))
    return n * k + k * m + m * n


def _spans(total: int, size: int) -> list[Span]:
    first, end = blocks(0, total, size)
    return list(zip(first.tolist(), end.tolist(), strict=True))


def _tile_nest(tile: Tile, gemm: Gemm, arrays: SystolicArrays, all_stores: bool) -> Nest:
    n, k = blocks(*tile.n, arrays.columns), blocks(*tile.k, arrays.rows)
    m = blocks(*tile.m, arrays.columns)
    grid = Grid((len(n[0]), len(k[0]), len(m[0])))
    token, inner, feature = grid.loops()
    end = np.full(len(token), len(token) - 1)
    bias = rectangles(0, 1, np.zeros(len(token), np.int64), min(len(n[0]) * arrays.columns, gemm.outputs))
    complete = (inner == len(k[0]) - 1) & (tile.k[1] == gemm.inner)
    inside = m[0][feature] < round_up(gemm.tokens, arrays.columns)
    return Nest(
        n=pick(n, token),
        k=pick(k, inner),
        m=pick(m, feature),
        stream=np.full(len(token), arrays.columns // arrays.count),
        preload=np.where(feature == 0, arrays.rows, 0),
        x=Fetch(feature == 0, end),
        w=Fetch(token == 0, end),
        bias=Fetch((np.arange(len(token)) == 0) & (tile.k[0] == 0), end, bias),
        stored=complete & (all_stores | inside),
    )
