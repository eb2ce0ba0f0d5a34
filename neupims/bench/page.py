"""What was measured, as tables in Markdown and as the page docs/performance.md."""

from collections.abc import Iterator, Sequence
from importlib.resources import files

from neupims.bench.cases import AXES, KINDS
from neupims.bench.measure import Measured, Row
from neupims.bench.recurrence import Recurrence

Point = tuple[str, str, Measured | str]
CASES = "| case | CPU s | scaled | goal, must | commands | of these run | per CPU s | plain | interpreter | peak MB |"


def case_lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each case, and what it was."""
    yield CASES
    yield "|" + "---|" * (CASES.count("|") - 1)
    yield from map(_case_line, rows)
    yield ""
    yield from (f"- `{row.case.name}`: {row.case.what}" for row in rows)
    yield ""
    yield from published_lines(rows)


def _case_line(row: Row) -> str:
    fast, case = row.fast, row.case
    wanted = "" if case.must_s is None else f"{case.goal_s:g}, {case.must_s:g}"
    ratios = f"{row.ratio_to_plain:.1f} x | {row.ratio_to_reference:,.0f} x"
    counts = f"{fast.commands:,} | {fast.run / fast.commands:.0%} | {fast.commands / fast.cpu_s:,.0f}"
    seconds = f"{fast.cpu_s:.2f} | {row.scaled_s:.2f} | {wanted}"
    return f"| `{case.name}` | {seconds} | {counts} | {ratios} | {fast.peak_mb:.0f} |"


def published_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The published simulator beside the cases in which it was timed."""
    for row in rows:
        for name, ratio in row.ratio_to_published.items():
            seconds = ratio * row.fast.cpu_s
            yield f"- Published simulator, {name}: {seconds:.0f} CPU s here, {ratio:.0f} times `{row.case.name}`."
    if rows:
        yield f"- The loop by which times are scaled: {rows[0].loop_s:.2f} CPU s."


def scaling_lines(points: Sequence[Point]) -> Iterator[str]:
    """A table for each axis."""
    for axis in dict.fromkeys(axis for axis, _, _ in points):
        what = AXES[axis][0] if axis in AXES else "model, 128 requests of 512 tokens"
        yield from ("", f"| {what} | CPU s | commands | of these run | peak MB |", "|---|---|---|---|---|")
        for other, point, took in points:
            if other == axis:
                yield f"| {point} | {_took(took)} |"


def _took(took: Measured | str) -> str:
    if isinstance(took, str):
        return f"{took} | | |"
    return f"{took.cpu_s:.2f} | {took.commands:,} | {took.run / took.commands:.0%} | {took.peak_mb:.0f}"


def recurrence_lines(found: Sequence[Recurrence]) -> Iterator[str]:
    """After how many cycles each kind of traffic repeats itself."""
    yield from ("| traffic on one channel | cycles observed | repeats itself after |", "|---|---|---|")
    for one in found:
        period = "never" if one.period is None else f"{one.period:,} cycles"
        yield f"| {KINDS[one.kind][0]} | {one.observed:,} | {period} |"


def page(rows: Sequence[Row], points: Sequence[Point], found: Sequence[Recurrence]) -> str:
    """docs/performance.md: the text beside this file with the tables put in."""
    text = files("neupims.bench").joinpath("page.md").read_text(encoding="utf-8")
    tables = {"cases": case_lines(rows), "scaling": scaling_lines(points), "recurrence": recurrence_lines(found)}
    for name, lines in tables.items():
        text = text.replace(f"{{{name}}}", "\n".join(lines))
    return text
