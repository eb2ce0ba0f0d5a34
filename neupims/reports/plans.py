"""A plan as rows and as a table: what runs in which stage, on which unit, with how many steps and bytes."""

from typing import Any

from rich.table import Table

from neupims.isa.work import LinkWork, NpuWork, PimMatrix, PimWork, Plan
from neupims.reports.table import ABSENT, count, plain_table

NUMBERS = {"steps": "", "macs": "", "bytes_read": "B", "bytes_written": "B"}
"""Columns of a table that are counts, with their units."""


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """Each piece of work in order, with its stage and how often the stage stands in the iteration.

    `steps` are operations of an array or a vector unit, or PIM instructions; bytes go through the memory
    interface, or over the link.
    """
    return [
        {"stage": stage.name, "repeats": repeats, "name": work.name} | _row(work)
        for stage, repeats in zip(plan.stages, plan.repeats, strict=True)
        for work in (*stage.npu, *stage.pim)
    ]


def plan_table(plan: Plan) -> Table:
    """The rows for people; a stage is named where it begins."""
    table = plain_table("stage", "times", "operator", "unit", "kind", "steps", "MACs", "read", "written")
    for column in table.columns[2:5]:
        column.justify = "left"
    before = ""
    for row in plan_rows(plan):
        begins = row["stage"] != before
        before = row["stage"]
        stage = (row["stage"], f"{row['repeats']}×") if begins else ("", "")
        numbers = [count(row[key], unit) if row[key] is not None else ABSENT for key, unit in NUMBERS.items()]
        table.add_row(*stage, row["name"], row["unit"], row["kind"], *numbers)
    return table


def _row(work: NpuWork | LinkWork | PimWork | PimMatrix) -> dict[str, Any]:
    match work:
        case NpuWork():
            return _npu(work)
        case LinkWork():
            sizes = {"bytes_read": work.bytes, "bytes_written": work.bytes}
            return {"unit": "link", "kind": work.kind, "steps": None, "macs": None, **sizes}
        case PimWork():
            return _pim(work)
        case PimMatrix():
            return _matrix(work)


def _npu(work: NpuWork) -> dict[str, Any]:
    return {
        "unit": work.unit,
        "kind": work.kind,
        "steps": len(work.steps),
        "macs": work.macs,
        "bytes_read": int(work.loads.bytes.sum()),
        "bytes_written": int(work.stores.bytes.sum()),
        "dataflow": work.dataflow if work.unit == "array" else None,
    }


def _matrix(work: PimMatrix) -> dict[str, Any]:
    return {
        "unit": "pim",
        "kind": work.kind,
        "steps": sum(len(program) for program in work.vectors),
        "macs": work.macs,
        "bytes_read": None,
        "bytes_written": None,
        "vectors": len(work.vectors),
    }


def _pim(work: PimWork) -> dict[str, Any]:
    return {
        "unit": "pim",
        "kind": "attention",
        "steps": sum(len(request.logit) + len(request.attend) for request in work.requests),
        "macs": work.macs,
        "bytes_read": None,
        "bytes_written": None,
        "requests": len(work.requests),
    }
