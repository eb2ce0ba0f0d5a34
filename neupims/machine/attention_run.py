"""Decode attention in progress: logits in the banks, softmax on the vector units, attention in the banks.

Scores go back to memory because PIM_GWRITE reads them there; the attention output goes to memory for
the projection. Where a head leaves the banks in several parts, the vector units add them.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event

from neupims.isa.work import PimWork, Records
from neupims.machine.core import Core
from neupims.machine.outcome import OperatorSpan
from neupims.machine.pending_writes import PendingWrites
from neupims.machine.pim_batch import Phase, Writes, departures, expect, pipelined
from neupims.machine.pim_rows import ROWS
from neupims.machine.ranks import ATTEND_RESULT, END_OF_PIM, LOGIT_RESULT
from neupims.machine.split_requests import Gathered, wholes_of
from neupims.machine.transfers import NEVER
from neupims.machine.vector import row_latency

Ints = NDArray[np.int64]


class AttentionRun:
    """State of a PimWork from its first instruction to its last acknowledged output."""

    def __init__(self, work: PimWork, core: Core) -> None:
        pim, memory = core.system.pim, core.system.memory
        if pim is None or memory is None:
            raise ValueError(f"{work.name}: {core.system.name} has no PIM")
        self.work, self.core, self._pim, self._memory = work, core, pim, memory.organization
        requests, transfers = work.requests, core.transfers
        self._logit = Phase([r.logit for r in requests], work.heads, transfers)
        self._attend = Phase([r.attend for r in requests], work.heads * work.tiles_apart, transfers)
        by_head = core.system.policy.attention_order == "head"
        self._scores = Writes([r.scores for r in requests], transfers, apart=by_head)
        self._output = Writes([r.output for r in requests], transfers)
        self._wholes = wholes_of(requests)
        self._logits = Gathered(self._wholes, work.heads, self._logits_known)
        self._attended = Gathered(self._wholes, self._attend.results, self._attends_known)
        self._sum = self._latency("partial_sum", self._memory.banks)
        self._softmax: list[int] = self._softmax_latencies().tolist()
        self._sums: list[int] = self._sum_latencies().tolist()
        self.finished = Event(core.env)
        self._softmax_busy = 0

    def _latency(self, kind: str, elements: int) -> int:
        return row_latency(kind, elements, self.core.npu.vector, self.core.npu.element_bytes)

    def _softmax_latencies(self) -> Ints:
        """Cycles of the softmax of each row of logits, with the additions of those that come in several pieces."""
        whole = np.repeat([-(-r.length // self._memory.banks) for r in self.work.requests], self._logit.results)
        pieces = self._logits.summed(np.maximum(self._logit.parts - whole, 0))
        softmax = [self._latency("softmax", whole.length) for whole in self._wholes for _ in range(whole.parts)]
        return np.repeat(softmax, self._logit.results) + pieces * self._sum

    def _sum_latencies(self) -> Ints:
        """Cycles that add what comes in pieces; as published, one addition of all pieces of a head."""
        whole = -(-self.work.head_dim // self._memory.banks) // self.work.tiles_apart
        pieces = self._attended.summed(np.maximum(self._attend.parts - whole, 0))
        one = self._latency("partial_sum", self.work.head_dim)
        others = self._attended.summed(np.ones_like(pieces)) - 1
        published = self.core.npu.vector.counts == "published"
        return np.where(published & (pieces > 0), one, pieces * self._sum + others * one)

    # Beginning and end ----------------------------------------------------------------------

    def begin(self) -> None:
        """Start the work now."""
        now, count = self.core.now, len(self.work.requests)
        self.start = self._logit_end = now
        self._attend_start: int | None = None
        self._softmax_start, self._softmax_end = NEVER, now
        size, (heads, results) = self.core.npu.element_bytes, (self._logit.results, self._attend.results)
        rows = [request.length * size for request in self.work.requests]
        self._scores_known = PendingWrites(self._scores, heads, rows, self.core, self._scored, count)
        outputs = [self.work.head_dim * size] * count
        self._output_known = PendingWrites(
            self._output, results, outputs, self.core, self._finish_at, len(self._wholes), self._logit.count
        )
        firsts, order = [whole.first for whole in self._wholes], ROWS[self.core.npu.vector.order]
        softmax = [first * heads + head for first in firsts for head in range(heads)]
        sums = (first * results + result for first in firsts for result in range(results))
        self._softmax_rows = order(softmax, self.core, self._row_scored)
        self._sum_rows = order([row for row in sums if self._sums[row]], self.core, self._output_known.result)
        ORDERS[self.core.system.policy.attention_order](self)

    def _finish_at(self, time: int) -> None:
        self.end = time
        self.core.agenda.at(time, END_OF_PIM, self._finish)

    def _finish(self) -> None:
        self.finished.succeed()

    def spans(self) -> tuple[OperatorSpan, ...]:
        """What the work did, once it has finished."""
        name, burst = self.work.name, self._memory.burst_bytes
        macs, clock = self.work.macs // 2, self.core.clock
        first_attend = self._scores_known.earliest if self._attend_start is None else self._attend_start
        times = ((self.start, self._logit_end), (self._softmax_start, self._softmax_end), (first_attend, self.end))
        read = (self._logit.bursts * burst, 0, self._attend.bursts * burst)
        written = (self._scores.bursts * burst, 0, self._output.bursts * burst)
        busy = (0, clock.ps(self._softmax_busy), 0)
        rows = zip(PARTS, times, (macs, 0, self.work.macs - macs), read, written, busy, strict=True)
        return tuple(
            OperatorSpan(f"{name}.{part}", kind, unit, start, end, m, 0, r, w, b)
            for (part, kind, unit), (start, end), m, r, w, b in rows
        )

    # Instructions ---------------------------------------------------------------------------

    def run_with_barrier(self) -> None:
        """All logits now; the attends when every score has been written."""
        self._expect_logits()
        self._dispatch(self._logit.records)

    def run_by_request(self) -> None:
        """All programs now, each attend held until the scores of its request, or of its head, have been written."""
        self._expect_logits()
        self._expect_attends()
        self._dispatch(pipelined(self.work.requests, self._logit, self._attend, self._scores))

    def _dispatch(self, records: Records) -> None:
        key = self._logit.count + self._attend.count
        first = self.core.now + self.core.operator_gap_ps
        for cycles, part in departures(records, self._pim, self._memory.channels):
            self.core.transfers.send_pim(first + self.core.transfers.clock.ps(cycles), key, part)
            key += 1

    # Logits and softmax ---------------------------------------------------------------------

    def _expect_logits(self) -> None:
        expect(self.core, self._logit, self._logits.known, min(self._softmax))

    def _logits_known(self, row: int, arrival: int) -> None:
        """All logits of a head of a request arrive at `arrival`; `row` is that of its first part."""
        self.core.agenda.at(arrival, (*LOGIT_RESULT, self._logit.first + row), partial(self._run_softmax, row))

    def _run_softmax(self, row: int) -> None:
        latency = self._softmax[row]
        self._softmax_busy += latency
        self._softmax_start = min(self._softmax_start, self.core.now)
        self._softmax_rows.arrived(row, latency)

    def _row_scored(self, row: int, time: int) -> None:
        self._softmax_end = max(self._softmax_end, time)
        for each in self._logits.rows(row):
            self._scores_known.result(each, time)

    def _scored(self, time: int) -> None:
        """All scores of the batch have been written at `time`."""
        self._logit_end = time
        if self.core.system.policy.attention_order == "barrier":
            self.core.agenda.at(time, END_OF_PIM, self._begin_attends)

    # Attends --------------------------------------------------------------------------------

    def _begin_attends(self) -> None:
        self._attend_start = self.core.now
        self._expect_attends()
        self._dispatch(self._attend.records)

    def _expect_attends(self) -> None:
        expect(self.core, self._attend, self._attended.known, 0)

    def _attends_known(self, row: int, arrival: int) -> None:
        """What all parts of a request attend to for a result is there; `row` is that of its first part."""
        if latency := self._sums[row]:
            key = (*ATTEND_RESULT, self._attend.first + row)
            self.core.agenda.at(arrival, key, partial(self._sum_rows.arrived, row, latency))
        else:
            self._output_known.result(row, arrival)


Order = Callable[[AttentionRun], None]

ORDERS: dict[str, Order] = {
    "barrier": AttentionRun.run_with_barrier,
    "request": AttentionRun.run_by_request,
    "head": AttentionRun.run_by_request,
}
PARTS = (("logit", "attention", "pim"), ("softmax", "softmax", "vector"), ("attend", "attention", "pim"))
