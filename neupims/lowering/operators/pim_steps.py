"""Attention of a graph in the banks: its operands to their rows, and its programs."""

from dataclasses import replace

import numpy as np

from neupims.isa.work import STEP, NpuWork, PimWork, Stores
from neupims.lowering.kv import KvRows, QkvRows
from neupims.lowering.operators.arena import Arena
from neupims.lowering.operators.groups import Group
from neupims.lowering.operators.pieces import contiguous, load_all
from neupims.lowering.pim_attention import PimAttention, lower_pim_attention
from neupims.lowering.places import RowMajor, rectangles
from neupims.lowering.target import Target
from neupims.request import Batch


def lower_placing(group: Group, cache: KvRows, first: int, arena: Arena, target: Target) -> NpuWork:
    """Queries to the vector rows of their requests, from number `first` on, and the new keys and values to theirs."""
    logit, attend = group.operators[0].op, group.operators[2].op
    count, tensors = len(logit.numbers("lengths")), (*logit.inputs, attend.inputs[1])
    loads, _ = load_all(arena.address, [(contiguous(arena.base(x), x.bytes, count), False) for x in tensors])
    width = sum(tensor.shape[-1] for tensor in tensors)
    steps = np.zeros(count, STEP)
    steps["stream"], steps["rows"] = width, 1
    steps["loads"] = len(tensors) * np.arange(1, count + 1)
    steps["frees"] = loads.bytes.reshape(count, len(tensors)).sum(axis=1)
    request = np.arange(count)
    runs = QkvRows(cache, 0, target.policy.value_write == "token").runs(
        rectangles(first + request, first + request + 1, 0, width), request, True
    )
    size = np.full(count, width * target.element_bytes)
    stores = Stores(runs, size, request.astype(np.int32))
    return NpuWork(f"{group.name}.placing", "copy", "vector", steps, loads, stores)


def lower_banked_attention(
    group: Group, cache: KvRows, arena: Arena, requests: tuple[Batch, int], macs_per_bank: int, target: Target
) -> PimWork:
    """Decode attention of requests, and the number of the first in the cache, each in the banks of its channel."""
    (batch, first), result = requests, group.operators[2].op.outputs[0]
    row = result.shape[-1] * target.element_bytes
    context = RowMajor(arena.address, arena.base(result) - first * row, result.shape[-1], target.element_bytes)
    attention = PimAttention(cache, context, macs_per_bank)
    seen = group.operators[0].op.numbers("lengths")
    kept = tuple(replace(request, length=length) for request, length in zip(batch, seen, strict=True))
    return lower_pim_attention(group.name, kept, first, 0, attention, target)
