"""Numbers and errors as text, the same in the terminal and on the page."""

from neupims.validation.check import Check

EXACT = "exact"


def number(value: float) -> str:
    """Whole numbers in full, others with four digits or one decimal."""
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share as a percentage with two decimals; with one digit where these would be zero."""
    hundredths = 100 * share
    if not hundredths:
        return "0 %"
    return f"{hundredths:+.2f} %" if abs(hundredths) >= 0.01 else f"{hundredths:+.1g} %"


def error(check: Check) -> str:
    """By how much ours is off; in its own unit where theirs is 0."""
    if not check.error:
        return EXACT
    return percent(check.error) if check.theirs else f"{check.ours:+.4g}"


def tolerance(check: Check) -> str:
    """How far it may be off."""
    if not check.tolerance:
        return EXACT
    return f"{100 * check.tolerance:.3g} %" if check.theirs else f"{check.tolerance:.4g}"


def plural(count: int, what: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{count} {what}" + ("" if count == 1 else "s")
