"""Rows of the banks for PIM: vectors, matrices, and the keys and values of attention, above the linear region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from neupims.errors import CapacityError
from neupims.graph import Operator
from neupims.graph.kinds import KINDS
from neupims.hardware.memory import MemorySpec, Organization
from neupims.hardware.system import SystemSpec
from neupims.lowering.geometry import KvGeometry
from neupims.lowering.kv import KvRows, channel_rows, place_rows
from neupims.lowering.memory_map import tile_row_bytes
from neupims.lowering.operators.banks import BankMatrix, bank_matrix, vector_rows
from neupims.lowering.operators.choose import Form
from neupims.lowering.operators.groups import Group
from neupims.lowering.plan import npu_of
from neupims.request import Batch, Request

Groups = Sequence[Group]


@dataclass(frozen=True, slots=True)
class Banks:
    """What a half of a batch finds in the banks."""

    matrices: Mapping[str, BankMatrix]
    """By the name of the operator."""
    caches: Mapping[str, KvRows]
    """By the name of the group."""
    first: int
    """Number, in the caches, of the first request of this half."""
    macs_per_bank: int


def in_banks(group: Group, form: Form) -> tuple[str, ...]:
    """Names of the tensors that lie in the banks instead of the linear region."""
    operators = [item.op for item in group.operators]
    if form == "matrix":
        return (operators[0].weights[0].name,)
    return tuple(state.name for op in operators for state in op.states) if form == "attention" else ()


def base_row(end: int, memory: MemorySpec) -> int:
    """First row above a linear region of `end` bytes."""
    return ceil(end / tile_row_bytes(memory))


def place_banks(
    groups: Sequence[Groups],
    forms: Sequence[Form],
    batches: Sequence[Batch],
    base: int,
    system: SystemSpec,
) -> tuple[Banks, ...]:
    """Rows from `base` on: vectors of each half, then the matrices, which halves share, then the caches.

    Raises CapacityError if the rows of all repetitions do not fit.
    """
    _, memory = npu_of(system)
    org, element_bytes = memory.organization, system.processor.element_bytes
    used = [number for number, form in enumerate(forms) if form == "matrix"]
    vectors, cursor = _vector_areas(groups, used, base, memory, element_bytes)
    matrices: dict[str, BankMatrix] = {}
    for number in used:
        group = groups[0][number]
        made = bank_matrix(group.operators[0].op, org, element_bytes)
        matrices[group.operators[0].op.name] = replace(made, row=cursor)
        cursor += made.rows * group.times
    caches, cursor = _caches(groups, forms, [request for batch in batches for request in batch], cursor, memory)
    ends = np.cumsum([len(batch) for batch in batches]).tolist()
    macs = system.pim.macs_per_bank if system.pim else 0
    if cursor > org.rows:
        raise CapacityError(
            f"memory: {cursor - base:,} rows of all banks for PIM and {base:,} for all else do not fit into the "
            f"{org.rows:,} rows of a bank; lower --batch, or --set policy.placement=npu"
        )
    return tuple(
        Banks(
            {name: replace(matrix, vectors=rows) for name, matrix in matrices.items()}, caches, end - len(batch), macs
        )
        for batch, rows, end in zip(batches, vectors, ends, strict=True)
    )


def _vector_areas(
    groups: Sequence[Groups], used: Sequence[int], base: int, memory: MemorySpec, element_bytes: int
) -> tuple[list[int], int]:
    """First row of the vectors of each half, and the row behind them all; matrices take turns in them."""
    first: list[int] = []
    for part in groups:
        first.append(base)
        operators = [part[number].operators[0].op for number in used]
        needs = [
            vector_rows(bank_matrix(op, memory.organization, element_bytes), KINDS[op.kind].products(op)[0].rows)
            for op in operators
        ]
        base += max(needs, default=0)
    return first, base


def _caches(
    groups: Sequence[Groups], forms: Sequence[Form], requests: Sequence[Request], cursor: int, memory: MemorySpec
) -> tuple[dict[str, KvRows], int]:
    """Keys and values of all requests, those of the first half before those of the second."""
    org, made = memory.organization, dict[str, KvRows]()
    channels = np.array([-1 if request.channel is None else request.channel for request in requests])
    for number, form in enumerate(forms):
        if form == "attention":
            logits = [part[number].operators[0].op for part in groups]
            lengths = np.array([length for logit in logits for length in logit.numbers("lengths")], np.int64)
            geometry = _geometry(logits[0], org)
            made[groups[0][number].name] = place_rows(geometry, channels, lengths, cursor)
            rows = channel_rows(geometry, channels, lengths, org.channels)
            cursor += int((rows.vectors + groups[0][number].times * rows.layer).max())
    return made, cursor


def _geometry(logit: Operator, org: Organization) -> KvGeometry:
    size = logit.states[0].bytes // logit.states[0].elements
    heads, shared = logit.number("kv_heads"), logit.number("heads") // logit.number("kv_heads")
    sizes = (heads, logit.number("head_dim"), size, org.row_bytes, org.burst_bytes, org.banks)
    return KvGeometry(*sizes, group=shared)
