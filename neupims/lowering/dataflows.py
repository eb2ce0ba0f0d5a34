"""The loop nests of the dataflows, and how many tokens each can take at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neupims.errors import CapacityError
from neupims.hardware.npu import NpuSpec, SystolicArrays
from neupims.isa.work import Dataflow
from neupims.lowering.places import round_up
from neupims.lowering.tiling import Edges, Fetch, Gemm, Grid, Nest, blocks, join, pick

ACCUMULATOR_BYTES = 4
"""Partial sums are kept in fp32."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that one GEMM may keep: half of each scratchpad, while the other half is filled or emptied."""

    operands: int
    accumulators: int
    element_bytes: int


def budget(npu: NpuSpec) -> Budget:
    """Half of each scratchpad."""
    pad = npu.scratchpad
    return Budget(pad.bytes // 2, pad.accumulator_bytes // 2, npu.element_bytes)


def weight_stationary(gemm: Gemm, tokens: tuple[int, int], arrays: SystolicArrays, limits: Budget) -> Nest:
    """Each array holds a weight block of its own and all tokens of the chunk stream past it.

    For each group of `count` feature blocks, for each K block: one step. A group with fewer blocks than
    arrays holds each block several times and splits the tokens. Activations stay for all groups.
    """
    m, k = blocks(0, gemm.outputs, arrays.count * arrays.columns), blocks(0, gemm.inner, arrays.rows)
    grid = Grid((len(m[0]), len(k[0])))
    group, block = grid.loops()
    split = np.maximum(arrays.count // -(-(m[1] - m[0]) // arrays.columns), 1)[group]
    every = np.ones(len(group), np.bool_)
    return Nest(
        n=_same(tokens, len(group)),
        k=pick(k, block),
        m=pick(m, group),
        stream=-(-(tokens[1] - tokens[0]) // split),
        preload=np.full(len(group), arrays.rows),
        x=Fetch(group == 0, grid.last(0)),
        w=Fetch(every, grid.steps),
        bias=Fetch(block == 0, grid.last(1)),
        stored=block == len(k[0]) - 1,
    )


def activation_stationary(gemm: Gemm, tokens: tuple[int, int], arrays: SystolicArrays, limits: Budget) -> Nest:
    """Arrays hold activation blocks (K x tokens) and the weights of all features stream past them.

    For each K block and wave of token blocks, for each group of feature blocks: one step. With fewer
    token blocks than arrays, several arrays hold the same one and split the features.
    """
    n, share = _waves(tokens, arrays, arrays.columns)
    k, m = blocks(0, gemm.inner, arrays.rows), blocks(0, gemm.outputs, share * arrays.columns)
    grid = Grid((len(k[0]), len(n[0]), len(m[0])))
    block, wave, group = grid.loops()
    keep = arrays.rows * gemm.outputs * limits.element_bytes <= limits.operands
    return Nest(
        n=pick(n, wave),
        k=pick(k, block),
        m=pick(m, group),
        stream=np.minimum(arrays.columns, (m[1] - m[0])[group]),
        preload=np.where(group == 0, arrays.rows, 0),
        x=Fetch(group == 0, grid.last(2)),
        w=Fetch((wave == 0) | (not keep), grid.last(1) if keep else grid.steps),
        bias=Fetch((block == 0) & (wave == 0), grid.last(0, 1)),
        stored=block == len(k[0]) - 1,
    )


def output_stationary(gemm: Gemm, tokens: tuple[int, int], arrays: SystolicArrays, limits: Budget) -> Nest:
    """Each array accumulates an output block (tokens x features) while both operands stream along K.

    For each group of feature blocks and wave of token blocks, for each K block: one step. `preload` of
    the first of them stands for the rows of the previous block of outputs, which are shifted out first.
    """
    n, share = _waves(tokens, arrays, arrays.rows)
    k, m = blocks(0, gemm.inner, arrays.rows), blocks(0, gemm.outputs, share * arrays.columns)
    grid = Grid((len(m[0]), len(n[0]), len(k[0])))
    group, wave, block = grid.loops()
    keep = gemm.inner * share * arrays.columns * limits.element_bytes <= limits.operands
    return Nest(
        n=pick(n, wave),
        k=pick(k, block),
        m=pick(m, group),
        stream=(k[1] - k[0])[block],
        preload=np.where(block == 0, arrays.rows, 0),
        x=Fetch(group == 0, grid.last(0)),
        w=Fetch((wave == 0) | (not keep), grid.last(1) if keep else grid.steps),
        bias=Fetch((block == 0) & (wave == 0), grid.last(1, 2)),
        stored=block == len(k[0]) - 1,
    )


def _waves(tokens: tuple[int, int], arrays: SystolicArrays, size: int) -> tuple[Edges, int]:
    """Token blocks taken at a time, at most one for each array; and how many arrays share each block."""
    count = min(-(-(tokens[1] - tokens[0]) // size), arrays.count)
    return blocks(*tokens, count * size), arrays.count // count


def _same(edges: tuple[int, int], count: int) -> Edges:
    return np.full(count, edges[0]), np.full(count, edges[1])


Loops = Callable[[Gemm, tuple[int, int], SystolicArrays, Budget], Nest]
DATAFLOWS: dict[Dataflow, Loops] = {
    "weight_stationary": weight_stationary,
    "activation_stationary": activation_stationary,
    "output_stationary": output_stationary,
}


def nest(dataflow: Dataflow, gemm: Gemm, arrays: SystolicArrays, limits: Budget) -> Nest:
    """Loop nest of a GEMM: chunks of tokens that fit on chip, one after the other."""
    chunk = token_limit(dataflow, gemm, arrays, limits)
    count = -(-gemm.tokens // chunk)
    size = min(chunk, round_up(-(-gemm.tokens // count), arrays.columns))
    edges = zip(*blocks(0, gemm.tokens, size), strict=True)
    return join([DATAFLOWS[dataflow](gemm, (int(first), int(end)), arrays, limits) for first, end in edges])


def token_limit(dataflow: Dataflow, gemm: Gemm, arrays: SystolicArrays, limits: Budget) -> int:
    """Tokens whose activations and partial sums fit on chip; CapacityError if not even one does."""
    lacking = shortage(dataflow, gemm, arrays, limits)
    if lacking:
        raise CapacityError(lacking)
    return min(have // need for _, need, have in _needs(dataflow, gemm, arrays, limits) if need)


def shortage(dataflow: Dataflow, gemm: Gemm, arrays: SystolicArrays, limits: Budget) -> str:
    """Why not even one token fits on chip, or nothing."""
    for name, need, have in _needs(dataflow, gemm, arrays, limits):
        if need > have:
            return (
                f"processor.scratchpad.{name}: one token of a GEMM with {gemm.inner:,} inputs and {gemm.outputs:,} "
                f"outputs needs {need:,} bytes, but half of it is {have:,} bytes; enlarge it or raise --tp"
            )
    return ""


def _needs(
    dataflow: Dataflow, gemm: Gemm, arrays: SystolicArrays, limits: Budget
) -> tuple[tuple[str, int, int], tuple[str, int, int]]:
    """Bytes of one token, and those that there are, in both scratchpads.

    Output-stationary arrays keep partial sums in themselves.
    """
    inputs = gemm.inner * limits.element_bytes
    wave = ACCUMULATOR_BYTES * min(gemm.outputs, arrays.count * arrays.columns)
    operands, sums = {
        "weight_stationary": (inputs, wave),
        "activation_stationary": (arrays.rows * limits.element_bytes, ACCUMULATOR_BYTES * gemm.outputs),
        "output_stationary": (inputs, 0),
    }[dataflow]
    return ("bytes", operands, limits.operands), ("accumulator_bytes", sums, limits.accumulators)
