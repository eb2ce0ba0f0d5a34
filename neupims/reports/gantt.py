"""The stages of an iteration as a picture: what each unit does when."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the keyword arguments of matplotlib have no types)

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from neupims.errors import ResultError
from neupims.reports.figure import COLOURS, INK, LABEL, LEGEND, OTHER, QUIET, SMALL, new_figure
from neupims.reports.lanes import Lane, lane_of, lanes, short_name
from neupims.reports.table import headline
from neupims.results.fields import to_ns
from neupims.results.record import Run
from neupims.results.spans import OperatorSpan, StageSpan

SCALES: Sequence[tuple[float, str]] = ((1e9, "ms"), (1e6, "µs"), (1e3, "ns"))
"""Picoseconds in each unit of the time axis."""

ROW_IN = 0.2
"""Height of one row of operators."""

AXES_IN, CHARACTER_IN = 3.0, 0.06
"""Widths, about, of the time axis and of a character of a title."""


def timeline_figure(run: Run) -> Figure:
    """Lanes of operators with the boundaries of the stages, over the simulated part of the iteration.

    Raises ResultError for a run without operators.
    """
    if not run.operators:
        raise ResultError(f"the run of {run.system} has no operators to draw")
    drawn = lanes(run)
    colours = _colours([span for lane in drawn for span in lane.spans])
    figure = new_figure(1.05 + ROW_IN * sum(len(lane.rows) for lane in drawn))
    axes = figure.subplots()
    scale, unit = _scale(run)
    _draw_lanes(axes, drawn, colours, scale)
    _mark_stages(axes, run.stages, scale)
    axes.set_xlabel(f"time, {unit}", fontsize=LABEL, color=INK, labelpad=2)
    figure.suptitle(f"{run.system}: {headline(run)}".replace(" · ", ", "), fontsize=SMALL, color=QUIET)
    _legend(figure, colours)
    return figure


def timeline_rows(run: Run) -> list[dict[str, Any]]:
    """The numbers behind the picture: stages, then operators by lane."""
    stages = [_row("stage", stage.name, stage, repeats=stage.repeats) for stage in run.stages]
    return stages + [_row(lane_of(span), span.name, span) for span in run.operators]


def _row(lane: str, name: str, span: StageSpan | OperatorSpan, repeats: int | None = None) -> dict[str, Any]:
    start, end = to_ns(span.start_ps), to_ns(span.end_ps)
    return {"lane": lane, "name": name, "start_ns": start, "end_ns": end, "repeats": repeats}


def _colours(operators: Sequence[OperatorSpan]) -> dict[str, str]:
    """A colour for each of the names that run longest, in the order of the lanes; the rest shares one."""
    time: Counter[str] = Counter()
    for span in operators:
        time[short_name(span)] += span.end_ps - span.start_ps
    kept = {name for name, _ in time.most_common(len(COLOURS))}
    in_order = [name for name in time if name in kept]
    colours = dict(zip(in_order, COLOURS, strict=False))
    return colours | dict.fromkeys((name for name in time if name not in kept), OTHER)


def _scale(run: Run) -> tuple[float, str]:
    end = max(span.end_ps for span in (*run.stages, *run.operators))
    return next((scale for scale in SCALES if end >= 2 * scale[0]), SCALES[-1])


def _draw_lanes(axes: Axes, drawn: Sequence[Lane], colours: Mapping[str, str], scale: float) -> None:
    at, middles = 0.0, list[float]()
    for lane in drawn:
        middles.append(at + (len(lane.rows) - 1) / 2)
        for row in lane.rows:
            _draw_row(axes, at, row, colours, scale)
            at += 1
        at += 0.35
    axes.set_yticks(middles, [lane.name for lane in drawn], fontsize=LABEL)
    axes.set_ylim(at - 0.75, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=LABEL, length=2, color=QUIET)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_row(axes: Axes, at: float, row: Sequence[OperatorSpan], colours: Mapping[str, str], scale: float) -> None:
    bars = [(span.start_ps / scale, (span.end_ps - span.start_ps) / scale) for span in row]
    fills = [colours[short_name(span)] for span in row]
    axes.broken_barh(bars, (at - 0.42, 0.84), facecolors=fills, edgecolors="white", linewidth=0.3)


def _mark_stages(axes: Axes, stages: Sequence[StageSpan], scale: float) -> None:
    end = max((stage.end_ps for stage in stages), default=0)
    for stage in stages:
        axes.axvline(stage.end_ps / scale, color=INK, linewidth=0.6, linestyle=(0, (2, 2)), clip_on=False)
        room = (stage.end_ps - stage.start_ps) / end * AXES_IN if end else 0.0
        middle = (stage.start_ps + stage.end_ps) / 2 / scale
        place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        axes.text(middle, 1.01, _stage_title(stage, room), fontsize=LABEL, color=INK, **place)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlim(0, end / scale if end else None)


def _stage_title(stage: StageSpan, room_in: float) -> str:
    """The longest title that does not run into its neighbours: letter and repeats, letter, nothing."""
    full = stage.name if stage.repeats == 1 else f"{stage.name} ×{stage.repeats}"
    return next((title for title in (full, stage.name) if len(title) * CHARACTER_IN <= room_in), "")


def _legend(figure: Figure, colours: Mapping[str, str]) -> None:
    patches = [Patch(color=colour, label=name) for name, colour in colours.items() if colour != OTHER]
    if OTHER in colours.values():
        patches.append(Patch(color=OTHER, label="other"))
    figure.legend(handles=patches, loc="outside lower center", ncols=4, **LEGEND)
