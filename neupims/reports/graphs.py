"""The operator graph of a model as rows and as a table; repeated blocks stand in it once, with their count."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from neupims.graph import Block, Body, Graph, Tensor
from neupims.reports.table import count, plain_table


def operator_rows(graph: Graph) -> list[dict[str, Any]]:
    """Each operator once, with how often it stands in the graph; work and bytes are those of one."""
    return list(_rows(graph, "", 1))


def graph_table(graph: Graph) -> Table:
    """Operators with their counts, result shapes and work."""
    table = plain_table("operator", "times", "kind", "result", "MACs", "other", "read", "written")
    for row in operator_rows(graph):
        shape = "x".join(map(str, row["shape"]))
        work = [count(row[key]) for key in ("macs", "other_ops")]
        sizes = [count(row[key], "B") for key in ("bytes_read", "bytes_written")]
        table.add_row(row["name"], f"{row['count']}×", row["kind"], shape, *work, *sizes)
    return table


def trace_table(graph: Graph) -> Table:
    """Operators in order, indented below their blocks, with the shapes of what they read and give and their work.

    A weight, constant, state or cache is marked by its role's first letter: w, c, s, k.
    """
    table = plain_table("operator", "kind", "operands", "result", "MACs", "other")
    for row in _trace_rows(graph, ""):
        table.add_row(*row)
    return table


def _trace_rows(body: Body, indent: str) -> Iterator[tuple[str, ...]]:
    for item in body.items:
        if isinstance(item, Block):
            carried = sum(port.carried is not None for port in item.inputs)
            work = count(item.macs), count(item.other_ops)
            yield (f"{indent}{item.name}", f"{item.count}× block", f"{carried} carried on", "", *work)
            yield from _trace_rows(item, f"{indent}  ")
        else:
            operands = " ".join(_operand(tensor) for tensor in (*item.inputs, *item.weights, *item.states))
            results = " ".join(_shape(tensor) for tensor in item.outputs)
            yield (f"{indent}{item.name}", item.kind, operands, results, count(item.macs), count(item.other_ops))


def _operand(tensor: Tensor) -> str:
    return _shape(tensor) if tensor.role == "activation" else f"{tensor.role[0]}:{_shape(tensor)}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))


def _rows(body: Body, prefix: str, times: int) -> Iterator[dict[str, Any]]:
    for item in body.items:
        if isinstance(item, Block):
            yield from _rows(item, f"{prefix}{item.name}.", times * item.count)
            continue
        yield {
            "name": prefix + item.name,
            "kind": item.kind,
            "count": times,
            "shape": list(item.outputs[0].shape) if item.outputs else [],
            "macs": item.macs,
            "other_ops": item.other_ops,
            "bytes_read": item.bytes_read,
            "bytes_written": item.bytes_written,
        }
