"""A graph for a processor that is timed as a roofline: one kernel for each operator, one for attention over a cache."""

from itertools import groupby

from neupims.errors import CapacityError
from neupims.graph import Graph
from neupims.isa.work import LinkWork, RooflineWork
from neupims.lowering.operators.groups import Group, grouped
from neupims.lowering.operators.once import once

GIB = 1 << 30
Works = tuple[RooflineWork | LinkWork, ...]


def lower_roofline_graph(
    graph: Graph, memory_bytes: int, waiting_bytes: int = 0
) -> tuple[tuple[tuple[str, Works], ...], tuple[int, ...]]:
    """Stages by name and how often each stands in the graph.

    CapacityError if weights, states and those of waiting requests do not fit.
    """
    states = graph.state_bytes + waiting_bytes
    total = graph.weight_bytes + states
    if total > memory_bytes:
        raise CapacityError(
            f"memory: {graph.model} does not fit: {graph.weight_bytes / GIB:.2f} GiB of weights and "
            f"{states / GIB:.2f} GiB of states make {total / GIB:.2f} GiB, and the device has "
            f"{memory_bytes / GIB:.2f} GiB; lower --batch or raise --pp"
        )
    parts = groupby(grouped(once(graph)), key=lambda group: (group.block, group.times))
    stages: list[tuple[str, Works]] = []
    repeats: list[int] = []
    for index, ((block, times), members) in enumerate(parts):
        name = f"{block[-1] if block else 'top'}.{index}"
        stages.append((name, tuple(work for group in members for work in _works(group))))
        repeats.append(times)
    return tuple(stages), tuple(repeats)


def _works(group: Group) -> Works:
    operators = [item.op for item in group.operators]
    if group.cached:
        logit, softmax, attend = operators
        scores = logit.outputs[0].bytes
        macs, other = logit.macs + attend.macs, logit.other_ops + softmax.other_ops
        read = logit.bytes_read + attend.bytes_read - scores
        written = logit.bytes_written + attend.bytes_written - scores
        return (RooflineWork(group.name, "attention", macs, read, written, other),)
    return tuple(
        RooflineWork(op.name, _kind(op.kind), op.macs, op.bytes_read, op.bytes_written, op.other_ops)
        for op in operators
    )


def _kind(kind: str) -> str:
    return "gemm" if kind in ("linear", "matmul", "expert_linear") else kind
