"""The operator graph of a model as rows and as a table; repeated blocks stand in it once, with their count."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from neupims.graph import Block, Body, Graph
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
