"""A rule of the engine's table that is a cycle too short lets a command through that the checker refuses.

Two commands are enough: `before`, and `after` in the last cycle in which the rule holds it back, at a place
where no other rule of the same pair is longer. Nothing of the engine runs: its table meets the checker's.
"""

import pytest

from neupims.hardware.load import load_system
from neupims.isa.commands import Command
from neupims.machine.dram.checker_gaps import gaps
from neupims.machine.dram.checker_history import History
from neupims.machine.dram.checker_terms import Clocks, Geometry, Issue
from neupims.machine.dram.checker_windows import ActivationWindow, DataBus
from neupims.machine.dram.rules import cycles_of, rules_of
from neupims.machine.dram.timing import build_timing

WORLDS = ("npu-only", "neupims", "neupims-authors", "npu-pim", "npu-pim-authors")
BANK, START = 5, 10_000
SEEN = {"bank": (5,), "group": (6, 5), "rank": (9, 6, 5), "other_ranks": (21,), "channel": (21, 9, 6, 5)}
TOUCHED = {"bank": (5,), "group": (5, 6), "rank": (5, 6, 9), "other_ranks": (21,), "channel": (5, 6, 9, 21)}
OPERANDS = {Command.PIM_GEMV: (1, 6, 8, 32), Command.PIM_MAC: (0, 1)}
EVERYWHERE = (Command.PIM_MAC, Command.PIM_READ, Command.PIM_GEMV)


def pair(rule):
    return rule.scope, rule.before.name, rule.after.name


def table():
    for name in WORLDS:
        spec = load_system(name)
        for rule in rules_of(spec.memory, spec.pim):
            if rule.until is None:
                for n in OPERANDS.get(rule.before, (0,)):
                    yield pytest.param(name, rule, n, id=f"{name}: {' '.join(pair(rule))} {n}")


def longest(spec, rule, bank, n):
    """The longest gap of this pair of commands at `bank`; a command to all banks meets each rule of the pair."""
    timing = build_timing(spec.memory, spec.pim)
    same = [
        r
        for r in rules_of(spec.memory, spec.pim)
        if (r.before, r.after) == (rule.before, rule.after) and r.until is None
    ]
    meets = [r for r in same if rule.after in EVERYWHERE or bank in TOUCHED[r.scope]]
    return max(cycles_of(r.gap, timing, n) for r in meets)


def auditors(spec):
    clocks, geometry = Clocks.of(spec.memory), Geometry.of(spec.memory)
    grouped = spec.memory.organization.bank_groups > 1
    rules = gaps(clocks, spec.pim, spec.memory.clock_ghz, grouped)
    return (
        History(rules, geometry, clocks, spec.pim),
        ActivationWindow(clocks, geometry, spec.pim),
        DataBus(clocks, geometry, spec.pim),
    )


def findings(spec, before, after, bank, n, cycle):
    """What the checker says of `after`; long before, rows were opened and a first MAC done."""
    made, everywhere = auditors(spec), -1
    first = everywhere if before in EVERYWHERE else BANK
    issues = [Issue(START, before, first, 5, n if before is Command.PIM_GEMV else 0)]
    if spec.pim is not None:
        issues = [Issue(100 + i, Command.PIM_ACT, i, 5, 0) for i in range(0, 32, 4)] + issues
        if before is Command.PIM_MAC and n == 0:
            issues.insert(-1, Issue(5000, Command.PIM_MAC, everywhere, -1, 0))
    for issue in issues:
        for auditor in made:
            list(auditor.audit(issue))
    last = Issue(cycle, after, everywhere if after in EVERYWHERE else bank, 5, 32)
    return [finding.rule for auditor in made for finding in auditor.audit(last)]


EMPTY = {("other_ranks", "RD", "PIM_GEMV"), ("other_ranks", "WR", "PIM_READ"), ("other_ranks", "WR", "RD")}
"""Rules with a gap below one cycle in the shipped memories; random ones (`test_fuzz`) have longer ones."""

LONGER = {("rank", "RD", "PIM_READ"): WORLDS[1:], ("group", "PIM_ACT", "ACT"): ("neupims-authors",)}
"""Rules that another rule of the same two commands implies wherever they hold."""

UNSEEN = {
    ("rank", "WR", "PIM_READ"): WORLDS[1:],  # stricter than the checker: a result comes from accumulators, not rows
    ("other_ranks", "RD", "PIM_READ"): ("neupims-authors", "npu-pim-authors"),  # published: a result needs no turn
    ("bank", "ACT", "PIM_ACT"): ("npu-pim-authors",),  # published: one bank of the group is enough, and three are new
    ("group", "ACT", "PIM_ACT"): ("npu-pim-authors",),  # the same
}
"""Rules of which two commands show the checker nothing, and where."""


def spelled(name, rule):
    """The system with the PIM commands, composite or not, that the rule speaks of."""
    spec, single = load_system(name), {Command.PIM_MAC, Command.PIM_READ}
    if spec.pim is None or not (single | {Command.PIM_GEMV}) & {rule.before, rule.after}:
        return spec
    composite = not single & {rule.before, rule.after}
    return spec.model_copy(update={"pim": spec.pim.model_copy(update={"composite_gemv": composite})})


def outcome(name, rule, n):
    """`noticed`, or why not: the gap is `empty`, another rule of the pair is `longer` everywhere, or `unseen`."""
    spec = spelled(name, rule)
    gap = cycles_of(rule.gap, build_timing(spec.memory, spec.pim), n)
    places = [bank for bank in SEEN[rule.scope] if longest(spec, rule, bank, n) == gap]
    if gap <= 0 or not places:
        return "longer" if gap > 0 else "empty"
    seen = (findings(spec, rule.before, rule.after, bank, n, START + gap - 1) for bank in places)
    return "noticed" if any(seen) else "unseen"


def expected(name, rule):
    kinds = {"longer": name in LONGER.get(pair(rule), ()), "unseen": name in UNSEEN.get(pair(rule), ())}
    return next((kind for kind, holds in kinds.items() if holds), "empty" if pair(rule) in EMPTY else "noticed")


@pytest.mark.parametrize(("name", "rule", "n"), list(table()))
def test_a_rule_that_is_a_cycle_too_short_is_noticed(name, rule, n):
    assert outcome(name, rule, n) == expected(name, rule)


@pytest.mark.parametrize("name", ["neupims", "npu-pim"])
@pytest.mark.parametrize("n", [1, 8, 32])
def test_a_span_that_is_a_cycle_too_short_at_either_end_is_noticed(name, n):
    """Reads keep out of a span around the burst of a PIM_GEMV's result: its first and last cycle are refused."""
    spec = load_system(name)
    (rule,) = (r for r in rules_of(spec.memory, spec.pim) if r.until is not None)
    spec, timing = spelled(name, rule), build_timing(spec.memory, spec.pim)
    first, last = (START + cycles_of(text, timing, n) for text in (rule.gap, rule.until))
    for cycle in (first, last):
        assert findings(spec, rule.before, rule.after, 21, n, cycle) == ["result bus"]
    for cycle in (first - 1, last + 1):
        assert findings(spec, rule.before, rule.after, 21, n, cycle) == []
