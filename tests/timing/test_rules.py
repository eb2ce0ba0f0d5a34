"""Every row of the rule table is tight: refused one cycle before its gap has passed, allowed then."""

import pytest

from neupims.hardware.load import load_system
from neupims.isa.commands import Command
from neupims.machine.dram.gates import ALL, Gates
from neupims.machine.dram.rules import cycles_of, rules_of
from neupims.machine.dram.timing import build_timing

WORLDS = {
    "plain": "npu-only",
    "dual": "neupims",
    "dual, published": "neupims-authors",
    "single": "npu-pim",
    "single, published": "npu-pim-authors",
}
BANK = 5
"""Where `before` issues: rank 0, group 1. Nearest banks: same group 6, same rank 9, other rank 21."""
TOUCHED = {"bank": (5,), "group": (5, 6), "rank": (5, 6, 9), "other_ranks": (21,), "channel": (5, 6, 9, 21)}
OPERANDS = {Command.PIM_GEMV: (1, 6, 8, 32), Command.PIM_MAC: (0, 1)}


def specs(name):
    spec = load_system(WORLDS[name])
    return spec.memory, spec.pim


def table():
    for name in WORLDS:
        memory, pim = specs(name)
        for rule in rules_of(memory, pim):
            for n in OPERANDS.get(rule.before, (0,)):
                label = f"{name}: {rule.before.name} {n} - {rule.after.name}, {rule.scope}"
                yield pytest.param(memory, pim, rule, n, id=label)


def gap(memory, pim, scope, before, after, n):
    """Longest gap that the table gives for a pair in exactly this or a wider scope."""
    timing = build_timing(memory, pim)
    rules = [r for r in rules_of(memory, pim) if (r.before, r.after) == (before, after) and r.until is None]
    return max((cycles_of(r.gap, timing, n) for r in rules if scope in TOUCHED[r.scope]), default=0)


def own_window(pim, before, after, bank, timing):
    """The tFAW window also binds two group activations that share it with the others, in one rank."""
    shared = pim is not None and pim.activation_window == "shared"
    activations = {Command.PIM_ACT: 4 if shared else 0, Command.ACT: 1}
    total = activations.get(before, 0) + activations.get(after, 0)
    both = before in activations and after in activations
    return timing["tFAW"] if both and bank < 16 and total > 4 else 0


@pytest.mark.parametrize(("memory", "pim", "rule", "n"), [p for p in table() if p.values[2].until is None])
@pytest.mark.parametrize("bank", [5, 6, 9, 21])
def test_gate_is_tight(memory, pim, rule, n, bank):
    gates, start = Gates(memory, pim), 1000
    gates.record(rule.before, BANK, start, n)
    expected = gap(memory, pim, bank, rule.before, rule.after, n)
    expected = max(expected, own_window(pim, rule.before, rule.after, bank, gates.t))
    place = ("bank", bank)
    assert gates.ready(rule.after, place, start + expected)
    assert expected <= 0 or not gates.ready(rule.after, place, start + expected - 1)
    assert expected <= 0 or gates.earliest(rule.after, place) == start + expected


BLACKOUTS = [p for p in table() if p.values[2].until is not None]


@pytest.mark.parametrize(("memory", "pim", "rule", "n"), BLACKOUTS)
def test_blackout_is_tight(memory, pim, rule, n):
    gates, start = Gates(memory, pim), 1000
    gates.record(rule.before, 0, start, n)
    first, last = (start + cycles_of(text, gates.t, n) for text in (rule.gap, rule.until))
    allowed = [cycle for cycle in range(start, last + 20) if gates.ready(rule.after, ("bank", BANK), cycle)]
    assert allowed == [cycle for cycle in range(start, last + 20) if not first <= cycle <= last]


@pytest.mark.parametrize("name", [name for name in WORLDS if name != "plain"])
def test_commands_to_all_banks_wait_for_the_slowest(name):
    """A READ or WRITE in one bank holds up a PIM_GEMV, which needs every bank."""
    memory, pim = specs(name)
    gates = Gates(memory, pim)
    for before in (Command.RD, Command.WR):
        gates.record(before, BANK, 1000)
        slowest = max(gap(memory, pim, bank, before, Command.PIM_GEMV, 0) for bank in (5, 6, 9, 21))
        assert gates.earliest(Command.PIM_GEMV, ALL) == 1000 + slowest


def test_table_covers_every_pair_once_per_scope():
    for name in WORLDS:
        rules = [(r.scope, r.before, r.after) for r in rules_of(*specs(name))]
        assert sorted(rules) == sorted(set(rules))
