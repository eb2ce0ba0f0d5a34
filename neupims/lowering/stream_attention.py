"""Decode attention on the NPU: K and V of each request are streamed from memory past its queries.

On the arrays K^T and V are stationary blocks; the vectors of the query heads that share them stream past each. They
are few, so a wave of blocks, one in each array, takes its preload. All heads of a request follow each other, requests
in batch order.
"""

from dataclasses import dataclass

import numpy as np

from neupims.hardware.npu import NpuSpec, VectorUnits
from neupims.isa.work import STEP, NpuWork, Records
from neupims.lowering.pim_attention import attention_macs
from neupims.lowering.places import Integers, Place, counting, rectangles
from neupims.lowering.storage import Access, block_bytes, loads, stores
from neupims.lowering.target import Target
from neupims.lowering.vector import OPS_PER_ELEMENT, Rows, row_chunks

OPS_PER_SCORE = 1 + OPS_PER_ELEMENT["softmax"]
"""Scaling and softmax."""


@dataclass(frozen=True, slots=True)
class StreamAttention:
    """What the attention of one layer reads and writes. Arrays have an entry for each request of the batch."""

    heads: int
    """Heads of queries; `group` of them share a head of keys and values."""
    head_dim: int
    fresh: tuple[tuple[Place, int], ...]
    """q, k and v of the new tokens, in one matrix or in several: [tokens, width] each."""
    keys: Place
    """[tokens of all requests, heads / group * head_dim]; the same for values."""
    values: Place
    context: Place
    """[tokens, heads * head_dim], the input of the projection."""
    lengths: Integers
    first_row: Integers
    """Row of the first token of each request in keys and values."""
    group: int = 1

    @property
    def kv_heads(self) -> int:
        """Heads of keys, and of values."""
        return self.heads // self.group

    @property
    def width(self) -> int:
        """Numbers in one key."""
        return self.kv_heads * self.head_dim


def softmax_cycles(elements: int, units: VectorUnits) -> int:
    """Cycles of the softmax of one row on one vector unit: two tree reductions and three passes (spec 4.4)."""
    tree, rest = 1, elements
    while rest > units.lanes:
        rest = -(-rest // units.lanes)
        tree += rest
    passes = -(-elements // units.lanes)
    return 2 * tree * units.tree_step + passes * (units.add + units.exponential + units.multiply)


@dataclass(frozen=True, slots=True)
class _Order:
    """Loads and steps of a sub-batch, counted request by request."""

    old: Integers
    """Tokens in the cache, without the new one."""
    opens: Integers
    """1 where the request is the first of its chunk of tokens, else 0."""
    closes: Integers
    chunk: Integers
    key_waves: Integers
    value_waves: Integers

    @property
    def cached(self) -> Integers:
        """1 where there is something to load from the cache, else 0."""
        return (self.old > 0).astype(np.int64)

    @property
    def first_load(self) -> Integers:
        counts = self.opens + 2 * self.cached
        return np.cumsum(counts) - counts

    @property
    def loads(self) -> int:
        return int((self.opens + 2 * self.cached).sum())

    @property
    def last_step(self) -> Integers:
        return np.cumsum(self.key_waves + self.value_waves) - 1


def lower_stream_attention(name: str, tokens: tuple[int, int], attention: StreamAttention, target: Target) -> NpuWork:
    """Attention of requests tokens[0] to tokens[1] - 1 of the batch."""
    lengths = attention.lengths[slice(*tokens)]
    order = _order(tokens, lengths, attention, target.npu)
    fetched = _fetched(tokens, attention, order)
    size = target.element_bytes
    early = np.ones(order.loads, np.bool_)
    early[fetched[0].blocks] = False  # q, k and v of a chunk are one load
    return NpuWork(
        name=name,
        kind="attention",
        unit="array",
        steps=_steps(order, fetched, lengths, attention, target),
        loads=loads(target.storage, fetched, early, size),
        stores=stores(target.storage, _stored(tokens, attention, order), order.last_step[order.closes > 0], size),
        macs=attention_macs(attention.heads, attention.head_dim, lengths),
        other_ops=OPS_PER_SCORE * attention.heads * int(lengths.sum()),
    )


def _order(tokens: tuple[int, int], lengths: Integers, attention: StreamAttention, npu: NpuSpec) -> _Order:
    first, _ = row_chunks(Rows(*tokens, attention.width), npu)
    opens = np.zeros(len(lengths), np.int64)
    opens[first - tokens[0]] = 1
    arrays = npu.arrays
    keys = attention.kv_heads * -(-lengths // arrays.columns) * -(-attention.head_dim // arrays.rows)
    values = attention.kv_heads * -(-lengths // arrays.rows) * -(-attention.head_dim // arrays.columns)
    return _Order(
        old=lengths - 1,
        opens=opens,
        closes=np.append(opens[1:], 1),
        chunk=np.cumsum(opens) - 1,
        key_waves=-(-keys // arrays.count),
        value_waves=-(-values // arrays.count),
    )


def _fetched(tokens: tuple[int, int], attention: StreamAttention, order: _Order) -> list[Access]:
    """q, k and v of the new tokens, chunk by chunk; K and V of older ones, request by request."""
    opening = np.flatnonzero(order.opens)
    edges = tokens[0] + np.append(opening, len(order.opens))
    fresh = [(place, rectangles(edges[:-1], edges[1:], 0, width)) for place, width in attention.fresh]
    cached = np.flatnonzero(order.cached)
    first = attention.first_row[slice(*tokens)][cached]
    old = rectangles(first, first + order.old[cached], 0, attention.width)
    block = (order.first_load + order.opens)[cached]
    return [
        *(Access(place, rects, order.first_load[opening]) for place, rects in fresh),
        Access(attention.keys, old, block),
        Access(attention.values, old, block + 1),
    ]


def _stored(tokens: tuple[int, int], attention: StreamAttention, order: _Order) -> list[Access]:
    """Output of a chunk, and K and V of its new tokens to the cache, after its last step."""
    request, output = np.arange(*tokens), attention.heads * attention.head_dim
    newest = attention.first_row[slice(*tokens)] + order.old
    row = rectangles(newest, newest + 1, 0, attention.width)
    return [
        Access(attention.context, rectangles(request, request + 1, 0, output), order.chunk),
        Access(attention.keys, row, order.chunk),
        Access(attention.values, row, order.chunk),
    ]


def _steps(
    order: _Order, fetched: list[Access], lengths: Integers, attention: StreamAttention, target: Target
) -> Records:
    """Waves of K blocks, then of V blocks, of each request.

    The softmax runs while the first wave of V blocks is loaded into the arrays; the wave takes the
    longer of the two: max(rows, ceil(heads / units) * softmax of one row).
    """
    npu = target.npu
    owner, wave = counting(order.key_waves + order.value_waves)
    values = wave >= order.key_waves[owner]
    rows_per_unit = -(-attention.heads // npu.vector.count)
    softmax = rows_per_unit * np.array([softmax_cycles(length, npu.vector) for length in lengths.tolist()])
    steps = np.zeros(len(owner), STEP)
    steps["stream"] = attention.group
    steps["preload"] = np.where(
        wave == order.key_waves[owner], np.maximum(npu.arrays.rows, softmax[owner]), npu.arrays.rows
    )
    steps["loads"] = (order.first_load + order.opens)[owner] + (1 + values) * order.cached[owner]
    _free(steps, order, [block_bytes([access], order.loads, target.element_bytes) for access in fetched], fetched)
    return steps


def _free(steps: Records, order: _Order, sizes: list[Integers], fetched: list[Access]) -> None:
    """K is free after its last wave, V after the request, the new tokens after their chunk."""
    cached = order.cached > 0
    last_key = order.last_step - order.value_waves
    chunks = [order.last_step[order.closes > 0]] * (len(fetched) - 2)
    until = (*chunks, last_key[cached], order.last_step[cached])
    for step, size, access in zip(until, sizes, fetched, strict=True):
        np.add.at(steps["frees"], step, size[access.blocks])
