"""Where the time of an iteration goes: its stages stacked, and how busy each resource is in them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the keyword arguments of matplotlib have no types)

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neupims.errors import ResultError
from neupims.reports.bars import RESOURCE_TITLES, RESOURCES
from neupims.reports.figure import COLOURS, FAINT, INK, LABEL, LEGEND, OTHER, QUIET, SMALL, new_figure
from neupims.reports.summary import PS_PER_MS
from neupims.results.record import Run
from neupims.results.spans import StageSpan

LEAST_SHARE = 0.06
"""Of the longest iteration, that a stage needs for its name to be written into it."""


def stages_figure(runs: Sequence[Run]) -> Figure:
    """The time of each iteration, one bar each, cut into its stages; they add up to it exactly."""
    names = list(dict.fromkeys(stage.name for run in runs for stage in run.stages))
    figure = new_figure(0.8 + 0.28 * len(runs))
    axes = figure.subplots()
    _prepare(axes)
    longest = max(run.iteration_ps for run in runs) / PS_PER_MS
    for place, run in enumerate(runs):
        start = 0.0
        for stage in run.stages:
            width = _share_ps(stage) / PS_PER_MS
            colour = [*COLOURS, OTHER][min(names.index(stage.name), len(COLOURS))]
            axes.barh(place, width, 0.7, left=start, color=colour, edgecolor="white", linewidth=0.4)
            if width > LEAST_SHARE * longest:
                middle = start + width / 2
                axes.text(middle, place, stage.name, ha="center", va="center", fontsize=SMALL, color="white")
            start += width
    axes.set_yticks(range(len(runs)), [run.system for run in runs], fontsize=LABEL)
    axes.invert_yaxis()
    axes.set_xlabel("time of an iteration, ms", fontsize=LABEL, color=INK)
    return figure


def stages_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The numbers behind the picture."""
    return [
        {"system": run.system, "stage": stage.name, "repeats": stage.repeats, "ms": _share_ps(stage) / PS_PER_MS}
        for run in runs
        for stage in run.stages
    ]


def utilization_figure(run: Run) -> Figure:
    """Mean utilisation of each resource in each stage, along the time of the iteration.

    Raises:
        ResultError: the run has no stages, or their utilisation was not measured.
    """
    rows = utilization_rows(run)
    figure = new_figure(1.9)
    axes = figure.subplots()
    _prepare(axes)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    for number, resource in enumerate(RESOURCES):
        times = [row["start_ms"] for row in rows] + [rows[-1]["end_ms"]]
        values = [100 * row[resource] for row in rows]
        axes.stairs(values, times, baseline=None, color=COLOURS[number], label=RESOURCE_TITLES[resource])
    for row in rows:
        if row["end_ms"] - row["start_ms"] > LEAST_SHARE * rows[-1]["end_ms"]:
            middle = (row["start_ms"] + row["end_ms"]) / 2
            axes.text(middle, 103, row["stage"], ha="center", va="bottom", fontsize=SMALL, color=QUIET)
    axes.set_ylim(0, 103)
    axes.set_xlim(0, rows[-1]["end_ms"])
    axes.set_ylabel("utilisation, %", fontsize=LABEL, color=INK)
    axes.set_xlabel("time, ms; stages with all their repeats", fontsize=LABEL, color=INK)
    figure.suptitle(
        f"{run.system}: {run.label}, batch {run.batch}, TP {run.tp}, PP {run.pp}", fontsize=SMALL, color=QUIET
    )
    figure.legend(loc="outside lower center", ncols=len(RESOURCES), **LEGEND)
    return figure


def utilization_rows(run: Run) -> list[dict[str, Any]]:
    """The numbers behind the picture. Errors as in `utilization_figure`."""
    rows, start = list[dict[str, Any]](), 0.0
    for stage in run.stages:
        if stage.utilization is None:
            raise ResultError(f"the run of {run.system} does not say how busy its stages were")
        end = start + _share_ps(stage) / PS_PER_MS
        shares = {resource: getattr(stage.utilization, resource) for resource in RESOURCES}
        rows.append({"stage": stage.name, "start_ms": start, "end_ms": end, **shares})
        start = end
    if not rows:
        raise ResultError(f"the run of {run.system} has no stages to draw")
    return rows


def _share_ps(stage: StageSpan) -> int:
    return stage.repeats * (stage.end_ps - stage.start_ps)


def _prepare(axes: Axes) -> None:
    axes.tick_params(labelsize=SMALL, length=2, color=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
