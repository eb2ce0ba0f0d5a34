"""The PIM work of a sub-batch as flat arrays: blocks, and the order in which channels get their programs."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from neupims.errors import ConfigError
from neupims.events.join import Join
from neupims.hardware.pim import PimSpec
from neupims.isa.memory import INSTRUCTION, RUN, TILE, transactions
from neupims.isa.work import PimRequest, Records
from neupims.machine.core import Core
from neupims.machine.transfers import Transfers

Ints = NDArray[np.int64]


class Phase:
    """The logit or the attend part of all requests, each with so many result blocks."""

    def __init__(self, programs: Sequence[Records], results: int, transfers: Transfers) -> None:
        self.results = results
        self.count = len(programs) * results
        sizes = [len(program) for program in programs]
        self._ends = np.cumsum([0, *sizes])
        self._records = np.concatenate([np.empty(0, INSTRUCTION), *programs], dtype=INSTRUCTION)
        owner = np.repeat(np.arange(len(programs)), sizes)
        reports = self._records["block"] >= 0
        self._records["block"][reports] += (owner[reports] * results).astype(np.int32)
        self.parts = self._count_parts()
        self.first = transfers.register(self.parts)
        self._records["block"][reports] += self.first

    def _count_parts(self) -> Ints:
        tiles = self._records[(self._records["kind"] == TILE) & (self._records["block"] >= 0)]
        groups = tiles["groups"]
        within = np.arange(int(groups.sum())) - np.repeat(np.cumsum(groups) - groups, groups)
        return np.bincount(np.repeat(tiles["block"], groups) + within, minlength=self.count).astype(np.int64)

    @property
    def bursts(self) -> int:
        """Result bursts of all requests."""
        return int(self.parts.sum())

    @property
    def records(self) -> Records:
        """The programs of all requests, in the order of the batch."""
        return self._records

    def programs(self, gates: Sequence[int] | None = None) -> list[Records]:
        """The program of each request; with `gates`, held at its first instruction until that block is complete.

        Where further instructions have gates, these are counted from there on.
        """
        records, sizes = self._records, np.diff(self._ends)
        if gates is not None:
            records = records.copy()
            records["gate"][self._ends[:-1][sizes > 0]] = 0
            held = records["gate"] >= 0
            records["gate"][held] += np.repeat(gates, sizes)[held]
        return [records[low:high] for low, high in pairwise(self._ends.tolist())]


def expect(core: Core, phase: Phase, handler: Callable[[int, int], None], shortest: int) -> None:
    """Call `handler` with the row of each result, counted from the first of the phase, and its arrival.

    Until all are known, answers may follow after `shortest` NPU cycles.
    """
    window = core.transfers.reaction(core.ahead.result, core.clock.ps(shortest))
    core.transfers.holds.add(window)
    known = Join(phase.count, 0, lambda _: core.transfers.holds.remove(window))

    def handle(block: int) -> None:
        handler(block - phase.first, int(core.transfers.arrived[block]))
        known.count_down(0)

    core.transfers.watch(phase.first, phase.count, handle)


class Writes:
    """One block of writes for each request that has any, which leaves in one part or head by head.

    With `apart` each of these parts is a block of its own. Parts are numbered through the batch; a request without
    writes counts as one part.
    """

    def __init__(self, runs: Sequence[Records], transfers: Transfers, apart: bool = False) -> None:
        self.parts = np.array([int(records["block"][-1]) + 1 if len(records) else 1 for records in runs], np.int64)
        """Parts of each request."""
        self.starts: Ints = np.cumsum(self.parts) - self.parts
        """The first part of each request."""
        lengths = np.array([len(records) for records in runs], np.int64)
        used = lengths > 0
        self.requests = int(used.sum())
        """Requests that have writes."""
        self.leaving = int(self.parts[used].sum())
        """Parts of these requests."""
        self._runs = np.concatenate([np.empty(0, RUN), *runs], dtype=RUN)
        part: Ints = np.repeat(self.starts, lengths) + self._runs["block"]
        self._edges: list[int] = np.searchsorted(part, np.arange(int(self.parts.sum()) + 1)).tolist()
        numbers = np.cumsum(np.repeat(used, self.parts)) if apart else np.repeat(np.cumsum(used), self.parts)
        bursts = np.bincount(numbers[part] - 1, self._runs["bursts"]).astype(np.int64)
        self.count, self.bursts = len(bursts), int(bursts.sum())
        self.first = transfers.register(bursts) if self.count else 0
        self._blocks: Ints = np.where(np.repeat(used, self.parts), self.first + numbers - 1, -1)
        self._runs["block"] = self._blocks[part]

    def __contains__(self, request: int) -> bool:
        return bool(self._blocks[self.starts[request]] >= 0)

    def block(self, request: int) -> int:
        """The block of a request, or of its first part."""
        return int(self._blocks[self.starts[request]])

    def of(self, part: int) -> tuple[Records, Ints]:
        """The runs of a part, which carry the id of their block, and that id."""
        return self._runs[self._edges[part] : self._edges[part + 1]], self._blocks[part : part + 1]


def pipelined(requests: Sequence[PimRequest], logit: Phase, attend: Phase, scores: Writes) -> Records:
    """Programs of all channels in software-pipelined order, each attend behind the scores of its request.

    Per channel: logit 0, logit 1, attend 0, logit 2, attend 1, ... so that the softmax of one request
    is computed while the logits of the next one run. The logits of all parts of split requests come before any
    attend, so that no channel is kept waiting by one that has yet to begin.

    Raises:
        ValueError: a request writes no scores, so nothing says when its attend may begin.
        ConfigError: a request writes its scores to other channels, where they cannot open its gate.
    """
    by_channel: dict[int, list[int]] = {}
    for index, request in enumerate(requests):
        if index not in scores:
            raise ValueError(f"request {request.request} writes no scores: its attend part has nothing to wait for")
        if (request.scores["channel"] != request.channel).any():
            raise ConfigError(
                f"policy.attention_order: 'request' waits in channel {request.channel} for the scores of request "
                f"{request.request}, which are written elsewhere; use 'barrier', or policy.addresses 'placed'"
            )
        by_channel.setdefault(request.channel, []).append(index)
    continued = [request.continues for request in [*requests[1:], *requests[:1]]]
    split = {index for index, request in enumerate(requests) if request.continues or continued[index]}
    gates = [scores.block(index) for index in range(len(requests))]
    programs = logit.programs(), attend.programs(gates)
    parts = [
        part
        for indices in by_channel.values()
        for part in _pipeline(indices, max(1, len(split.intersection(indices))), *programs)
    ]
    return np.concatenate([np.empty(0, INSTRUCTION), *parts], dtype=INSTRUCTION)


def _pipeline(indices: Sequence[int], lag: int, logits: list[Records], attends: list[Records]) -> Iterator[Records]:
    """Each attend follows the logits that are `lag` later."""
    for position in range(len(indices) + lag):
        if position < len(indices):
            yield logits[indices[position]]
        if position >= lag:
            yield attends[indices[position - lag]]


def departures(records: Records, pim: PimSpec, channels: int) -> Iterator[tuple[int, Records]]:
    """DRAM cycles after which parts of a program leave the core, with the parts.

    With a front end for each channel all leave at once (the channel's controller paces them). With
    one for the device they leave in the order of the channels.
    """
    yield from _DEPARTURES[pim.front_end.scope](records, pim, channels)


def _all_at_once(records: Records, pim: PimSpec, channels: int) -> Iterator[tuple[int, Records]]:
    yield 0, records


def _by_channel(records: Records, pim: PimSpec, channels: int) -> Iterator[tuple[int, Records]]:
    counts = transactions(records, pim.composite_gemv)
    rate, before = Fraction(str(pim.front_end.per_cycle)), 0
    for channel in range(channels):
        mine = records["channel"] == channel
        if mine.any():
            yield ceil(before / rate), records[mine]
        before += int(counts[mine].sum())


_DEPARTURES: dict[str, Callable[[Records, PimSpec, int], Iterator[tuple[int, Records]]]] = {
    "channel": _all_at_once,
    "device": _by_channel,
}
