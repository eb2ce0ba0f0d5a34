"""Bars: throughput and utilisation of systems on one job, or speed-ups over several jobs."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the keyword arguments of matplotlib have no types)

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neupims.reports.figure import COLOURS, FAINT, INK, LABEL, LEGEND, OTHER, QUIET, SMALL, TITLE, new_figure
from neupims.reports.summary import has_pim, summary_rows
from neupims.reports.table import ABSENT, headline
from neupims.results.record import Run

GROUP_WIDTH = 0.8
"""Share of the room of a group that its bars fill."""

RESOURCES = ("npu", "pim", "bandwidth")
RESOURCE_TITLES = {"npu": "NPU or GPU", "pim": "PIM", "bandwidth": "bandwidth"}


def bar_figure(runs: Sequence[Run]) -> Figure:
    """Throughput above utilisation for one job; grouped bars for runs of several jobs."""
    jobs = jobs_of(runs)
    return _one_job(runs) if len(jobs) == 1 else _several_jobs(jobs)


def bar_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The numbers behind the picture; speed-ups are over the first run of the same job."""
    return [row for job in jobs_of(runs).values() for row in summary_rows(job)]


def jobs_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by what was asked of them; a job is called by the facts in which jobs differ."""
    facts = [_facts(run) for run in runs]
    differ = [name for name in facts[0] if len({fact[name] for fact in facts}) > 1]
    jobs: dict[str, list[Run]] = {}
    for run, fact in zip(runs, facts, strict=True):
        jobs.setdefault("\n".join(fact[name] for name in differ), []).append(run)
    return jobs


def _facts(run: Run) -> dict[str, str]:
    return {
        "model": run.label,
        "batch": f"batch {run.batch}",
        "requests": "" if run.requests is None else f"{run.requests.tokens / 1000:.0f}k tokens",
        "devices": f"TP {run.tp}, PP {run.pp}",
        "layers": "all layers" if run.layers is None else f"{run.layers} layers",
    }


def _one_job(runs: Sequence[Run]) -> Figure:
    figure = new_figure(3.3)
    figure.suptitle(headline(runs[0]).replace(" · ", ", "), fontsize=SMALL, color=QUIET)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.25, 1))
    _throughput(upper, runs)
    _utilization(lower, runs)
    _name_groups(lower, [run.system for run in runs])
    return figure


def _throughput(axes: Axes, runs: Sequence[Run]) -> None:
    _prepare(axes, f"throughput, {runs[0].unit}/s")
    values = [run.tokens_per_s for run in runs]
    bars = axes.bar(range(len(runs)), values, 0.6, color=COLOURS[0])
    texts = [f"{value:,.0f}\n{value / values[0]:.2f}×" for value in values]
    axes.bar_label(bars, texts, fontsize=SMALL, padding=1, color=INK)
    axes.set_ylim(0, max(values) * 1.3)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _utilization(axes: Axes, runs: Sequence[Run]) -> None:
    _prepare(axes, "utilisation, %")
    width = GROUP_WIDTH / len(RESOURCES)
    for i, resource in enumerate(RESOURCES):
        values = [100 * getattr(run.utilization, resource) for run in runs]
        places = [j + (i - (len(RESOURCES) - 1) / 2) * width for j in range(len(runs))]
        bars = axes.bar(places, values, width * 0.9, color=COLOURS[i], label=RESOURCE_TITLES[resource])
        absent = [resource == "pim" and not has_pim(run) for run in runs]
        texts = [ABSENT if none else f"{value:.0f}" for none, value in zip(absent, values, strict=True)]
        axes.bar_label(bars, texts, fontsize=SMALL - 1, padding=1, color=INK)
    axes.set_ylim(0, 115)
    axes.set_yticks(range(0, 101, 25))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=len(RESOURCES), **LEGEND)


def _several_jobs(jobs: dict[str, list[Run]]) -> Figure:
    figure = new_figure(2.4)
    axes = figure.subplots()
    bases = {job[0].system for job in jobs.values()}
    base = bases.pop() if len(bases) == 1 else None
    unit = next(iter(jobs.values()))[0].unit
    _prepare(axes, f"speed-up over {base}" if base else f"throughput, {unit}/s")
    systems = list(dict.fromkeys(run.system for job in jobs.values() for run in job))
    width = GROUP_WIDTH / len(systems)
    for i, system in enumerate(systems):
        found = [(j, run, job[0]) for j, job in enumerate(jobs.values()) for run in job if run.system == system]
        values = [run.tokens_per_s / first.tokens_per_s if base else run.tokens_per_s for _, run, first in found]
        places = [j + (i - (len(systems) - 1) / 2) * width for j, *_ in found]
        axes.bar(places, values, width * 0.9, color=[*COLOURS, OTHER][min(i, len(COLOURS))], label=system)
    _name_groups(axes, list(jobs))
    figure.legend(loc="outside lower center", ncols=min(len(systems), 4), **LEGEND)
    return figure


def _prepare(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=TITLE, loc="left", color=INK)
    axes.tick_params(labelsize=LABEL, length=2, color=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _name_groups(axes: Axes, names: Sequence[str]) -> None:
    crowded = sum(max(map(len, name.split("\n"))) + 2 for name in names) > 56
    turn: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks(range(len(names)), names, fontsize=LABEL, **turn)
    axes.tick_params(axis="x", length=0)
