"""A matrix in the banks times vectors, in progress: tiles in all channels, sums, and results to memory."""

from functools import partial

from simpy.events import Event

from neupims.isa.work import PimMatrix
from neupims.machine.core import Core
from neupims.machine.outcome import OperatorSpan
from neupims.machine.pending_writes import PendingWrites
from neupims.machine.pim_batch import Phase, Writes, departures, expect
from neupims.machine.pim_rows import ROWS
from neupims.machine.ranks import ATTEND_RESULT, END_OF_PIM
from neupims.machine.vector import row_latency


class MatrixRun:
    """State of a PimMatrix from its first instruction to its last acknowledged result."""

    def __init__(self, work: PimMatrix, core: Core) -> None:
        pim, memory = core.system.pim, core.system.memory
        if pim is None or memory is None:
            raise ValueError(f"{work.name}: {core.system.name} has no PIM")
        self.work, self.core, self._pim, self._memory = work, core, pim, memory.organization
        self._tiles = Phase(work.vectors, work.channels, core.transfers)
        self._output = Writes(work.output, core.transfers)
        units, size = core.npu.vector, core.npu.element_bytes
        self._sum = work.sums * row_latency("partial_sum", self._memory.banks, units, size)
        self.finished = Event(core.env)

    def begin(self) -> None:
        """Start the work now."""
        now, vectors = self.core.now, len(self.work.vectors)
        self.start = now
        sizes = [int(runs["bursts"].sum()) * self._memory.burst_bytes for runs in self.work.output]
        self._known = PendingWrites(self._output, self.work.channels, sizes, self.core, self._finish_at, vectors)
        self._rows = ROWS[self.core.npu.vector.order](range(self._tiles.count), self.core, self._known.result)
        expect(self.core, self._tiles, self._arrived, self._sum)
        key, first = self._tiles.count, now + self.core.operator_gap_ps
        for cycles, part in departures(self._tiles.records, self._pim, self._memory.channels):
            self.core.transfers.send_pim(first + self.core.transfers.clock.ps(cycles), key, part)
            key += 1

    def _arrived(self, row: int, arrival: int) -> None:
        if self._sum:
            key = (*ATTEND_RESULT, self._tiles.first + row)
            self.core.agenda.at(arrival, key, partial(self._rows.arrived, row, self._sum))
        else:
            self._known.result(row, arrival)

    def _finish_at(self, time: int) -> None:
        self.end = time
        self.core.agenda.at(time, END_OF_PIM, self._finish)

    def _finish(self) -> None:
        self.finished.succeed()

    def spans(self) -> tuple[OperatorSpan, ...]:
        """What the work did, once it has finished."""
        work, burst = self.work, self._memory.burst_bytes
        moved = (self._tiles.bursts * burst, self._output.bursts * burst)
        return (OperatorSpan(work.name, work.kind, "pim", self.start, self.end, work.macs, 0, *moved),)
