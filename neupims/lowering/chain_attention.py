"""Decode attention on the NPU as one chain: head after head, each product behind the softmax it needs.

This is how the published simulator runs attention without PIM (its fused operator of the branch npu-only).
For each request and head: q, K and V are loaded; q stays in the array while K streams past it (L / count
vectors); a vector unit takes the softmax; the scores stay, a block of `rows` tokens at a time, while V
streams past (d / count vectors); the output is stored. The loop over blocks of tokens runs to
L + rows - 1 and so takes one step more than there are blocks, unless L is one more than their multiple. Every head has
keys and values of its own.
"""

from dataclasses import dataclass

import numpy as np

from neupims.hardware.npu import NpuSpec
from neupims.isa.run_source import GivenRuns
from neupims.isa.work import STEP, Loads, NpuWork, Records, Stores
from neupims.lowering.pim_attention import attention_macs
from neupims.lowering.places import Integers, counting, rectangles
from neupims.lowering.storage import Access, Storage, block_bytes
from neupims.lowering.stream_attention import OPS_PER_SCORE, StreamAttention, softmax_cycles
from neupims.lowering.target import Target


@dataclass(frozen=True, slots=True)
class _Heads:
    """Heads of all requests one after the other; arrays have an entry for each."""

    request: Integers
    """Row of the request in the activations."""
    column: Integers
    """First feature of the head."""
    first_row: Integers
    """Row of the first token of the request in the cache."""
    length: Integers
    cached: Integers
    """Tokens that come from the cache: all, or all but the new one."""
    first_load: Integers
    first_step: Integers
    blocks: Integers
    """Steps of S V."""

    @property
    def count(self) -> int:
        return len(self.request)

    @property
    def full(self) -> Integers:
        """Heads whose request has tokens in the cache."""
        return np.flatnonzero(self.cached)

    @property
    def loads(self) -> int:
        return self.count + 2 * len(self.full)


def lower_chain_attention(name: str, tokens: tuple[int, int], attention: StreamAttention, target: Target) -> NpuWork:
    """Attention of requests tokens[0] to tokens[1] - 1 of the batch.

    With `stores: published` the cache is taken to hold the new token already, whose K and V nobody writes.
    """
    complete = target.policy.stores == "all"
    lengths = attention.lengths[slice(*tokens)]
    heads = _heads(tokens, lengths, attention, target.npu, complete)
    fetched = _fetched(heads, attention, complete)
    early = np.ones(heads.loads, np.bool_)
    early[heads.first_load] = False
    last = heads.first_step + 1 + heads.blocks
    stored, size = _stored(heads, attention, complete), target.element_bytes
    loaded, written = _alternating(fetched, stored, heads, attention.heads, target.storage)
    after = _after(heads, attention.heads, last)
    return NpuWork(
        name=name,
        kind="attention",
        unit="array",
        chain=True,
        steps=_steps(heads, fetched, attention.head_dim, target),
        loads=Loads(GivenRuns(loaded), block_bytes(fetched, heads.loads, size), early, after),
        stores=Stores(written, block_bytes(stored, heads.count, size), last.astype(np.int32)),
        macs=attention_macs(attention.heads, attention.head_dim, lengths),
        other_ops=OPS_PER_SCORE * attention.heads * int(lengths.sum()),
    )


def lower_reshaping(name: str, pieces: int, npu: NpuSpec) -> NpuWork:
    """`pieces` views that nothing moves for, each of which the control of the published simulator takes up in turn.

    All that it costs is `pieces * reshape_cycles`; the gap before an operator is part of it.
    """
    step = np.zeros(1, STEP)
    step["stream"], step["rows"] = max(1, pieces * npu.reshape_cycles - npu.operator_gap_cycles), 1
    return NpuWork(name, "reshape", "array", step, Loads(), Stores(), chain=True)


def _heads(
    tokens: tuple[int, int], lengths: Integers, attention: StreamAttention, npu: NpuSpec, complete: bool
) -> _Heads:
    owner, head = counting(np.full(len(lengths), attention.heads))
    length = lengths[owner]
    cached = length - complete
    blocks = -(-(length + npu.arrays.rows - 1) // npu.arrays.rows)
    count, steps = 1 + 2 * (cached > 0), 2 + blocks
    return _Heads(
        request=tokens[0] + owner,
        column=head * attention.head_dim,
        first_row=attention.first_row[slice(*tokens)][owner],
        length=length,
        cached=cached,
        first_load=np.cumsum(count) - count,
        first_step=np.cumsum(steps) - steps,
        blocks=blocks,
    )


def _fetched(heads: _Heads, attention: StreamAttention, complete: bool) -> list[Access]:
    """q (and k and v of the new token), K and V of each head."""
    parts = 3 if complete else 1
    ((qkv, _),) = attention.fresh
    column = (heads.column[:, None] + attention.width * np.arange(parts)).ravel()
    row = np.repeat(heads.request, parts)
    fresh = rectangles(row, row + 1, column, column + attention.head_dim)
    old = _of_head(heads, heads.first_row, heads.first_row + heads.cached, attention.head_dim)[heads.full]
    block = heads.first_load[heads.full]
    return [
        Access(qkv, fresh, np.repeat(heads.first_load, parts)),
        Access(attention.keys, old, block + 1),
        Access(attention.values, old, block + 2),
    ]


def _stored(heads: _Heads, attention: StreamAttention, complete: bool) -> list[Access]:
    """Output of each head, and K and V of the new token to the cache."""
    block, dim = np.arange(heads.count), attention.head_dim
    output = Access(attention.context, _of_head(heads, heads.request, heads.request + 1, dim), block)
    if not complete:
        return [output]
    newest = _of_head(heads, heads.first_row + heads.cached, heads.first_row + heads.length, dim)
    return [output, Access(attention.keys, newest, block), Access(attention.values, newest, block)]


def _after(heads: _Heads, per_request: int, last: Integers) -> Integers:
    """Two requests are on chip at a time: loads of one wait for the end of the request two before it."""
    request = np.repeat(np.arange(heads.count) // per_request, 1 + 2 * (heads.cached > 0))
    return np.where(request < 2, -1, last[np.maximum(request - 1, 1) * per_request - 1])


def _alternating(
    fetched: list[Access], stored: list[Access], heads: _Heads, per_request: int, storage: Storage
) -> tuple[Records, Records]:
    """Runs of all loads and of all stores, in the order in which they leave: the loads of request i + 2 behind the
    stores of request i. It matters to a counter.
    """
    loads, stores = list[Records](), list[Records]()
    first = np.append(heads.first_load, heads.loads)[::per_request]
    count = len(first) - 1
    for request in range(count + 2):
        if request >= 2:
            begin = (request - 2) * per_request
            stores.append(storage.runs(_part(stored, begin, begin + per_request), write=True))
        if request < count:
            loads.append(storage.runs(_part(fetched, int(first[request]), int(first[request + 1]))))
    return np.concatenate(loads), np.concatenate(stores)


def _part(accesses: list[Access], first: int, end: int) -> list[Access]:
    """The accesses of blocks first to end - 1."""
    cuts = [slice(*np.searchsorted(access.blocks, (first, end))) for access in accesses]
    return [Access(a.place, a.rects[cut], a.blocks[cut]) for a, cut in zip(accesses, cuts, strict=True)]


def _of_head(heads: _Heads, row: Integers, end: Integers, head_dim: int) -> Integers:
    return rectangles(row, end, heads.column, heads.column + head_dim)


def _steps(heads: _Heads, fetched: list[Access], head_dim: int, target: Target) -> Records:
    """K^T q, softmax, then the blocks of S V, of each head."""
    arrays, units = target.npu.arrays, target.npu.vector
    owner, place = counting(2 + heads.blocks)
    softmax = np.array([softmax_cycles(length, units) for length in heads.length.tolist()])
    steps = np.zeros(len(owner), STEP)
    logit = heads.length // arrays.count
    attend = max(head_dim // arrays.count, 1)
    steps["stream"] = np.where(place == 0, logit[owner], np.where(place == 1, softmax[owner], attend))
    steps["preload"] = np.where(place == 1, 0, arrays.vector_preload or arrays.rows)
    steps["rows"] = place == 1
    steps["loads"] = heads.first_load[owner] + 1 + np.where(place < 2, 1, 2) * (heads.cached > 0)[owner]
    sizes = [block_bytes([access], heads.loads, target.element_bytes) for access in fetched]
    last = heads.first_step + 1 + heads.blocks
    for access, size, until in zip(fetched, sizes, (heads.first_step, heads.first_step, last), strict=True):
        owners = np.searchsorted(heads.first_load, access.blocks, "right") - 1
        chosen, which = np.unique(access.blocks, return_index=True)
        np.add.at(steps["frees"], until[owners[which]], size[chosen])
    return steps
