"""`neupims validate`: our numbers beside those from elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neupims.cli.options import JobOptions, JsonOutput
from neupims.cli.output import emit, emit_json, emit_rich, note, progress

if TYPE_CHECKING:
    from neupims.validation.check import Case
    from neupims.validation.run import Outcome

Progress = Callable[[str, float], None]

FAILED = 1


def validate(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only checks of this name or below it, such as dram.stream; repeat it."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes more than some seconds.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of files that are not shipped: request traces, GPU records."),
    ] = None,
    rows: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="CSV with further runs of the published simulator; repeat it for more."),
    ] = None,
    switches: Annotated[
        bool, typer.Option("--switches", help="Also say what each published simplification is worth (some minutes).")
    ] = False,
    page: Annotated[
        Path | None, typer.Option("--page", "--out", metavar="FILE", help="Write everything as a page in Markdown.")
    ] = None,
    json: JsonOutput = False,
) -> None:
    """Compare with closed forms, other simulators, the published one and a real GPU. Exit code 1 if a check fails."""
    from neupims.validation.check import References
    from neupims.validation.run import run_cases
    from neupims.validation.summary import failures, last_line, skip_lines, trouble_lines

    if switches and json and page is None:
        raise typer.BadParameter("--switches makes a table and no checks; it goes to the terminal or to --page")
    cases = _cases(only or [], quick, rows or [])
    references = References(_folder(data))
    share = 0.5 if switches else 1.0
    with progress(quiet=json) as tell:
        outcomes = list(run_cases(cases, references, lambda what, done: tell(what, share * done), only or []))
        text = _switches(lambda what, done: tell(what, share + share * done)) if switches else ""
    _missed(outcomes, only or [])
    if page is not None:
        _write(page, outcomes, text)
    _show(outcomes, text, json)
    for line in (*trouble_lines(outcomes), *skip_lines(outcomes), last_line(outcomes)):
        note(line) if json else emit(f"{line}\n")
    if failures(outcomes):
        raise typer.Exit(FAILED)


def _cases(only: list[str], quick: bool, rows: list[Path]) -> "tuple[Case, ...]":
    from neupims.validation.cases import all_cases
    from neupims.validation.published import user_cases
    from neupims.validation.run import choose

    cases = (*all_cases(), *(case for path in rows for case in user_cases(path)))
    try:
        return choose(cases, only, quick)
    except LookupError as error:
        raise typer.BadParameter(str(error.args[0])) from None


def _folder(data: Path | None) -> Path | None:
    from neupims.errors import ResultError

    if data is not None and not data.is_dir():
        what = "is a file, not a folder" if data.exists() else "there is no such folder"
        raise ResultError(f"--data {data}: {what}")
    return data


def _missed(outcomes: "list[Outcome]", only: list[str]) -> None:
    from neupims.validation.run import unmatched

    sentence = unmatched(outcomes, only)
    if sentence:
        raise typer.BadParameter(sentence)


def _switches(tell: Progress) -> str:
    from neupims.cli.job import build_job
    from neupims.validation.switches import DEFAULT_PAIRS, worth

    job = build_job(JobOptions(), [])
    return worth(DEFAULT_PAIRS, job.model, job.batch, job.tp, tell)


def _write(page: Path, outcomes: "list[Outcome]", text: str) -> None:
    from neupims.results.files import write_atomically
    from neupims.validation.cases import introductions
    from neupims.validation.page import page as markdown

    write_atomically(page, markdown(outcomes, introductions(), text))


def _show(outcomes: "list[Outcome]", text: str, json: bool) -> None:
    from neupims.validation.summary import checks_of
    from neupims.validation.table import report

    if json:
        emit_json([check.to_json() for check in checks_of(outcomes)])
    else:
        emit_rich(report(outcomes))
        emit(f"{text}\n" if text else "")
