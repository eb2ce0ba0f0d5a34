"""Decode attention in progress: logits in the banks, softmax on the vector units, attention in the banks.

Scores go back to memory because PIM_GWRITE reads them there; the attention output goes to memory for
the projection. Where a head leaves the banks in several parts, the vector units add them.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from simpy.events import Event

from neupims.events.join import Join
from neupims.isa.work import PimWork, Records
from neupims.machine.core import Core
from neupims.machine.outcome import OperatorSpan
from neupims.machine.pim_batch import Phase, Writes, departures, expect, pipelined
from neupims.machine.pim_rows import ROWS
from neupims.machine.ranks import ATTEND_RESULT, END_OF_PIM, LOGIT_RESULT
from neupims.machine.split_requests import Gathered, wholes_of
from neupims.machine.transfers import NEVER, PIM_PORT
from neupims.machine.vector import row_latency


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
        self._softmax = {whole.first: self._latency("softmax", whole.length) for whole in self._wholes}
        self._sum = self._latency("partial_sum", self._memory.banks)
        self._sum_of_head = self._latency("partial_sum", work.head_dim)
        self._whole_logits = [-(-r.length // self._memory.banks) for r in requests]
        self._whole_output = -(-work.head_dim // self._memory.banks) // work.tiles_apart
        self.finished = Event(core.env)
        self._softmax_busy = 0

    def _latency(self, kind: str, elements: int) -> int:
        return row_latency(kind, elements, self.core.npu.vector, self.core.npu.element_bytes)

    # Beginning and end ----------------------------------------------------------------------

    def begin(self) -> None:
        """Start the work now."""
        now, count = self.core.now, len(self.work.requests)
        self.start = self._logit_end = now
        self._attend_start: int | None = None
        self._softmax_start, self._softmax_end = NEVER, now
        self._scores_known = PendingWrites(self._scores, count, self.core, self._scored)
        self._output_known = PendingWrites(self._output, len(self._wholes), self.core, self._finish_at)
        self._score_parts = self._parts(self._scores, self._logit.results, self._part_scored)
        self._output_parts = self._parts(self._output, self._attend.results, self._part_attended)
        rows, results = ROWS[self.core.npu.vector.order], self._attend.results
        heads = [whole.first * self._logit.results + head for whole in self._wholes for head in range(self.work.heads)]
        outputs = (whole.first * results + result for whole in self._wholes for result in range(results))
        self._softmax_rows = rows(heads, self.core, self._row_scored)
        self._sum_rows = rows([row for row in outputs if self._sum_latency(row)], self.core, self._row_attended)
        ORDERS[self.core.system.policy.attention_order](self)

    def _parts(self, writes: Writes, results: int, action: Callable[[int, int, int], None]) -> list[list[Join]]:
        """For each request, a join over the results of each part of its writes."""
        now = self.core.now
        return [
            [Join(results // parts, now, partial(action, request, part)) for part in range(parts)]
            for request, parts in enumerate(writes.parts)
        ]

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
        expect(self.core, self._logit, self._logit_known, min(self._softmax.values()))

    def _logit_known(self, block: int) -> None:
        self._logits.known(block - self._logit.first, int(self.core.transfers.arrived[block]))

    def _logits_known(self, row: int, arrival: int) -> None:
        """All logits of a head of a request arrive at `arrival`; `row` is that of its first part."""
        self.core.agenda.at(arrival, (*LOGIT_RESULT, self._logit.first + row), partial(self._run_softmax, row))

    def _run_softmax(self, row: int) -> None:
        results = self._logit.results
        extra = [int(self._logit.parts[r]) - self._whole_logits[r // results] for r in self._logits.rows(row)]
        latency = self._softmax[row // results] + sum(max(0, parts) for parts in extra) * self._sum
        self._softmax_busy += latency
        self._softmax_start = min(self._softmax_start, self.core.now)
        self._softmax_rows.arrived(row, latency)

    def _row_scored(self, row: int, time: int) -> None:
        for each in self._logits.rows(row):
            _count_down(self._score_parts, each, self._logit.results, time)

    def _part_scored(self, request: int, part: int, time: int) -> None:
        self._softmax_end = max(self._softmax_end, time)
        size = self.work.requests[request].length * self.core.npu.element_bytes
        self._scores_known.send(request, part, time, request * self.work.heads + part, size)

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
        expect(self.core, self._attend, self._attend_known, 0)

    def _attend_known(self, block: int) -> None:
        self._attended.known(block - self._attend.first, int(self.core.transfers.arrived[block]))

    def _attends_known(self, row: int, arrival: int) -> None:
        """What all parts of a request attend to for a result is there; `row` is that of its first part."""
        key, latency = (*ATTEND_RESULT, self._attend.first + row), self._sum_latency(row)
        if latency:
            self.core.agenda.at(arrival, key, partial(self._sum_rows.arrived, row, latency))
        else:
            self._row_attended(row, arrival)

    def _sum_latency(self, row: int) -> int:
        """Cycles that add what comes in pieces; as published, one addition of all pieces of a head."""
        rows = self._attended.rows(row)
        extra = sum(max(0, int(self._attend.parts[each]) - self._whole_output) for each in rows)
        if extra > 0 and self.core.npu.vector.counts == "published":
            return self._sum_of_head
        return extra * self._sum + (len(rows) - 1) * self._sum_of_head

    def _row_attended(self, row: int, time: int) -> None:
        _count_down(self._output_parts, row, self._attend.results, time)

    def _part_attended(self, request: int, part: int, time: int) -> None:
        key, size = self._logit.count + request * self._attend.results + part, self.work.head_dim
        self._output_known.send(request, part, time, key, size * self.core.npu.element_bytes)


def _count_down(parts: list[list[Join]], row: int, results: int, time: int) -> None:
    request, result = divmod(row, results)
    joins = parts[request]
    joins[result * len(joins) // results].count_down(time)


class PendingWrites:
    """Writes of the requests of a batch, some of which may have none; `action` gets the time of the last."""

    def __init__(self, writes: Writes, requests: int, core: Core, action: Callable[[int], None]) -> None:
        self._writes, self._core = writes, core
        self._known = Join(writes.count + requests - writes.requests, core.now, action)
        self._unsent = sum(parts for request, parts in enumerate(writes.parts) if request in writes)
        self.earliest = NEVER
        """When the first of them is complete."""
        self._all_known = Join(writes.count, 0, lambda _: None)
        core.transfers.watch(writes.first, writes.count, self._learn)

    @property
    def _window(self) -> int:
        return self._core.transfers.reaction(self._core.ahead.access, 0)

    def send(self, request: int, part: int, time: int, key: int, size: int) -> None:
        """A part of the results of `request` leaves at `time`; where it leaves head by head it has `size` bytes."""
        if request in self._writes:
            sizes = (np.array([self._writes.block(request, part)]), np.array([size]))
            self._core.transfers.send(time, key, self._writes.of(request, part), PIM_PORT, sizes, self._left)
        else:
            self._known.count_down(time)

    def _left(self) -> None:
        self._unsent -= 1
        if self._unsent == 0:
            self._core.transfers.holds.add(self._window)

    def _learn(self, block: int) -> None:
        self._all_known.count_down(0)
        if self._all_known.left == 0:
            self._core.transfers.holds.remove(self._window)
        arrival = int(self._core.transfers.arrived[block])
        self.earliest = min(self.earliest, arrival)
        self._known.count_down(arrival)


Order = Callable[[AttentionRun], None]

ORDERS: dict[str, Order] = {
    "barrier": AttentionRun.run_with_barrier,
    "request": AttentionRun.run_by_request,
    "head": AttentionRun.run_by_request,
}
PARTS = (("logit", "attention", "pim"), ("softmax", "softmax", "vector"), ("attend", "attention", "pim"))
