"""`neupims sweep`: many runs from one file."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neupims.cli.options import JsonOutput
from neupims.cli.output import emit, emit_json, emit_rich, note, progress

if TYPE_CHECKING:
    from neupims.sweeps.execute import Executor

SHOWN_ROWS = 40


class Kind(StrEnum):
    """Who runs the points."""

    LOCAL = "local"
    DASK = "dask"


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file with the axes of the sweep.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what the folder holds already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the points.")] = False,
    processes: Annotated[
        int | None, typer.Option("-j", "--processes", min=1, help="Processes.", show_default="one for each processor")
    ] = None,
    executor: Annotated[Kind, typer.Option(help="Processes of this machine, or a Dask cluster.")] = Kind.LOCAL,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of a Dask scheduler, for instance tcp://node1:8786.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.", show_default="runs/NAME")
    ] = None,
    json: JsonOutput = False,
) -> None:
    """Run every combination of values that FILE names, and put the results into one table."""
    from neupims.sweeps.document import read_sweep
    from neupims.sweeps.points import expand
    from neupims.sweeps.run import TABLE, TABLE_CSV, run_sweep

    if address is not None and executor is not Kind.DASK:
        raise typer.BadParameter("--address belongs to --executor dask")
    read = read_sweep(file)
    points = expand(read)
    swept = ["point", *points[0].values]
    if dry_run:
        _list([{"point": point.number} | dict(point.values) for point in points], swept, json)
        return
    folder = out or Path("runs") / read.name
    chosen = _executor(executor, address, processes or os.cpu_count() or 1)
    with progress(quiet=json) as tell:
        done = run_sweep(
            read, points, folder, text=file.read_text(encoding="utf-8"), resume=resume, executor=chosen, progress=tell
        )
    _list(list(done.rows), swept, json)
    for row in done.rows:
        if row["error"] is not None:
            note(f"point {row['point']}: {row['error']}")
    if not json:
        known = len(points) - done.ran
        failed = f", {done.failed} failed" if done.failed else ""
        emit(f"\n{len(points)} points: {done.ran} run now, {known} known or alike{failed}\n")
        emit(f"table: {folder / TABLE} and {folder / TABLE_CSV}\n")
    if done.failed:
        raise typer.Exit(1)


def _executor(kind: Kind, address: str | None, processes: int) -> "Executor":
    from neupims.sweeps.execute import dask, local

    return local(processes) if kind is Kind.LOCAL else dask(address, processes)


def _list(rows: list[dict[str, Any]], swept: list[str], json: bool) -> None:
    from neupims.reports.sweep_table import sweep_table

    if json:
        emit_json(rows)
        return
    emit_rich(sweep_table(rows[:SHOWN_ROWS], swept))
    if len(rows) > SHOWN_ROWS:
        emit(f"… and {len(rows) - SHOWN_ROWS} more\n")
