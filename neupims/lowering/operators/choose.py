"""Which unit takes an operator: the placement table, and the estimates that decide where several could."""

from collections.abc import Callable
from math import ceil
from typing import Literal

from neupims.graph import Operator
from neupims.graph.kinds import KINDS
from neupims.hardware.memory import MemorySpec
from neupims.hardware.system import SystemSpec
from neupims.isa.work import NpuWork
from neupims.lowering.operators.arena import Arena
from neupims.lowering.operators.banks import TileTimes, bank_matrix, matrix_cycles
from neupims.lowering.operators.elementwise import vector_rows
from neupims.lowering.operators.groups import Group
from neupims.lowering.operators.lower import lower_on_arrays, lower_on_vector
from neupims.lowering.operators.product import array_tiles
from neupims.lowering.target import Target

Form = Literal["npu", "matrix", "attention"]
"""Where a group runs: on the NPU; a weight in the banks, times vectors; attention over a cache in the banks."""

MOST_VECTORS = 64
"""Vectors of a matrix in the banks: each reads the whole matrix again, so that many are never worth it."""

COPIES = ("copy", "gather", "scatter", "concat", "pad", "repeat", "roll", "last", "embedding", "append")
"""Kinds that move data and compute nothing."""


def unit_of(op: Operator, target: Target) -> str:
    """`array`, `vector` or `copy`: matrix products go where they take fewer cycles, if all data were there."""
    if op.kind in COPIES:
        return "copy"
    if not KINDS[op.kind].products(op):
        return "vector"
    return "array" if array_cycles(op, target) <= vector_cycles(op, target) else "vector"


def array_cycles(op: Operator, target: Target) -> int:
    """Waves of stationary blocks, each as long as its preload or its stream."""
    arrays = target.npu.arrays
    total = 0
    for product in KINDS[op.kind].products(op):
        streamed = max(product.rows, product.outputs)
        blocks = product.count * array_tiles(product, arrays)
        split = max(1, arrays.count // blocks)
        total += ceil(blocks / arrays.count) * max(arrays.rows, ceil(streamed / split))
    return total


def vector_cycles(op: Operator, target: Target) -> int:
    """One operation of each lane of each unit in a cycle."""
    units = target.npu.vector
    rows = vector_rows(op, units.count)
    return ceil(rows.count / units.count) * ceil(rows.elements / units.lanes)


Lower = Callable[[Operator, Arena, Target], tuple[NpuWork, ...]]

ON: dict[str, Lower] = {"array": lower_on_arrays, "vector": lower_on_vector, "copy": lower_on_vector}
"""How each unit's work is made; a copy passes the vector units, whose work on it is nothing."""


# In the banks ---------------------------------------------------------------------------------


def form_of(group: Group, system: SystemSpec, target: Target, times: TileTimes | None) -> Form:
    """Where a group runs, by policy.attention, policy.placement and the estimates."""
    if times is None or system.pim is None or system.memory is None:
        return "npu"
    if group.cached:
        return "attention" if system.policy.attention == "pim" and _heads_fit(group, system.memory) else "npu"
    op = group.operators[0].op
    if op.kind != "linear" or system.policy.placement == "npu" or op.weights[0].base or not _for_banks(op):
        return "npu"
    if system.policy.placement == "pim":
        return "matrix"
    clock = system.memory.clock_ghz
    banks = bank_ns(op, system, target, times, clock)
    return "matrix" if banks < npu_ns(op, target) else "npu"


def _heads_fit(group: Group, memory: MemorySpec) -> bool:
    """Whether keys and values have caches of their own and heads of one width, at most a row of a bank."""
    logit, _, attend = (item.op for item in group.operators)
    size = logit.number("head_dim") * logit.states[0].bytes // logit.states[0].elements
    own = all(state.base is None for state in (*logit.states, *attend.states))
    return own and logit.number("head_dim") == attend.number("head_dim") and size <= memory.organization.row_bytes


def _for_banks(op: Operator) -> bool:
    weight, rows = op.weights[0], KINDS[op.kind].products(op)[0].rows
    return weight.role in ("weight", "constant") and rows <= MOST_VECTORS


def bank_ns(op: Operator, system: SystemSpec, target: Target, times: TileTimes, clock_ghz: float) -> float:
    """Programs of all vectors, and the writes of the vectors to all channels."""
    assert system.memory is not None
    matrix, product = bank_matrix(op, system.memory.organization, target.element_bytes), KINDS[op.kind].products(op)[0]
    written = product.rows * matrix.inner * target.element_bytes * matrix.channels
    return matrix_cycles(matrix, product.rows, times) / clock_ghz + written / system.memory.bandwidth_gb_s


def npu_ns(op: Operator, target: Target) -> float:
    """The longer of arithmetic and traffic."""
    cycles = min(array_cycles(op, target), vector_cycles(op, target))
    moved = (op.bytes_read + op.bytes_written) / target.bytes_per_cycle
    return max(cycles, moved) / target.npu.clock_ghz
