"""Decode attention in the PIM banks: the programs of each request, its scores and its output."""

from dataclasses import dataclass

import numpy as np

from neupims.isa.memory import GWRITE, RUN
from neupims.isa.work import PimRequest, PimWork, Records
from neupims.lowering.gemv import Programs, attend_programs, logit_programs, score_runs, without_vector_rows
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import KvRows, pim_runs
from neupims.lowering.places import Place, rectangles
from neupims.lowering.storage import CounterStorage
from neupims.lowering.target import Target
from neupims.request import Batch, Request

NO_RUNS: Records = np.empty(0, RUN)
HEADER_ROWS = 1 << 12
"""Rows that a published header of a logit tile can tell apart: its address is cut to 32 bits (spec 10, item 16)."""


ATTEND_SOURCE = 8
"""First burst that the GWRITEs of attend name, as published: a flag of their header lands in the column."""


@dataclass(frozen=True, slots=True)
class PimAttention:
    """What the attention of all layers has in common."""

    kv: KvRows
    context: Place
    """[tokens, heads * head_dim], the input of the projection."""
    macs_per_bank: int


def lower_pim_attention(
    name: str, batch: Batch, first_token: int, layer: int, attention: PimAttention, target: Target
) -> PimWork:
    """Attention of a sub-batch whose first request is number `first_token` of the whole batch."""
    kv, geometry = attention.kv, attention.kv.geometry
    requests = np.arange(first_token, first_token + len(batch))
    parts = kv.parts(requests)
    logit = logit_programs(kv, layer, parts, attention.macs_per_bank)
    by_head = target.policy.attention_order == "head"
    attend = attend_programs(kv, layer, parts, attention.macs_per_bank, by_head)
    scores, output = _written(requests, attention, target)
    tiles_apart = 1
    if isinstance(target.storage, CounterStorage):
        logit, attend = _sourceless(logit), _sourceless(attend)
        attend.instructions["header"][attend.instructions["kind"] == GWRITE] = ATTEND_SOURCE
        logit.instructions["header"] = -(logit.instructions["row"] // HEADER_ROWS * HEADER_ROWS)
        if target.policy.stores == "published":
            tiles_apart = geometry.value_tiles
            _report_by_tile(attend.instructions, tiles_apart)
    owner = (np.searchsorted(kv.first_part, parts, "right") - 1 - first_token).tolist()
    leads = np.isin(parts, kv.first_part).tolist()
    whole: list[Request] = [batch[index] for index in owner]
    rows = zip(
        [request.id for request in whole],
        kv.channels[parts].tolist(),
        kv.lengths[parts].tolist(),
        logit.split(),
        attend.split(),
        scores,
        [output[index] if lead else NO_RUNS for index, lead in zip(owner, leads, strict=True)],
        [not lead for lead in leads],
        strict=True,
    )
    return PimWork(
        name=name,
        heads=geometry.query_heads,
        head_dim=geometry.head_dim,
        requests=tuple(PimRequest(*row) for row in rows),
        macs=attention_macs(geometry.query_heads, geometry.head_dim, kv.lengths[parts]),
        tiles_apart=tiles_apart,
    )


def attention_macs(heads: int, head_dim: int, lengths: Integers) -> int:
    """Multiply-accumulates of logits and attends of one token of `heads` query heads for each context length."""
    return 2 * heads * head_dim * int(lengths.sum())


def _sourceless(programs: Programs) -> Programs:
    return Programs(without_vector_rows(programs.instructions), programs.counts)


def _report_by_tile(attend: Records, tiles: int) -> None:
    """Let each tile of a head report apart: tiles follow their GWRITE."""
    position = np.arange(len(attend)) % (1 + tiles)
    attend["block"] = np.where(position > 0, attend["block"] * tiles + position - 1, -1)


def _written(requests: Integers, attention: PimAttention, target: Target) -> tuple[list[Records], list[Records]]:
    if isinstance(target.storage, CounterStorage):
        return _published_writes(attention.kv, requests, target.storage, target.policy.stores == "all")
    by_head = target.policy.attention_order == "head"
    return _score_writes(attention.kv, attention.kv.parts(requests), by_head), _context_writes(requests, attention)


def _score_writes(kv: KvRows, requests: Integers, by_head: bool) -> list[Records]:
    """Scores to the rows from which PIM reads them, all at once or head by head."""
    owner, head, channel, bank, row, bursts = score_runs(kv, requests)
    return _parts(pim_runs(channel, bank, row, 0, bursts, head * by_head), owner, len(requests))


def _context_writes(requests: Integers, attention: PimAttention) -> list[Records]:
    """Attention output of each request to the input of the projection."""
    width = attention.kv.geometry.query_heads * attention.kv.geometry.head_dim
    rects = rectangles(requests, requests + 1, 0, width)
    runs = attention.context.runs(rects, np.arange(len(requests)), True)
    owner = runs["block"].astype(np.int64)
    runs["block"] = 0
    return _parts(runs, owner, len(requests))


def _published_writes(
    kv: KvRows, requests: Integers, storage: CounterStorage, complete: bool
) -> tuple[list[Records], list[Records]]:
    """Scores from the running counter, head by head; outputs too, but only beyond one value row (spec 10, item 13).

    With several chunks of tokens the published simulator writes each head once for each of its tiles.
    """
    lengths, geometry = kv.lengths[requests], kv.geometry
    heads, size = geometry.query_heads, geometry.element_bytes
    scores = _by_result(storage, np.repeat(lengths * size, heads), heads)
    written = np.full(len(requests), complete) | (geometry.value_chunks(lengths) > 1)
    results = heads if complete else heads * geometry.value_tiles
    output = _by_result(storage, np.repeat(written * geometry.head_dim * size, results), results)
    return scores, output


def _by_result(storage: CounterStorage, sizes: Integers, results: int) -> list[Records]:
    """Runs of each request, whose blocks are its results: so many bytes for each."""
    runs = storage.counter.take(sizes[sizes > 0], np.flatnonzero(sizes), True)
    owner, runs["block"] = np.divmod(runs["block"], results)
    return _parts(runs, owner, len(sizes) // results)


def _parts(runs: Records, owner: Integers, count: int) -> list[Records]:
    """Runs of each of `count` requests; owners ascend."""
    return np.split(runs, np.searchsorted(owner, np.arange(1, count)))
