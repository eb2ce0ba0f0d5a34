"""Tables for the terminal."""

from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from neupims.reports.summary import PS_PER_MS, dram_groups_mj, estimated, has_pim
from neupims.results.record import Run

ABSENT = "–"

GROUP_TITLES = {
    "activate": "ACT",
    "read_write": "RD WR",
    "refresh": "REF",
    "pim_activate": "PIM ACT",
    "pim_mac": "PIM MAC",
    "pim_vector": "PIM I/O",
    "standby": "standby",
}

PART_TITLES = {"dram": "DRAM", "pim": "PIM", "npu": "NPU, GPU", "link": "link"}


def report(runs: Sequence[Run]) -> Group:
    """Everything that a terminal shows of runs of one job: headline, throughput, energy."""
    tables = throughput_table(runs), Text(), energy_table(runs), Text(), power_table(runs)
    return Group(Text(headline(runs[0])), *tables, *_estimates(runs))


def _estimates(runs: Sequence[Run]) -> list[Text]:
    """A line for operators whose time is an estimate, if there are any."""
    found = [(run.system, *estimated(run)) for run in runs]
    kinds = sorted({kind for _, kinds, _ in found for kind in kinds})
    if not kinds:
        return []
    shares = ", ".join(f"{system} {share:.1%}" for system, kinds, share in found if kinds)
    return [Text(), Text(f"timed by their number of operations alone: {', '.join(kinds)} ({shares} of the time)")]


def headline(run: Run) -> str:
    """The job in one line: model, phase, batch, context lengths unless they say nothing to it, devices."""
    parts = [run.label, f"batch {run.batch}", f"TP {run.tp}, PP {run.pp}"]
    if run.requests is not None and run.phase != "forward":
        parts.insert(2, f"mean context {run.requests.mean:.0f} ({run.requests.shortest}–{run.requests.longest})")
    if run.phase not in (None, "decode"):
        parts.insert(1, str(run.phase))
    if run.layers is not None:
        parts.append(f"{run.layers} decoder block{'s' if run.layers > 1 else ''} without embedding and head")
    return " · ".join(parts)


def throughput_table(runs: Sequence[Run]) -> Table:
    """Throughput, iteration time, speed-up over the first run, and utilisation."""
    table = plain_table("", f"{runs[0].unit}/s", "iteration", "speed-up", "NPU", "PIM", "bandwidth")
    for run in runs:
        use = run.utilization
        table.add_row(
            run.system,
            f"{run.tokens_per_s:,.0f}",
            f"{run.iteration_ps / PS_PER_MS:,.2f} ms",
            f"{run.tokens_per_s / runs[0].tokens_per_s:.2f}×",
            f"{use.npu:.1%}",
            f"{use.pim:.1%}" if has_pim(run) else ABSENT,
            f"{use.bandwidth:.1%}",
        )
    return table


def energy_table(runs: Sequence[Run]) -> Table:
    """Energy of the memory of one device in one iteration, by group of commands."""
    table = plain_table("memory, mJ", *GROUP_TITLES.values(), "total")
    for run in runs:
        groups = [_mj(value) for value in dram_groups_mj(run).values()]
        table.add_row(run.system, *groups, _mj(run.energy.dram + run.energy.pim))
    return table


def power_table(runs: Sequence[Run]) -> Table:
    """Energy of all devices for one token, by part, and the average power of one of them."""
    table = plain_table(f"mJ per {runs[0].unit[:-1]}", *PART_TITLES.values(), "total", "W per device")
    for run in runs:
        parts = run.energy_per_token_mj
        spent = [_mj(parts[part]) for part in (*PART_TITLES, "total")]
        table.add_row(run.system, *spent, f"{run.power_w['total']:,.0f}")
    return table


def stage_table(run: Run) -> Table:
    """The simulated stages, how often each is in the iteration, and its share of the time."""
    table = plain_table("stage", "duration", "times", "share")
    for stage in run.stages:
        duration = stage.end_ps - stage.start_ps
        share = duration * stage.repeats / run.iteration_ps
        table.add_row(stage.name, f"{duration / PS_PER_MS:,.3f} ms", f"{stage.repeats}×", f"{share:.1%}")
    return table


def print_report(runs: Sequence[Run], console: Console) -> None:
    """Print the report as wide as the console is."""
    console.print(report(runs))


def count(value: float, unit: str = "") -> str:
    """Three digits and a prefix: `1.25 G`, `12.3 kB`, `0`."""
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if value >= 0.9995 * 10**power:
            return f"{value / 10**power:.{_decimals(value / 10**power)}f} {prefix}{unit}"
    return f"{value:g} {unit}".rstrip()


def _decimals(value: float) -> int:
    return 2 if value < 9.995 else 1 if value < 99.95 else 0


def _mj(value: float | None) -> str:
    if not value:
        return ABSENT
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.1f}"


def plain_table(first: str, *others: str) -> Table:
    """A table without lines; the first column is text, the others are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True)
    return table
