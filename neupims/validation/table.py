"""Checks as tables for the terminal, one for each section."""

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table
from rich.text import Text

from neupims.validation.check import Check
from neupims.validation.figures import error, number, tolerance
from neupims.validation.run import Outcome
from neupims.validation.summary import by_section, checks_of

COLUMNS = ("ours", "theirs", "error", "tolerance")


def report(outcomes: Iterable[Outcome]) -> Group:
    """The sections that have checks, each with its table."""
    parts: list[Text | Table] = []
    for section, members in by_section(outcomes).items():
        checks = checks_of(members)
        if checks:
            parts += [Text(section, style="bold"), section_table(checks), Text()]
    return Group(*parts)


def section_table(checks: Iterable[Check]) -> Table:
    """One row for each check."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("name", overflow="fold")
    table.add_column("against", no_wrap=True, max_width=26)
    for title in COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("ok", no_wrap=True)
    for check in checks:
        ours, theirs = f"{number(check.ours)} {check.unit}".rstrip(), number(check.theirs)
        table.add_row(check.name, check.against, ours, theirs, error(check), tolerance(check), _verdict(check))
    return table


def _verdict(check: Check) -> Text:
    return Text("yes", style="green") if check.ok else Text("NO", style="bold red")
