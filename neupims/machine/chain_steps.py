"""Steps of an operator that go back and forth between the arrays and a vector unit."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neupims.events.probes import BusyTime
from neupims.isa.work import NpuWork
from neupims.machine import systolic
from neupims.machine.core import Core

Ints = NDArray[np.int64]
Ended = Callable[[slice, Ints], None]


class ChainSteps:
    """Steps with `rows` take `stream` cycles of a vector unit, the others run on the arrays.

    A vector step starts when the step before it has ended, and the step behind it when it has ended
    itself. The unit is taken to be free: nothing else runs beside such an operator.
    """

    def __init__(self, work: NpuWork, core: Core) -> None:
        self._core, self._arrays = core, core.npu.arrays
        self._timing = systolic.array_timing(work.steps, self._arrays, work.dataflow)
        self._state = systolic.ArrayState()
        self._vector = work.steps["rows"] > 0
        self._cycles = work.steps["stream"].astype(np.int64)
        self._end = systolic.LONG_AGO
        """End of the last step."""
        self._busy = BusyTime()
        self._latency = np.where(self._vector, self._cycles, self._timing.latency)
        waits = self._vector | np.concatenate(([False], self._vector[:-1]))
        before = np.concatenate(([0], self._latency[:-1]))
        self._position = np.cumsum(np.where(waits, before, self._timing.interval))

    def delay(self, waiting: int, cause: int) -> int:
        """Least cycles from the arrival of step `waiting`'s operands to the end of step `cause`, not before it."""
        if self._arrays.starts_in_past:
            return 1
        return int(self._position[cause] - self._position[waiting] + self._latency[cause])

    @property
    def busy_ps(self) -> int:
        """Time in which the arrays had a step in them."""
        return self._core.clock.ps(self._busy.total)

    def issue(self, part: slice, ready: Ints, ended: Ended) -> None:
        """Time the steps `part`, whose operands arrive at `ready`."""
        arrival, vector = self._core.clock.edges(ready), self._vector[part]
        turns = np.flatnonzero(vector[1:] | vector[:-1]) + 1
        ends = [
            self._run(slice(part.start + low, part.start + high), arrival[low:high])
            for low, high in pairwise((0, *turns.tolist(), len(arrival)))
        ]
        ended(part, np.concatenate(ends) * self._core.clock.period_ps)

    def _run(self, part: slice, arrival: Ints) -> Ints:
        """Ends of array steps that follow each other, or of one vector step."""
        if self._vector[part.start]:
            ends = np.maximum(arrival, max(self._end, self._state.issue + 1)) + self._cycles[part]
        else:
            behind_vector = part.start > 0 and bool(self._vector[part.start - 1])
            ready = np.maximum(arrival, self._end) if behind_vector else arrival
            ends = systolic.issue(self._timing, part, ready, self._state, self._arrays)
            self._busy.add(ready, ends)
        self._end = int(ends[-1])
        return ends
