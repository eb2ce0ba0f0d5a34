"""GEMM tiles: what each step of each dataflow loads, streams, frees and stores. Pure geometry, no addresses.

out[tokens, outputs] = X[tokens, inner] W[inner, outputs]. A dataflow is a loop nest; it is written down
as a `Nest`, one entry for each step, from which `tiling` makes the step records and the lists of tiles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neupims.isa.work import STEP, Dataflow, Records
from neupims.lowering.places import Integers, areas, rectangles

Flags = NDArray[np.bool_]
Edges = tuple[Integers, Integers]
"""First index and index after the last along one dimension, for each block or step."""

X, W, BIAS = 0, 1, 2
"""Operands of a GEMM."""


@dataclass(frozen=True, slots=True)
class Gemm:
    """Shape of one matrix product."""

    tokens: int
    inner: int
    outputs: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.tokens * self.inner * self.outputs


@dataclass(frozen=True, slots=True)
class Fetch:
    """When one operand is loaded: at the steps with `at`; what such a step loads is freed after step `until`."""

    at: Flags
    until: Integers
    rects: Integers | None = None
    """What each step would load, where the blocks of the nest do not tell."""


@dataclass(frozen=True, slots=True)
class Nest:
    """A loop nest, one entry for each step."""

    n: Edges
    """Tokens."""
    k: Edges
    """Inner dimension."""
    m: Edges
    """Outputs."""
    stream: Integers
    preload: Integers
    x: Fetch
    w: Fetch
    bias: Fetch
    stored: Flags
    """Whether the outputs (n, m) of the step are complete and stored after it."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Steps with their tiles; loads and stores in the order in which they are wanted."""

    dataflow: Dataflow
    steps: Records
    operand: NDArray[np.int8]
    """X, W or BIAS for each load."""
    loaded: Integers
    """Rectangle of each load in its matrix."""
    stored: Integers
    """Rectangle of each store in the output."""
    store_steps: Integers

    def loaded_bytes(self, element_bytes: int) -> int:
        """Bytes that come from memory."""
        return int(areas(self.loaded).sum()) * element_bytes


def tiling(
    dataflow: Dataflow, nest: Nest, element_bytes: int, bias: bool = True, order: tuple[int, ...] = (BIAS, X, W)
) -> Tiling:
    """Steps, loads and stores of a loop nest; a step loads its operands in `order`, without a bias if there is none."""
    known = {
        BIAS: (BIAS, nest.bias, rectangles(0, 1, *nest.m) if nest.bias.rects is None else nest.bias.rects),
        X: (X, nest.x, rectangles(*nest.n, *nest.k)),
        W: (W, nest.w, rectangles(*nest.k, *nest.m)),
    }
    operands = [known[operand] for operand in order if bias or operand != BIAS]
    step = np.concatenate([np.flatnonzero(fetch.at) for _, fetch, _ in operands])
    code = np.concatenate([np.full(int(fetch.at.sum()), operand, np.int8) for operand, fetch, _ in operands])
    loaded = np.concatenate([rects[fetch.at] for _, fetch, rects in operands])
    until = np.concatenate([fetch.until[fetch.at] for _, fetch, _ in operands])
    turn = np.argsort(step, kind="stable")
    steps = np.zeros(len(nest.stream), STEP)
    steps["loads"] = np.cumsum(np.bincount(step, minlength=len(steps)))
    steps["stream"], steps["preload"] = nest.stream, nest.preload
    np.add.at(steps["frees"], until, areas(loaded) * element_bytes)
    stored = rectangles(*nest.n, *nest.m)[nest.stored]
    return Tiling(dataflow, steps, code[turn], loaded[turn], stored, np.flatnonzero(nest.stored))


def blocks(first: int, end: int, size: int) -> Edges:
    """Edges of blocks of `size` that cover [first, end)."""
    start = np.arange(first, end, size)
    return start, np.minimum(start + size, end)


def pick(edges: Edges, which: Integers) -> Edges:
    """Edges of the chosen blocks."""
    return edges[0][which], edges[1][which]


@dataclass(frozen=True, slots=True)
class Grid:
    """Loops of the given lengths, outermost first."""

    lengths: tuple[int, ...]

    @property
    def steps(self) -> Integers:
        """Number of each step, 0 to the product of the lengths."""
        return np.arange(int(np.prod(self.lengths)))

    def loops(self) -> tuple[Integers, ...]:
        """Value of each loop variable at each step."""
        return tuple(np.unravel_index(self.steps, self.lengths))

    def last(self, *loops: int) -> Integers:
        """For each step, the step at which the given loops have reached their last turn."""
        variables = list(self.loops())
        for loop in loops:
            variables[loop] = np.full_like(variables[loop], self.lengths[loop] - 1)
        return np.ravel_multi_index(tuple(variables), self.lengths)


def join(nests: list[Nest]) -> Nest:
    """One nest after the other."""
    offsets = np.cumsum([0] + [len(nest.stream) for nest in nests[:-1]])
    return Nest(
        _edges([nest.n for nest in nests]),
        _edges([nest.k for nest in nests]),
        _edges([nest.m for nest in nests]),
        np.concatenate([nest.stream for nest in nests]),
        np.concatenate([nest.preload for nest in nests]),
        _fetches([nest.x for nest in nests], offsets),
        _fetches([nest.w for nest in nests], offsets),
        _fetches([nest.bias for nest in nests], offsets),
        np.concatenate([nest.stored for nest in nests]),
    )


def _edges(parts: list[Edges]) -> Edges:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _fetches(parts: list[Fetch], offsets: Integers) -> Fetch:
    until = [part.until + offset for part, offset in zip(parts, offsets, strict=True)]
    rects = [part.rects for part in parts if part.rects is not None]
    joined = np.concatenate(rects) if rects else None
    return Fetch(np.concatenate([part.at for part in parts]), np.concatenate(until), joined)
