"""The points of a sweep for the terminal: what was swept, and the numbers that one looks at first."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from neupims.reports.table import ABSENT, plain_table

RESULTS = {
    "tokens_per_s": ("tokens/s", "{:,.0f}"),
    "iteration_ms": ("iteration, ms", "{:,.2f}"),
    "energy_per_token_mj": ("mJ/token", "{:,.1f}"),
}
"""Columns of results, with their titles and formats."""


def sweep_table(rows: Sequence[Mapping[str, Any]], swept: Sequence[str]) -> Table:
    """Rows as the table of a sweep has them, or of a dry run, without results; `swept` are the columns before these."""
    shown = [name for name in RESULTS if name in rows[0]]
    table = plain_table(*map(_short, swept), *(RESULTS[name][0] for name in shown))
    for row in rows:
        numbers = [ABSENT if row[name] is None else RESULTS[name][1].format(row[name]) for name in shown]
        table.add_row(*(ABSENT if row[name] is None else str(row[name]) for name in swept), *numbers)
    return table


def _short(name: str) -> str:
    """A value of the hardware without the sections that it is in."""
    return name.rpartition(".")[2]
