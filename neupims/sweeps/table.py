"""The table of a sweep: a row for each point, with what was swept and what came out."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pyarrow has no types)

import io
from collections.abc import Mapping, Sequence
from typing import Any

from neupims.reports.summary import summary_rows
from neupims.results.record import Run
from neupims.sweeps.points import Point
from neupims.sweeps.store import Outcome

DIGEST_DIGITS = 12
LEFT_OUT = ("speedup",)
"""Columns of a comparison that need a run to compare with."""


def table_rows(points: Sequence[Point], outcomes: Sequence[Outcome | None]) -> list[dict[str, Any]]:
    """Rows in the order of the points, all with the same columns; an error stands in the last one."""
    measured = [_measured(outcome) for outcome in outcomes]
    columns = list(dict.fromkeys(name for row in measured for name in row))
    return [
        {"point": point.number}
        | dict(point.values)
        | {name: row.get(name) for name in columns if name not in point.values}
        | {"key": point.key[:8], "error": _error(outcome)}
        for point, row, outcome in zip(points, measured, outcomes, strict=True)
    ]


def _measured(outcome: Outcome | None) -> Mapping[str, Any]:
    if outcome is None or outcome.run is None:
        return {}
    run = outcome.run
    row = {name: value for name, value in summary_rows([run])[0].items() if name not in LEFT_OUT}
    return row | _more(run)


def _more(run: Run) -> dict[str, Any]:
    """What a comparison does not show: how it ran, and on which batch and hardware."""
    requests = run.requests
    return {
        "interleaved": run.interleaving,
        "pim_busy": run.pim_busy,
        "tokens": None if requests is None else requests.tokens,
        "mean_length": None if requests is None else requests.mean,
        "longest": None if requests is None else requests.longest,
        "hardware_digest": run.hardware_digest[:DIGEST_DIGITS],
        "version": run.version,
    }


def _error(outcome: Outcome | None) -> str | None:
    return "has not been run" if outcome is None else outcome.error


def parquet(rows: Sequence[Mapping[str, Any]], metadata: Mapping[str, str]) -> bytes:
    """The rows as a Parquet file, with text about where they come from."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _one_kind([row[name] for row in rows]) for name in (rows[0] if rows else {})}
    table = pa.table(columns)
    table = table.replace_schema_metadata({f"neupims.{key}": value for key, value in metadata.items()})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _one_kind(values: list[Any]) -> list[Any]:
    """Values of a column as they are if they are numbers, or of one kind; else as text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2 or kinds == {int, float}:
        return [str(value) if isinstance(value, list) else value for value in values]
    return [None if value is None else str(value) for value in values]
