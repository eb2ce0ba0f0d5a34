"""Choosing cases and running them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from neupims.errors import NeupimsError
from neupims.validation.check import Case, Check, References

Progress = Callable[[str, float], None]

SHOWN = 12
"""Names in a message at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: its checks, or why there are none."""

    case: Case
    checks: tuple[Check, ...] = ()
    missing: tuple[str, ...] = ()
    """Files that it needs and that were not found; it was skipped."""
    trouble: str = ""
    """Why it could not be run to its end; it counts as failed."""

    @property
    def failures(self) -> int:
        """Checks out of their tolerance, and the case itself if it could not be run."""
        return sum(not check.ok for check in self.checks) + bool(self.trouble)


def within(name: str, prefix: str) -> bool:
    """Whether a dotted name is `prefix` or below it."""
    return f"{name}.".startswith(f"{prefix}.")


def choose(cases: Sequence[Case], only: Sequence[str], quick: bool) -> tuple[Case, ...]:
    """The cases that may hold what is asked for: all, those of the names in `only`, those that are not slow.

    Raises LookupError with a sentence for a name that no case can have.
    """
    unknown = next((name for name in only if not any(_touches(case, name) for case in cases)), None)
    if unknown is not None:
        raise LookupError(f"no check is called {unknown}; {_hint(unknown, [case.name for case in cases])}")
    asked = (case for case in cases if not only or any(_touches(case, name) for name in only))
    return tuple(case for case in asked if not (quick and case.slow))


def unmatched(outcomes: Sequence[Outcome], only: Sequence[str]) -> str:
    """A sentence about a name in `only` that no check has although its case was run to its end, or nothing."""
    for name in only:
        touched = [outcome for outcome in outcomes if _touches(outcome.case, name)]
        if touched and not any(outcome.checks or outcome.missing or outcome.trouble for outcome in touched):
            return f"no check is called {name}; see the names of all with --only {touched[0].case.name}"
    return ""


def _touches(case: Case, name: str) -> bool:
    return within(case.name, name) or within(name, case.name)


def _hint(unknown: str, names: Sequence[str]) -> str:
    prefixes = dict.fromkeys(".".join(name.split(".")[:depth]) for depth in range(1, 9) for name in names)
    near = get_close_matches(unknown, prefixes, n=1)
    below = [name for name in names if within(name, unknown.partition(".")[0])]
    listed = below or list(dict.fromkeys(name.partition(".")[0] for name in names))
    more = ", ..." if len(listed) > SHOWN else ""
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{guess}There are {', '.join(listed[:SHOWN])}{more}"


def run_cases(
    cases: Sequence[Case], references: References, progress: Progress, only: Sequence[str] = ()
) -> Iterator[Outcome]:
    """The outcome of each case in turn, with the checks of the names in `only`, or all."""
    for number, case in enumerate(cases):
        progress(case.name, number / len(cases))
        outcome = run_case(case, references)
        kept = tuple(check for check in outcome.checks if not only or _asked(check, only))
        yield Outcome(case, kept, outcome.missing, outcome.trouble)


def _asked(check: Check, only: Sequence[str]) -> bool:
    return any(within(check.name, name) for name in only)


def run_case(case: Case, references: References) -> Outcome:
    """Run one case, unless a file that it needs is not there."""
    missing = tuple(name for name in case.needs if references.find(name) is None)
    if missing:
        return Outcome(case, missing=missing)
    checks: list[Check] = []
    try:
        checks.extend(case.measure(references))
    except NeupimsError as error:
        return Outcome(case, tuple(checks), trouble=str(error))
    return Outcome(case, tuple(checks))
