"""Systolic arrays: how long steps take, and when each ends once its operands have arrived.

A step streams vectors past a stationary operand. Its latency is fill + drain + stream, the next step
follows after the longer of the stream and the load of the next stationary block (double buffered) or
after both (single buffered). With `folded`, the timing is that of the published simulator, where
one pipeline stands for all arrays (a step of 128 x 128 x 128 streams 128 / 8 = 16 vectors); with
`preload: drained`, that of its branch for the NPU without PIM.
"""

from collections.abc import Callable
from dataclasses import dataclass

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

    Weight and activation stationary: latency = rows + columns - 2 + stream. Output stationary: see `_shifted`.
    """
    if arrays.folded and arrays.preload == "drained":
        return _drained(steps, arrays)
    if dataflow == "output_stationary" and not arrays.folded:
        return _shifted(steps, arrays)
    stream, preload = steps["stream"].astype(np.int64), steps["preload"].astype(np.int64)
    exposed = preload
    if arrays.folded:
        stream = np.maximum(stream, SHORTEST_STREAM)
        exposed = np.where(preload > 0, arrays.rows + arrays.columns - 1, 0)
        preload = np.where(preload > 0, arrays.rows, 0)
    before = np.concatenate(([0], stream[:-1]))[: len(stream)]
    interval = np.maximum(before, preload) if arrays.double_buffered or arrays.folded else before + preload
    return ArrayTiming(interval, arrays.rows + arrays.columns - 2 + stream, exposed)


def _shifted(steps: Records, arrays: SystolicArrays) -> ArrayTiming:
    """Output stationary: a block of outputs streams K over some steps, then its results are shifted out.

    A step with a preload begins a block; it waits for the results of the block before, which take
    `preload` cycles to leave: behind the streams of its successor when double buffered, or before them.
    """
    stream, preload = steps["stream"].astype(np.int64), steps["preload"].astype(np.int64)
    before = np.concatenate(([0], stream[:-1]))[: len(stream)]
    first = np.flatnonzero(preload)
    last = np.union1d(first[first > 0] - 1, np.arange(len(stream))[-1:])
    wait = np.zeros_like(stream)
    hidden = np.diff(np.cumsum(stream)[first] - stream[first]) if arrays.double_buffered else 0
    wait[first[1:]] = np.maximum(preload[first[1:]] - hidden, 0)
    latency = arrays.rows + arrays.columns - 2 + stream
    latency[last] += arrays.rows
    return ArrayTiming(before + wait, latency, np.zeros_like(stream))


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
    """start[i] = max(start[i-1] + interval[i], ready[i] + exposed[i]), as a running maximum; ends in order."""
    offset = np.cumsum(timing.interval[part])
    free = np.maximum.accumulate(ready + timing.exposed[part] - offset)
    start = np.maximum(free, state.start) + offset
    end = np.maximum.accumulate(np.maximum(start + timing.latency[part], state.end))
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
