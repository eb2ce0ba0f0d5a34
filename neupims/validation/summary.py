"""What came of all cases: by section, in sum, and what was skipped."""

from collections.abc import Iterable, Mapping, Sequence

from neupims.validation.check import Check
from neupims.validation.figures import plural
from neupims.validation.run import Outcome

ADVICE = "name its folder with --data"


def by_section(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by the section of their case, in the order in which sections first appear."""
    sections: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        sections.setdefault(outcome.case.section, []).append(outcome)
    return sections


def checks_of(outcomes: Iterable[Outcome]) -> list[Check]:
    """All checks, in order."""
    return [check for outcome in outcomes for check in outcome.checks]


def failures(outcomes: Iterable[Outcome]) -> int:
    """Checks out of tolerance and cases that could not be run."""
    return sum(outcome.failures for outcome in outcomes)


def skipped(outcomes: Iterable[Outcome]) -> Mapping[str, Sequence[Outcome]]:
    """Cases that were not run, by the file that was not found."""
    missing: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        for name in outcome.missing:
            missing.setdefault(name, []).append(outcome)
    return missing


def skip_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """For each file that was not found: how many cases need it, and where it can be had."""
    return [
        f"skipped {plural(len(cases), 'case')}: {name} not found; {ADVICE}" + _origin(cases[0])
        for name, cases in skipped(outcomes).items()
    ]


def trouble_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """For each case that could not be run to its end: why."""
    return [f"failed: {outcome.case.name}: {outcome.trouble}" for outcome in outcomes if outcome.trouble]


def last_line(outcomes: Sequence[Outcome]) -> str:
    """How many checks passed and failed, and how many cases were skipped."""
    passed = sum(check.ok for check in checks_of(outcomes))
    left_out = sum(bool(outcome.missing) for outcome in outcomes)
    reason = " for want of a file" if left_out else ""
    return f"{plural(passed, 'check')} passed, {failures(outcomes)} failed, {plural(left_out, 'case')} skipped{reason}"


def _origin(outcome: Outcome) -> str:
    return f" ({outcome.case.source})" if outcome.case.source else ""
