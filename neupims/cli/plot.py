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
    TIMELINE = "timeline"


def plot(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS", help="Records, comparisons, or folders of runs.")],
    kind: Annotated[
        Kind, typer.Option(help="Bars of throughput and utilisation, or the stages of one run.")
    ] = Kind.BARS,
    system: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Only the runs of this system, for instance for a timeline.")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Picture to write (.png, .svg or .pdf); a .csv goes beside it.")
    ] = Path("plot.png"),
) -> None:
    """Plot any mixture of runs; the numbers go into a CSV beside the picture."""
    from neupims.reports.bars import bar_figure, bar_rows
    from neupims.reports.figure import check_suffix, save_figure
    from neupims.reports.gantt import timeline_figure, timeline_rows

    check_suffix(out)
    runs = _chosen(results, system)
    if kind is Kind.BARS:
        save_figure(bar_figure(runs), bar_rows(runs), out)
    elif len(runs) > 1:
        names = ", ".join(dict.fromkeys(run.system for run in runs))
        raise typer.BadParameter(f"a timeline shows one run, not {len(runs)}; choose one with --system ({names})")
    else:
        save_figure(timeline_figure(runs[0]), timeline_rows(runs[0]), out)
    emit(f"{out} and {out.with_suffix('.csv')}\n")


def _chosen(results: list[Path], system: str | None) -> "list[Run]":
    from neupims.errors import ResultError
    from neupims.results.record import load_runs

    runs = [run for path in results for run in load_runs(path)]
    chosen = [run for run in runs if system in (None, run.system)]
    if not chosen:
        found = ", ".join(dict.fromkeys(run.system for run in runs))
        raise ResultError(f"--system {system}: no such run among the results, which hold {found or 'none'}")
    return chosen
