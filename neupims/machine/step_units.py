"""The units that an operator's steps run on: systolic arrays or vector units."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neupims.events.probes import BusyTime
from neupims.isa.work import NpuWork
from neupims.machine import systolic
from neupims.machine.chain_steps import ChainSteps, Ended
from neupims.machine.core import Core
from neupims.machine.ranks import ROWS_OF_NPU
from neupims.machine.vector import row_latency

Ints = NDArray[np.int64]


class ArraySteps:
    """Steps of an operator on the systolic arrays."""

    def __init__(self, work: NpuWork, core: Core) -> None:
        self._core, self._arrays = core, core.npu.arrays
        self._timing = systolic.array_timing(work.steps, self._arrays, work.dataflow)
        self._state = systolic.ArrayState()
        self._busy = BusyTime()
        self._position: list[int] = np.cumsum(self._timing.interval).tolist()
        least = self._timing.interval if self._arrays.starts_in_past else self._timing.latency
        self._least = int(least.min()) if len(least) else 0

    def delay(self, waiting: int, cause: int) -> int:
        """Least cycles from the arrival of step `waiting`'s operands to the end of step `cause`, not before it.

        A step that starts in the past still ends later than the one before it by its interval.
        """
        return self._position[cause] - self._position[waiting] + self._least

    @property
    def busy_ps(self) -> int:
        """Time in which the arrays had a step in them."""
        return self._core.clock.ps(self._busy.total)

    def issue(self, part: slice, ready: Ints, ended: Ended) -> None:
        """Time the steps `part`, whose operands arrive at `ready`."""
        arrival = self._core.clock.edges(ready)
        ends = systolic.issue(self._timing, part, arrival, self._state, self._arrays)
        self._busy.add(arrival, ends)
        ended(part, ends * self._core.clock.period_ps)


class VectorSteps:
    """Steps of an operator on the vector units."""

    def __init__(self, work: NpuWork, core: Core) -> None:
        self._core, self._rows = core, work.steps["rows"]
        elements, which = np.unique(work.steps["stream"], return_inverse=True)
        size = core.npu.element_bytes
        each = [work.turns * row_latency(work.kind, int(n), core.npu.vector, size) for n in elements]
        self._latency = np.array(each, np.int64)[which] if each else np.empty(0, np.int64)
        self._least: list[int] = np.minimum.accumulate(self._latency[::-1])[::-1].tolist()
        """For each step, the least latency from it on."""
        self._in_order = core.npu.vector.order == "program"
        self._next_start = self._next_end = 0

    def delay(self, waiting: int, cause: int) -> int:
        """Least cycles from the arrival of step `waiting`'s operands to the end of step `cause`, not before it."""
        return self._least[waiting]

    @property
    def busy_ps(self) -> int:
        """Work of the units, summed over them."""
        return self._core.clock.ps(int((self._latency * self._rows).sum()))

    def issue(self, part: slice, ready: Ints, ended: Ended) -> None:
        """Give the steps `part` to the units when their operands have arrived; in program order, one per cycle."""
        if self._in_order:
            turns = np.arange(len(ready)) * self._core.clock.period_ps
            ready = np.maximum.accumulate(np.maximum(ready, self._next_start) - turns) + turns
            self._next_start = int(ready[-1]) + self._core.clock.period_ps
        cuts = np.flatnonzero(np.diff(ready)) + 1
        edges = [0, *cuts.tolist(), len(ready)]
        for low, high in pairwise(edges):
            steps = slice(part.start + low, part.start + high)
            self._core.agenda.at(int(ready[low]), (*ROWS_OF_NPU, steps.start), partial(self._run, steps, ended))

    def _run(self, steps: slice, ended: Ended) -> None:
        rows, latencies = self._rows[steps].tolist(), self._latency[steps].tolist()
        for step, count, latency in zip(range(steps.start, steps.stop), rows, latencies, strict=True):
            self._core.vector.run(count, latency, "npu", partial(self._tell, step, ended))

    def _tell(self, step: int, ended: Ended, end: int) -> None:
        time = self._core.clock.ps(end)
        if self._in_order:
            time = max(time, self._next_end)
            self._next_end = time + self._core.clock.period_ps
        ended(slice(step, step + 1), np.array([time]))


def array_steps(work: NpuWork, core: Core) -> ArraySteps | ChainSteps:
    """Steps on the arrays alone, or in turn with a vector unit."""
    return (ChainSteps if work.chain else ArraySteps)(work, core)


UNITS: dict[str, Callable[[NpuWork, Core], ArraySteps | ChainSteps | VectorSteps]] = {
    "array": array_steps,
    "vector": VectorSteps,
}
