"""Decode attention over a cache on the arrays: keys and values of each request stream from memory past its queries."""

import numpy as np

from neupims.graph import Operator
from neupims.hardware.npu import NpuSpec
from neupims.isa.work import STEP, NpuWork, Records
from neupims.lowering.operators.arena import Arena
from neupims.lowering.operators.groups import Group
from neupims.lowering.operators.pieces import Pieces, contiguous, load_all, store_all, whole
from neupims.lowering.places import Integers, counting
from neupims.lowering.stream_attention import softmax_cycles
from neupims.lowering.target import Target


def lower_attention(group: Group, arena: Arena, target: Target) -> NpuWork:
    """logit, softmax and attend of all requests; scores stay on the chip.

    Blocks of keys, then of values, are held by the arrays, and the queries that share them stream past. The softmax
    runs while the first wave of values is loaded into the arrays; that wave takes the longer of the two.
    """
    logit, softmax, attend = (item.op for item in group.operators)
    lengths = np.array(logit.numbers("lengths"), np.int64)
    operands = [*_fresh(logit, attend, arena), *_cached(logit, attend, arena, lengths)]
    loads, blocks = load_all(arena.address, operands)
    steps, last = _steps(logit, attend, lengths, target.npu)
    _want(steps, last, loads.bytes, blocks, lengths)
    return NpuWork(
        name=group.name,
        kind="attention",
        unit="array",
        steps=steps,
        loads=loads,
        stores=store_all(arena.address, _written(logit, attend, arena, lengths), last),
        macs=logit.macs + attend.macs,
        other_ops=logit.other_ops + softmax.other_ops,
    )


def _fresh(logit: Operator, attend: Operator, arena: Arena) -> list[tuple[Pieces, bool]]:
    tensors = (*logit.inputs, attend.inputs[1])
    return [(whole(arena.base(tensor), tensor.bytes), False) for tensor in tensors]


def _cached(logit: Operator, attend: Operator, arena: Arena, lengths: Integers) -> list[tuple[Pieces, bool]]:
    """Old keys and values of each request; a request that has only its new token has none."""
    first, old = np.cumsum(lengths) - lengths, lengths - 1
    used = np.flatnonzero(old)
    made: list[tuple[Pieces, bool]] = []
    for turn, cache in enumerate((logit.states[0], attend.states[0])):
        row = cache.bytes // cache.shape[0]
        made.append((Pieces(arena.base(cache) + first[used] * row, old[used] * row, 2 * used + turn), True))
    return [operand for operand in made if len(operand[0].parts)]


def _written(logit: Operator, attend: Operator, arena: Arena, lengths: Integers) -> list[Pieces]:
    """The output, and the new keys and values at the ends of their caches."""
    result, newest = attend.outputs[0], np.cumsum(lengths) - 1
    made = [contiguous(arena.base(result), result.bytes, len(lengths))]
    for cache in (state for state in (logit.states[0], attend.states[0]) if state.base is None):
        row = cache.bytes // cache.shape[0]
        made.append(Pieces(arena.base(cache) + newest * row, np.full(len(lengths), row), np.arange(len(lengths))))
    return made


def _steps(logit: Operator, attend: Operator, lengths: Integers, npu: NpuSpec) -> tuple[Records, Integers]:
    """Waves of key blocks, then of value blocks, of each request; and the last step of each."""
    arrays, heads, kv_heads, size = npu.arrays, *(logit.number(name) for name in ("heads", "kv_heads", "head_dim"))
    width = attend.number("head_dim")
    keys = kv_heads * -(-lengths // arrays.columns) * -(-size // arrays.rows)
    values = kv_heads * -(-lengths // arrays.rows) * -(-width // arrays.columns)
    key_waves, value_waves = -(-keys // arrays.count), -(-values // arrays.count)
    owner, wave = counting(key_waves + value_waves)
    per_unit = -(-heads // npu.vector.count)
    softmax = per_unit * np.array([softmax_cycles(length, npu.vector) for length in lengths.tolist()])
    steps = np.zeros(len(owner), STEP)
    steps["stream"] = heads // kv_heads
    turning = wave == key_waves[owner]
    steps["preload"] = np.where(turning, np.maximum(arrays.rows, softmax[owner]), arrays.rows)
    steps["rows"] = np.where(wave < key_waves[owner], 2 * owner, 2 * owner + 1)
    return steps, np.cumsum(key_waves + value_waves) - 1


def _want(steps: Records, last: Integers, sizes: Integers, blocks: list[Integers], lengths: Integers) -> None:
    """Keys before the key waves of their request, values before its value waves; all are free after the request.

    `rows` holds, until then, the number of the part that a step waits for.
    """
    fresh = len(sizes) - 2 * int((lengths > 1).sum())
    used = np.flatnonzero(lengths > 1)
    part = np.concatenate([np.zeros(fresh, np.int64), np.sort(np.concatenate([2 * used, 2 * used + 1]))])
    steps["loads"] = np.maximum(fresh, np.searchsorted(part, steps["rows"], "right"))
    until = last[part // 2]
    until[:fresh] = len(steps) - 1
    steps["rows"] = 0
    np.add.at(steps["frees"], until, sizes)
