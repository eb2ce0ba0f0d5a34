"""Time and size as integers: picoseconds, cycles and bytes. Floats end here."""

from fractions import Fraction

PS_PER_NS = 1000
PS_PER_S = 10**12


def cycles(ns: float, clock_ghz: float) -> int:
    """Whole clock cycles that cover `ns`, rounded up; exact for decimal fractions such as 0.1."""
    exact = Fraction(str(ns)) * Fraction(str(clock_ghz))
    return -(-exact.numerator // exact.denominator)


def period_ps(clock_ghz: float) -> int:
    """Clock period in picoseconds; the clock must divide a nanosecond into whole picoseconds."""
    exact = PS_PER_NS / Fraction(str(clock_ghz))
    if exact.denominator != 1:
        raise ValueError(f"a clock of {clock_ghz} GHz has no period in whole picoseconds")
    return exact.numerator
