"""Systolic arrays: how long steps take, and when each ends once its operands have arrived.

A step streams vectors past a stationary operand. Its latency is fill + drain + stream, the next step
follows after the longer of the stream and the load of the next stationary block (double buffered) or
after both (single buffered). With `folded`, the timing is that of the published simulator, where
one pipeline stands for all arrays (a step of 128 x 128 x 128 streams 128 / 8 = 16 vectors); with
`preload: drained`, that of its branch for the NPU without PIM.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.npu import SystolicArrays
from neupims.isa.work import Dataflow, Records

Cycles = NDArray[np.int64]
Cost = Callable[[Records, Dataflow], int]

LONG_AGO = -(1 << 40)
SHORTEST_STREAM = 4
"""Shortest stream of the published simulator."""


@dataclass(slots=True)
class ArrayState:
    """What the next step must know of the last one; cycles of the NPU clock."""

    start: int = LONG_AGO
    end: int = LONG_AGO
    issue: int = LONG_AGO


@dataclass(frozen=True, slots=True)
class ArrayTiming:
    """Cycles of each step of an operator."""

    interval: Cycles
    """From the start of the step before it, at least; of the first step, its exposed preload."""
    latency: Cycles
    """From the start of a step (its first vector enters) to its last result."""
    exposed: Cycles
    """From the arrival of a step's operands to its start, when the arrays are idle."""


def array_timing(steps: Records, arrays: SystolicArrays, dataflow: Dataflow) -> ArrayTiming:
    """Timing of STEP records.

    Weight and activation stationary: latency = rows + columns - 2 + stream. Output stationary: the
    results leave after the stream (= K), rows cycles more.
    """
    if arrays.folded and arrays.preload == "drained":
        return _drained(steps, arrays)
    stream, preload = steps["stream"].astype(np.int64), steps["preload"].astype(np.int64)
    drain = arrays.rows if dataflow == "output_stationary" else 0
    exposed = preload
    if arrays.folded:
        stream = np.maximum(stream, SHORTEST_STREAM)
        exposed = np.where(preload > 0, arrays.rows + arrays.columns - 1, 0)
        preload = np.where(preload > 0, arrays.rows, 0)
    before = np.concatenate(([0], stream[:-1]))[: len(stream)]
    behind = np.maximum(preload, drain)
    interval = np.maximum(before, behind) if arrays.double_buffered or arrays.folded else before + behind
    return ArrayTiming(interval, arrays.rows + arrays.columns - 2 + stream + drain, exposed)


def _drained(steps: Records, arrays: SystolicArrays) -> ArrayTiming:
    """A step with a preload starts when the one before it has left the arrays: rows + columns - 1 + stream later."""
    stream, preload = steps["stream"].astype(np.int64), steps["preload"].astype(np.int64)
    latency = arrays.rows + arrays.columns - 1 + stream
    busy = np.where(preload[1:] > 0, latency[:-1], stream[:-1])
    return ArrayTiming(np.concatenate((preload[:1], busy)), latency, preload)


def intervals(steps: Records, arrays: SystolicArrays, dataflow: Dataflow) -> tuple[Cycles, Cycles]:
    """Interval and latency of each step; see `ArrayTiming`."""
    timing = array_timing(steps, arrays, dataflow)
    return timing.interval, timing.latency


def issue(timing: ArrayTiming, part: slice, ready: Cycles, state: ArrayState, arrays: SystolicArrays) -> Cycles:
    """Ends of the steps `part`, which follow those issued before; operands arrive at `ready` (ascending)."""
    if not len(ready):
        return ready
    return (_issue_folded if arrays.folded else _issue_streams)(timing, part, ready, state, arrays)


def _issue_streams(
    timing: ArrayTiming, part: slice, ready: Cycles, state: ArrayState, arrays: SystolicArrays
) -> Cycles:
    """start[i] = max(start[i-1] + interval[i], ready[i] + exposed[i]), as a running maximum."""
    offset = np.cumsum(timing.interval[part])
    free = np.maximum.accumulate(ready + timing.exposed[part] - offset)
    start = np.maximum(free, state.start) + offset
    end = start + timing.latency[part]
    state.start, state.end, state.issue = int(start[-1]), int(end[-1]), int(ready[-1])
    return end


def _issue_folded(timing: ArrayTiming, part: slice, ready: Cycles, state: ArrayState, arrays: SystolicArrays) -> Cycles:
    """In order, one issue and one end per cycle; a preload is hidden only behind a busy pipeline."""
    ends = np.empty(len(ready), np.int64)
    columns = (ready, timing.interval[part], timing.latency[part], timing.exposed[part])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for i, (arrival, interval, latency, exposed) in enumerate(rows):
        state.issue = max(arrival, state.issue + 1)
        if state.end <= state.issue:
            state.start = state.issue + exposed
        else:
            state.start += interval
            if not arrays.starts_in_past:
                state.start = max(state.start, state.issue)
        state.end = max(state.start + latency, state.issue + 1, state.end + 1)
        ends[i] = state.end
    return ends


def cost(steps: Records, arrays: SystolicArrays, dataflow: Dataflow) -> int:
    """Cycles that the steps take when all operands are there."""
    ready = np.zeros(len(steps), np.int64)
    ends = issue(array_timing(steps, arrays, dataflow), slice(None), ready, ArrayState(), arrays)
    return int(ends[-1]) if len(ends) else 0


def cost_of(arrays: SystolicArrays) -> Cost:
    """`cost` for given arrays, as lowering wants it to choose a dataflow."""
    return lambda steps, dataflow: cost(steps, arrays, dataflow)


def gemm_cycles(m: int, n: int, k: int, arrays: SystolicArrays, dataflow: Dataflow) -> int:
    """Cycles of an m x k by k x n product on one array whose folds follow each other without overlap.

    Closed forms of SCALE-Sim: with a stationary operand of R x C, each fold takes R to load, then
    R + C - 2 + stream; with stationary outputs R + C - 2 + K.
    """
    folds, stream, load = _FOLDS[dataflow](m, n, k, arrays.rows, arrays.columns)
    return folds * (load + arrays.rows + arrays.columns - 2 + stream) - 1


Folds = Callable[[int, int, int, int, int], tuple[int, int, int]]

_FOLDS: dict[str, Folds] = {
    "weight_stationary": lambda m, n, k, r, c: (ceil(k / r) * ceil(n / c), m, r),
    "activation_stationary": lambda m, n, k, r, c: (ceil(k / r) * ceil(m / c), n, r),
    "output_stationary": lambda m, n, k, r, c: (ceil(m / r) * ceil(n / c), k, 0),
}
