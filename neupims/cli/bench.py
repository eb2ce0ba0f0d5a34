"""`neupims bench`: how fast the simulator is on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neupims.cli.options import JsonOutput
from neupims.cli.output import emit, emit_json, progress

if TYPE_CHECKING:
    from neupims.bench.cases import Case
    from neupims.bench.measure import Row
    from neupims.bench.page import Point
    from neupims.cli.output import Progress


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only cases of this name or below it, such as engine.reads; repeat it."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes more than some seconds.")] = False,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Also say how the cost grows with batch, context, channels and model.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write everything as a page in Markdown.")
    ] = None,
    json: JsonOutput = False,
) -> None:
    """Measure CPU time and memory, beside the plain engine and the interpreter, in one run."""
    from neupims.bench.cases import KINDS
    from neupims.bench.page import case_lines, scaling_lines
    from neupims.bench.page import page as written
    from neupims.bench.recurrence import recurrence
    from neupims.results.files import write_atomically

    cases = _cases(only or [], quick)
    with progress(quiet=json) as tell:
        rows = _rows(cases, tell)
        points = _points(tell) if scaling else []
    if page is not None:
        write_atomically(page, written(rows, points, [recurrence(kind) for kind in KINDS]))
    if json:
        emit_json([row.to_json() for row in rows])
    else:
        emit("\n".join((*case_lines(rows), *scaling_lines(points))) + "\n")


def _cases(only: list[str], quick: bool) -> "list[Case]":
    from neupims.bench.cases import all_cases

    known = [case for case in all_cases() if not (quick and case.long)]
    chosen = [case for case in known if not only or any(f"{case.name}.".startswith(f"{name}.") for name in only)]
    if not chosen:
        raise typer.BadParameter(
            f"--only {', '.join(only)}: no such case; there are {', '.join(c.name for c in known)}"
        )
    return chosen


def _rows(cases: "list[Case]", tell: "Progress") -> "list[Row]":
    from neupims.bench.measure import loop_seconds, row_of

    rows, loop_s = list["Row"](), loop_seconds()
    for number, case in enumerate(cases):
        tell(case.name, number / len(cases))
        rows.append(row_of(case, loop_s))
    return rows


def _points(tell: "Progress") -> "list[Point]":
    from neupims.bench.cases import scaling
    from neupims.bench.measure import points

    found = list["Point"]()
    for axis, point, took in points(scaling()):
        found.append((axis, point, took))
        tell(f"{axis} {point}", 1.0)
    return found
