"""Checks as a page in Markdown: the same outcomes give the same bytes."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from neupims.validation.check import Check
from neupims.validation.figures import error, number, tolerance
from neupims.validation.run import Outcome
from neupims.validation.summary import by_section, checks_of, failures, last_line, skipped, trouble_lines

HEAD = """\
# How far the numbers can be trusted

Every figure that could be compared with one from elsewhere, with its error. This page is written by
`neupims validate --data DIR --switches --page docs/validation.md`, where DIR holds the files that are not shipped, and
a test compares it with what the program gives. An error is (ours - theirs) / theirs. A tolerance is the largest error
that passes; `exact` asks for the same number.
"""
CHECK_HEAD = "| check | ours | theirs | | error | tolerance | |\n|---|--:|--:|---|--:|--:|---|"


def page(outcomes: Sequence[Outcome], introductions: Mapping[str, str], appendix: str = "") -> str:
    """The page of all outcomes; `introductions` holds a text for each section, as far as there is one."""
    sections = by_section(outcomes)
    parts = [HEAD, summary_table(sections), f"{last_line(outcomes)}.\n"]
    parts += [section_text(name, members, introductions.get(name, "")) for name, members in sections.items()]
    parts += [text for text in (skipped_text(outcomes), appendix) if text]
    return "\n".join(parts)


def summary_table(sections: Mapping[str, Sequence[Outcome]]) -> str:
    """One line for each section."""
    lines = ["| section | checks | exact | largest error | failed |", "|---|--:|--:|--:|--:|"]
    for name, outcomes in sections.items():
        checks = checks_of(outcomes)
        exact = sum(not check.error for check in checks)
        largest = max((check for check in checks if check.theirs), key=lambda check: abs(check.error), default=None)
        worst = "" if largest is None else error(largest)
        lines.append(f"| [{name}](#{_anchor(name)}) | {len(checks)} | {exact} | {worst} | {failures(outcomes)} |")
    return "\n".join(lines) + "\n"


def section_text(name: str, outcomes: Sequence[Outcome], introduction: str) -> str:
    """Heading, introduction, and a table for each source of figures."""
    parts = [f"## {name}\n"] + ([f"{introduction}\n"] if introduction else [])
    for against, checks in groupby(checks_of(outcomes), key=attrgetter("against")):
        parts.append(check_table(against, list(checks)))
    parts += [f"- {line}\n" for line in trouble_lines(outcomes)]
    return "\n".join(parts)


def check_table(against: str, checks: Sequence[Check]) -> str:
    """The checks against one source, and below them the notes, each once."""
    notes = list(dict.fromkeys(check.note for check in checks if check.note))
    lines = [f"Against {against}:\n", CHECK_HEAD]
    lines += [check_line(check, notes) for check in checks]
    lines += [""] + [f"{number}. {note}" for number, note in enumerate(notes, 1)] + ([""] if notes else [])
    return "\n".join(lines)


def check_line(check: Check, notes: Sequence[str] = ()) -> str:
    """One row; the number of its note stands behind the error."""
    mark = f" [{notes.index(check.note) + 1}]" if check.note in notes else ""
    verdict = "" if check.ok else "**fails**"
    cells = (f"`{check.name}`", number(check.ours), number(check.theirs), check.unit, error(check) + mark)
    return f"| {' | '.join(cells)} | {tolerance(check)} | {verdict} |"


def skipped_text(outcomes: Iterable[Outcome]) -> str:
    """What was not run, by the file that was missing; nothing if everything ran."""
    missing = skipped(outcomes)
    if not missing:
        return ""
    lines = ["## Not run\n", "| file | where it can be had | cases |", "|---|---|---|"]
    for name, cases in missing.items():
        names = ", ".join(f"`{outcome.case.name}`" for outcome in cases)
        lines.append(f"| {name} | {cases[0].case.source} | {names} |")
    return "\n".join(lines) + "\n"


def _anchor(title: str) -> str:
    kept = (char for char in title.lower() if char.isalnum() or char in " -_")
    return "".join(kept).replace(" ", "-")
