"""Pictures of many runs, legible in one column of a paper."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (data frames and the keyword arguments of matplotlib have no types)

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from neupims.reports.figure import COLOURS, FAINT, INK, LABEL, LEGEND, OTHER, QUIET, SMALL, new_figure
from neupims.reports.study import PARTS, View, stacked, study

GROUP_WIDTH = 0.8
ROW_IN, TOP_IN = 1.15, 0.75
THOUSAND = 1000
MARKERS = "osD^v<>P"
TITLES: Mapping[str, str] = {
    "tokens_per_s": "tokens/s",
    "iteration_ms": "iteration, ms",
    "energy_per_token_mj": "mJ per token",
    "total_power_w": "W per device",
    "npu_utilization": "NPU utilisation",
    "pim_utilization": "PIM utilisation",
    "bandwidth_utilization": "bandwidth utilisation",
}
PART_TITLES = {"dram": "DRAM", "pim": "PIM", "npu": "NPU, GPU", "link": "link"}

Drawing = Callable[[pd.DataFrame, View], tuple[Figure, list[dict[str, Any]]]]
"""A picture of a table, and the numbers behind it."""
Draw = Callable[[Axes, pd.DataFrame, View, Sequence[Any]], None]


def grouped_figure(frame: pd.DataFrame, view: View) -> tuple[Figure, list[dict[str, Any]]]:
    """Bars side by side, with the spread over what is not shown as whiskers; and the numbers behind them."""
    return _figure(study(frame, view), view, _bars)


def lines_figure(frame: pd.DataFrame, view: View) -> tuple[Figure, list[dict[str, Any]]]:
    """Lines with markers over a numeric x, with the spread as a band; and the numbers behind them."""
    return _figure(study(frame, view), view, _lines)


def heat_figure(frame: pd.DataFrame, view: View) -> tuple[Figure, list[dict[str, Any]]]:
    """A field for each x and `by`, its number written into it; and the numbers."""
    return _figure(study(frame, view), view, _heat, legend=False)


def energy_figure(frame: pd.DataFrame, view: View) -> tuple[Figure, list[dict[str, Any]]]:
    """Energy for one token by part, stacked, for each x and `by`; and the numbers."""
    return _figure(stacked(frame, view), view, _stacks)


def _figure(data: pd.DataFrame, view: View, draw: Draw, legend: bool = True) -> tuple[Figure, list[dict[str, Any]]]:
    facets = [None] if view.facet is None else list(dict.fromkeys(data[view.facet]))
    figure = new_figure(TOP_IN + ROW_IN * len(facets))
    rows = figure.subplots(len(facets), 1, sharex=True, squeeze=False)[:, 0]
    names = list(dict.fromkeys(data[view.by]))
    for axes, facet in zip(rows, facets, strict=True):
        part = data if facet is None else data[data[view.facet] == facet]
        _prepare(axes, "" if facet is None else str(facet))
        draw(axes, part, view, names)
        if draw is not _heat and axes.get_ylim()[1] >= THOUSAND:
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    figure.supylabel(_title(view, draw), fontsize=LABEL, color=INK)
    rows[-1].set_xlabel(view.x.replace("_", " "), fontsize=LABEL, color=INK)
    if legend:
        handles, labels = rows[0].get_legend_handles_labels()
        shown = dict(zip(labels, handles, strict=True))
        figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=4, **LEGEND)
    return figure, [{str(name): value for name, value in row.items()} for row in data.to_dict("records")]


def _title(view: View, draw: Draw) -> str:
    if draw is _stacks:
        return TITLES["energy_per_token_mj"]
    what = TITLES.get(view.value, view.value.replace("_", " "))
    return what if view.over is None else f"{what}, over {view.over}"


def _prepare(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=LABEL, loc="left", color=INK, pad=3)
    axes.tick_params(labelsize=SMALL, length=2, color=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _colour(number: int) -> str:
    return [*COLOURS, OTHER][min(number, len(COLOURS))]


def _bars(axes: Axes, data: pd.DataFrame, view: View, names: Sequence[Any]) -> None:
    groups, width = list(dict.fromkeys(data[view.x])), GROUP_WIDTH / len(names)
    for number, name in enumerate(names):
        own = data[data[view.by] == name]
        places = [groups.index(x) + (number - (len(names) - 1) / 2) * width for x in own[view.x]]
        spread = [own["mean"] - own["least"], own["greatest"] - own["mean"]]
        axes.bar(places, own["mean"], width * 0.9, color=_colour(number), label=str(name))
        if (own["runs"] > 1).any():
            axes.errorbar(places, own["mean"], yerr=spread, fmt="none", ecolor=INK, elinewidth=0.6, capsize=1)
    axes.set_xticks(range(len(groups)), [str(x) for x in groups])
    if view.over is not None:
        axes.axhline(1, color=QUIET, linewidth=0.6)


def _lines(axes: Axes, data: pd.DataFrame, view: View, names: Sequence[Any]) -> None:
    for number, name in enumerate(names):
        own = data[data[view.by] == name].sort_values(view.x)
        style: dict[str, Any] = {"color": _colour(number), "marker": MARKERS[number % len(MARKERS)]}
        axes.plot(own[view.x], own["mean"], label=str(name), markersize=3, linewidth=1, **style)
        axes.fill_between(own[view.x], own["least"], own["greatest"], color=_colour(number), alpha=0.15, linewidth=0)
    places = sorted(set(data[view.x]))
    if places[0] > 0 and places[-1] >= 8 * places[0]:
        axes.set_xscale("log", base=2)
    axes.set_xticks(places, [f"{x:g}" for x in places])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)


def _heat(axes: Axes, data: pd.DataFrame, view: View, names: Sequence[Any]) -> None:
    groups = list(dict.fromkeys(data[view.x]))
    field = data.pivot(index=view.by, columns=view.x, values="mean").reindex(index=list(names), columns=groups)
    axes.imshow(field, cmap="cividis", aspect="auto")
    axes.grid(visible=False)
    middle = (field.min().min() + field.max().max()) / 2
    for row in range(len(names)):
        for column in range(len(groups)):
            value = field.iloc[row, column]
            ink = "white" if value < middle else "black"
            axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=SMALL, color=ink)
    axes.set_xticks(range(len(groups)), [str(x) for x in groups])
    axes.set_yticks(range(len(names)), [str(name) for name in names])


def _stacks(axes: Axes, data: pd.DataFrame, view: View, names: Sequence[Any]) -> None:
    groups, width = list(dict.fromkeys(data[view.x])), GROUP_WIDTH / len(names)
    for number, name in enumerate(names):
        own = data[data[view.by] == name]
        places = [groups.index(x) + (number - (len(names) - 1) / 2) * width for x in own[view.x]]
        below = pd.Series(0.0, index=own.index)
        for colour, part in enumerate(PARTS):
            axes.bar(places, own[part], width * 0.9, bottom=below, color=_colour(colour), label=PART_TITLES[part])
            below = below + own[part]
        for place, height in zip(places, below, strict=True):
            axes.text(place, height, f" {name}", rotation=90, ha="center", va="bottom", fontsize=SMALL - 1.5, color=INK)
    axes.set_xticks(range(len(groups)), [str(x) for x in groups])
    axes.margins(y=0.45)
