"""`neupims compare` and `neupims run`: simulate, print, and keep what came out."""

from pathlib import Path
from typing import Annotated

import typer

from neupims.cli.options import JsonOutput, OutFolder, SimulationOptions, SystemName, takes_job
from neupims.cli.output import emit, emit_json, emit_rich, progress
from neupims.request import DEFAULT_SYSTEMS


@takes_job
def compare(
    *,
    system: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYSTEM",
            help="Name or YAML file of a system; repeat it for more.",
            show_default=", ".join(DEFAULT_SYSTEMS),
        ),
    ] = None,
    job: SimulationOptions,
    out: OutFolder = None,
    json: JsonOutput = False,
) -> None:
    """Compare systems on the same model and requests."""
    from neupims.cli.folder import Folder
    from neupims.cli.job import build_job, tools
    from neupims.reports.table import report
    from neupims.simulation import compare

    ready = build_job(job, system or DEFAULT_SYSTEMS)
    folder = Folder.of(ready, out, wanted=not json)
    with progress(quiet=json) as tell:
        result = compare(ready.systems, ready.model, ready.batch, progress=tell, **tools(job), **ready.settings)
    if folder is not None:
        folder.write_comparison(result, ready)
    if json:
        emit_json(result.to_json())
    else:
        emit_rich(report(result.runs))
        emit(f"\nrecord, tables and pictures: {folder}\n")


@takes_job
def run(
    *,
    system: SystemName,
    job: SimulationOptions,
    timeline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a timeline for ui.perfetto.dev or chrome://tracing.")
    ] = None,
    out: OutFolder = None,
    json: JsonOutput = False,
) -> None:
    """Simulate one system."""
    from neupims.cli.folder import Folder
    from neupims.cli.job import build_job, tools
    from neupims.reports.perfetto import save_trace
    from neupims.reports.table import report, stage_table
    from neupims.simulation import simulate

    ready = build_job(job, [system])
    folder = Folder.of(ready, out, wanted=not json)
    with progress(quiet=json) as tell:
        result = simulate(ready.systems[0], ready.model, ready.batch, progress=tell, **tools(job), **ready.settings)
    if timeline is not None:
        save_trace(result, timeline)
    if folder is not None:
        folder.write_run(result, ready)
    if json:
        emit_json(result.to_json())
    else:
        emit_rich(report([result]), "", stage_table(result))
        emit(f"\nrecord, tables and pictures: {folder}\n")
