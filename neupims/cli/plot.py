"""`neupims plot`: pictures of runs that were kept."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neupims.cli.output import emit

if TYPE_CHECKING:
    from neupims.results.record import Run


class Kind(StrEnum):
    """What a picture shows."""

    BARS = "bars"
    STAGES = "stages"
    TIMELINE = "timeline"
    UTILIZATION = "utilization"
    ROOFLINE = "roofline"
    GROUPED = "grouped"
    LINES = "lines"
    HEAT = "heat"
    ENERGY = "energy"


RUNS, ONE_RUN = (Kind.BARS, Kind.STAGES), (Kind.TIMELINE, Kind.UTILIZATION, Kind.ROOFLINE)
"""Kinds that show runs, and a single one; the others show the table of all results."""


def plot(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS", help="Records, comparisons, or folders of runs.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="Of runs: bars of throughput and utilisation, or stages of an iteration; of one run: a timeline of "
            "its operators, utilisation over time, or a roofline. Of a table: grouped bars, lines, a heat map, or "
            "energy by part."
        ),
    ] = Kind.BARS,
    x: Annotated[
        str | None,
        typer.Option("--x", metavar="COLUMN", help="Of a table: what is along the axis.", show_default="batch"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Of a table: what has colours of its own.", show_default="system"),
    ] = None,
    value: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of a table: what is shown.", show_default="tokens_per_s")
    ] = None,
    over: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a table: divide by the runs of this system (or other --by).")
    ] = None,
    facet: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of a table: one picture for each of its values.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Only the runs of this system, for instance for a timeline.")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Picture to write (.png, .svg or .pdf); a .csv goes beside it.")
    ] = Path("plot.png"),
) -> None:
    """Plot any mixture of runs; the numbers go into a CSV beside the picture."""
    from neupims.reports.figure import check_suffix

    check_suffix(out)
    table = {"x": x, "by": by, "value": value, "over": over, "facet": facet}
    given = {name: choice for name, choice in table.items() if choice is not None}
    if kind not in (*RUNS, *ONE_RUN):
        _plot_table(results, kind, system, given, out)
    elif given:
        raise typer.BadParameter(f"--{next(iter(given))} belongs to a table: --kind grouped, lines, heat or energy")
    else:
        _plot_runs(_chosen(results, system), kind, out)
    emit(f"{out} and {out.with_suffix('.csv')}\n")


def _plot_runs(runs: "list[Run]", kind: Kind, out: Path) -> None:
    from neupims.hardware.load import load_system
    from neupims.reports import bars, gantt, roofline, stages
    from neupims.reports.figure import save_figure

    if kind in ONE_RUN and len(runs) > 1:
        names = ", ".join(dict.fromkeys(run.system for run in runs))
        raise typer.BadParameter(f"a {kind} shows one run, not {len(runs)}; choose one with --system ({names})")
    match kind:
        case Kind.STAGES:
            save_figure(stages.stages_figure(runs), stages.stages_rows(runs), out)
        case Kind.TIMELINE:
            save_figure(gantt.timeline_figure(runs[0]), gantt.timeline_rows(runs[0]), out)
        case Kind.UTILIZATION:
            save_figure(stages.utilization_figure(runs[0]), stages.utilization_rows(runs[0]), out)
        case Kind.ROOFLINE:
            spec = load_system(runs[0].system)
            save_figure(roofline.roofline_figure(runs[0], spec), roofline.roofline_rows(runs[0], spec), out)
        case _:
            save_figure(bars.bar_figure(runs), bars.bar_rows(runs), out)


def _plot_table(results: list[Path], kind: Kind, system: str | None, given: dict[str, str], out: Path) -> None:
    from neupims.api import load_results
    from neupims.reports import study_figures
    from neupims.reports.figure import save_figure
    from neupims.reports.study import View

    frame = load_results(*results)
    view = View(**{"x": "batch", "by": "system"} | given)
    draw = getattr(study_figures, f"{kind.value}_figure")
    figure, rows = draw(frame if system is None else frame[frame["system"] == system], view)
    save_figure(figure, rows, out)


def _chosen(results: list[Path], system: str | None) -> "list[Run]":
    from neupims.errors import ResultError
    from neupims.results.record import load_runs

    runs = [run for path in results for run in load_runs(path)]
    chosen = [run for run in runs if system in (None, run.system)]
    if not chosen:
        found = ", ".join(dict.fromkeys(run.system for run in runs))
        raise ResultError(f"--system {system}: no such run among the results, which hold {found or 'none'}")
    return chosen
