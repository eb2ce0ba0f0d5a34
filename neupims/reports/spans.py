"""What a run did, as tables: operators in time, and commands with their energy."""

from typing import Any

from rich.table import Table

from neupims.reports.lanes import lane_of
from neupims.reports.summary import PS_PER_MS
from neupims.reports.table import ABSENT, count, plain_table
from neupims.results.record import Run
from neupims.results.spans import OperatorSpan

PS_PER_US = 1e6


def operator_table(run: Run) -> Table:
    """Stages and their operators, in order of start."""
    table = plain_table("operator", "unit", "start", "duration", "MACs", "read", "written")
    spans = sorted(run.operators, key=lambda span: (span.start_ps, span.end_ps))
    for stage in run.stages:
        length = f"{(stage.end_ps - stage.start_ps) / PS_PER_US:,.2f} µs"
        table.add_row(f"stage {stage.name}", f"{stage.repeats}×", _at(stage.start_ps), length, style="bold")
        for span in spans:
            if stage.start_ps <= span.start_ps < stage.end_ps:
                table.add_row(*_cells(span))
    return table


def command_rows(run: Run) -> list[dict[str, Any]]:
    """Commands of one device in one iteration, with the energy of those that have one."""
    return [
        {"command": name, "count": number, "energy_mj": run.dram_energy_mj.get(name)}
        for name, number in run.commands.items()
    ]


def command_table(run: Run) -> Table:
    """Commands of one device in one iteration: counts, rate and energy."""
    table = plain_table("command", "count", "per µs", "energy")
    for row in command_rows(run):
        rate = row["count"] / run.iteration_ps * PS_PER_US
        energy = ABSENT if row["energy_mj"] is None else f"{row['energy_mj']:.3g} mJ"
        table.add_row(row["command"], f"{row['count']:,}", f"{rate:,.1f}", energy)
    return table


def duration_line(run: Run) -> str:
    """The iteration in one line."""
    return f"{run.system}: one iteration takes {run.iteration_ps / PS_PER_MS:,.3f} ms"


def _cells(span: OperatorSpan) -> list[str]:
    times = [_at(span.start_ps), f"{(span.end_ps - span.start_ps) / PS_PER_US:,.2f} µs"]
    work = [count(span.macs), count(span.bytes_read, "B"), count(span.bytes_written, "B")]
    return [f"  {span.name}", lane_of(span), *times, *work]


def _at(ps: int) -> str:
    return f"{ps / PS_PER_US:,.2f}"
