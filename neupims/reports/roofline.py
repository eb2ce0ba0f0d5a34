"""The operators of a run under the roofs of its processor: what bounds them, and how near they come."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the keyword arguments of matplotlib have no types)

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from neupims.errors import ResultError
from neupims.hardware.system import SystemSpec
from neupims.reports.figure import COLOURS, FAINT, INK, LABEL, LEGEND, OTHER, QUIET, SMALL, new_figure
from neupims.reports.lanes import short_name
from neupims.results.digest import digest
from neupims.results.measure import bandwidth_bytes, peak_macs, pim_peak_macs
from neupims.results.record import Run
from neupims.results.spans import OperatorSpan
from neupims.units import PS_PER_S

GIGA = 1e9
MARGIN = 3.0
"""Room beside the outermost points, as a factor."""
LARGEST, SMALLEST = 6.0, 2.5
EDGE: Mapping[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}
"""Points on top of each other stay apart."""


def roofline_rows(run: Run, system: SystemSpec) -> list[dict[str, Any]]:
    """MACs per byte of memory traffic, and GMAC/s over the operator's whole time, for each kind of operator with MACs.

    Operators of the same name (of several layers and halves) are put together, each as often as its stage stands in the
    iteration; those that take the most time come first, and `share` is theirs of the time of all. `bound` is what the
    roof allows: the peak of the arrays or the bandwidth times MACs per byte; of an operator in PIM, the peak of the PIM
    units. Weights that were fetched while another operator ran can lift an operator a little above its roof.

    Raises:
        ResultError: the run was made with other hardware than `system` has, or has no operator with MACs.
    """
    if run.hardware_digest != digest(system.model_dump(mode="json")):
        raise ResultError(
            f"the run of {run.system} was made with other values of the hardware than {system.name} has now"
        )
    rows: dict[str, dict[str, Any]] = {}
    for operator in run.operators:
        if operator.macs:
            name, times = short_name(operator), _times(run, operator)
            row = rows.setdefault(name, {"operator": name, "unit": operator.unit, "macs": 0, "bytes": 0, "ps": 0})
            row["macs"] += times * operator.macs
            row["bytes"] += times * (operator.bytes_read + operator.bytes_written)
            row["ps"] += times * (operator.end_ps - operator.start_ps)
    if not rows:
        raise ResultError(f"the run of {run.system} has no operators to draw")
    total = sum(row["ps"] for row in rows.values())
    return [_finished(row, system, total) for row in sorted(rows.values(), key=lambda row: -row["ps"])]


def _times(run: Run, operator: OperatorSpan) -> int:
    return next((one.repeats for one in run.stages if one.start_ps <= operator.start_ps < one.end_ps), 1)


def _finished(row: dict[str, Any], system: SystemSpec, total_ps: int) -> dict[str, Any]:
    intensity = row["macs"] / max(row["bytes"], 1)
    bound = min(peak_macs(system), intensity * bandwidth_bytes(system))
    if row["unit"] == "pim":
        bound = pim_peak_macs(system)
    speed = row["macs"] / (row["ps"] / PS_PER_S)
    figures = {"macs_per_byte": intensity, "gmacs_per_s": speed / GIGA, "bound_gmacs_per_s": bound / GIGA}
    figures["share"] = row["ps"] / total_ps
    return {"operator": row["operator"], "unit": row["unit"], **figures}


def roofline_figure(run: Run, system: SystemSpec) -> Figure:
    """Operators as points below the roofs, the longer their time the larger; only those of most time have a name.

    Errors as in `roofline_rows`.
    """
    rows = roofline_rows(run, system)
    figure = new_figure(2.6)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    _roofs(axes, system, [row["macs_per_byte"] for row in rows])
    for number, row in enumerate(rows):
        named = number < len(COLOURS)
        colour, size = (COLOURS[number], LARGEST - 0.5 * number) if named else (OTHER, SMALLEST)
        label = row["operator"] if named else "others" if number == len(COLOURS) else None
        place, marker = (row["macs_per_byte"], row["gmacs_per_s"]), "s" if row["unit"] == "pim" else "o"
        axes.plot(*place, marker, color=colour, markersize=size, label=label, linestyle="none", **EDGE)
    axes.set_xlabel("MACs per byte of memory traffic", fontsize=LABEL, color=INK)
    axes.set_ylabel("GMAC/s of a device", fontsize=LABEL, color=INK)
    axes.tick_params(labelsize=SMALL, length=2, color=QUIET)
    axes.grid(color=FAINT, linewidth=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{run.system}: {run.label}, batch {run.batch}, TP {run.tp}, PP {run.pp}", fontsize=SMALL, color=QUIET
    )
    figure.legend(loc="outside lower center", ncols=3, **LEGEND)
    return figure


def _roofs(axes: Axes, system: SystemSpec, intensities: Sequence[float]) -> None:
    peak, bandwidth = peak_macs(system) / GIGA, bandwidth_bytes(system) / GIGA
    ridge = peak / bandwidth
    low, high = min(*intensities, ridge) / MARGIN, max(*intensities, ridge) * MARGIN
    axes.plot([low, ridge, high], [low * bandwidth, peak, peak], color=INK, linewidth=1)
    axes.text(high, peak, "arrays ", fontsize=SMALL, ha="right", va="bottom", color=INK)
    axes.text(low, low * bandwidth, " memory", fontsize=SMALL, va="top", color=INK)
    if system.pim is not None:
        units = pim_peak_macs(system) / GIGA
        axes.plot([low, high], [units, units], color=QUIET, linewidth=0.8, linestyle="--")
        axes.text(high, units, "PIM units ", fontsize=SMALL, ha="right", va="bottom", color=QUIET)
    axes.set_xlim(low, high)
