"""`neupims show`: each document between the question and the result."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neupims.cli import hardware
from neupims.cli.options import JobOptions, JsonOutput, SimulationOptions, SystemName, takes_job
from neupims.cli.output import emit, emit_json, emit_rich, progress

if TYPE_CHECKING:
    from neupims.graph import Graph
    from neupims.results.record import Run

app = typer.Typer(help="Show the documents between question and result.", no_args_is_help=True)
app.command("hardware")(hardware.show_system)


@app.command("graph")
@takes_job
def show_graph(
    *,
    job: JobOptions,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw a block instead (.svg, .png or .pdf); a .csv of its lines goes beside."
        ),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Block to draw, as models trace calls it, or all, which has each block as a box.",
            show_default="the one with the most work",
        ),
    ] = None,
    json: JsonOutput = False,
) -> None:
    """Show the operator graph of one pass over the batch: a decode step, or what the model does."""
    from neupims.cli.job import build_job
    from neupims.reports.figure import check_suffix
    from neupims.reports.graphs import graph_table

    if block is not None and picture is None:
        raise typer.BadParameter("--block says what a picture shows; give --picture FILE as well")
    if picture is not None:
        check_suffix(picture)
    ready = build_job(job, ())
    graph = ready.model.trace((request.length for request in ready.batch), ready.phase)
    if picture is not None:
        _draw(graph, block, picture)
    elif json:
        emit_json(graph.to_json())
    else:
        emit_rich(graph_table(graph))


def _draw(graph: "Graph", block: str | None, picture: Path) -> None:
    from neupims.reports.blocks import drawing_of, drawing_rows
    from neupims.reports.drawing import drawing_figure
    from neupims.reports.figure import save_figure

    drawing = drawing_of(graph, block)
    save_figure(drawing_figure(drawing), drawing_rows(drawing), picture)
    emit(f"{picture} and {picture.with_suffix('.csv')}\n")


@app.command("plan")
@takes_job
def show_plan(*, system: SystemName, job: JobOptions, json: JsonOutput = False) -> None:
    """Show what is lowered for one device: stages, operators, steps and bytes."""
    from neupims.cli.job import build_job
    from neupims.reports.plans import plan_rows, plan_table
    from neupims.simulation import plan

    ready = build_job(job, [system])
    lowered = plan(ready.systems[0], ready.model, ready.batch, **ready.settings)
    if json:
        emit_json(plan_rows(lowered))
    else:
        emit_rich(plan_table(lowered))


@app.command("commands")
@takes_job
def show_commands(*, system: SystemName, job: SimulationOptions, json: JsonOutput = False) -> None:
    """Simulate, and show the DRAM and PIM commands of one device in one iteration."""
    from neupims.reports.spans import command_rows, command_table, duration_line

    run = _simulated(system, job, json)
    if json:
        emit_json(command_rows(run))
    else:
        emit_rich(duration_line(run), "", command_table(run))


@app.command("timeline")
@takes_job
def show_timeline(*, system: SystemName, job: SimulationOptions, json: JsonOutput = False) -> None:
    """Simulate, and show what each unit did when."""
    from neupims.reports.perfetto import chrome_trace
    from neupims.reports.spans import duration_line, operator_table

    run = _simulated(system, job, json)
    if json:
        emit_json(chrome_trace(run))
    else:
        emit_rich(duration_line(run), "", operator_table(run))


def _simulated(system: str, job: SimulationOptions, quiet: bool) -> "Run":
    from neupims.cli.job import build_job, tools
    from neupims.simulation import simulate

    ready = build_job(job, [system])
    with progress(quiet) as tell:
        return simulate(ready.systems[0], ready.model, ready.batch, progress=tell, **tools(job), **ready.settings)
