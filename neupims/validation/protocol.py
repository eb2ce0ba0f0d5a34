"""The memory protocol: commands of random memories audited by the checker, and wrong engines that it must notice.

The checker is written from the rules of the standard and shares no code with the engine. Both comparisons ask
for exactness: no command that breaks a rule, and no wrong rule that stays unnoticed.
"""

from collections.abc import Iterable, Iterator

from neupims.isa.commands import Command
from neupims.machine.dram.rules import DRAM
from neupims.validation.check import Case, Check, References
from neupims.validation.fuzz import audits
from neupims.validation.mutants import PARAMETERS, is_caught, is_parameter_caught, mutants
from neupims.validation.worlds import Dice, draw_world

SECTION = "Memory protocol"
SEEDS, COMMANDS = range(200_000, 200_040), 5_000
"""Seeds whose memories are audited, and commands of each."""

TRIES, TRIED_COMMANDS = range(12), 1_500
"""Seeds on which wrong engines are tried until one is noticed, and commands of each."""

RULES_OF_JEDEC = "JEDEC timing rules, PIM gaps of the NeuPIMs simulator"


def fuzzed(seeds: Iterable[int] = SEEDS, commands: int = COMMANDS) -> Iterator[Check]:
    """Broken rules, and clean memories that never finish their work, over all seeds."""
    total = violations = stuck = 0
    for audit in audits(seeds, commands):
        total += audit.commands
        violations += len(audit.violations)
        stuck += audit.stuck and audit.world.clean
    note = f"{total:,} commands on random memories"
    yield Check("protocol.fuzz.violations", RULES_OF_JEDEC, violations, 0, "violations", 0, note)
    yield Check("protocol.fuzz.stuck", "all work ends", stuck, 0, "memories", 0, note)


def mutated(tries: Iterable[int] = TRIES, commands: int = TRIED_COMMANDS) -> Iterator[Check]:
    """Engines with one timing parameter a cycle too short, of which the checker notices all."""
    seeds = tuple(tries)
    caught = sum(any(is_parameter_caught(seed, name, commands) for seed in seeds) for name in PARAMETERS)
    note = "engines with one timing parameter a cycle too short, noticed by the checker"
    yield Check("protocol.mutants.parameters", "all of them", caught, len(PARAMETERS), "engines", 0, note)


UNNOTICED = (
    ("bank", Command.ACT, Command.ACT),  # tRC is tRAS + tRP, and a PRE lies between
    ("rank", Command.REF, Command.REF),  # the timer asks for one each tREFI, which is longer
    ("other_ranks", Command.WR, Command.RD),  # the standard asks for bursts that do not overlap, the engine for a turn
)
"""Rules of a memory without PIM that others imply, or that are stricter than the standard."""


def mutated_rules(tries: Iterable[int] = range(60), commands: int = TRIED_COMMANDS) -> Iterator[Check]:
    """Engines without PIM with one rule of the table a cycle too short, of which the checker notices all."""
    plain = tuple(seed for seed in tries if draw_world(Dice(seed)).pim is None)
    rules = [rule for rule in DRAM if (rule.scope, rule.before, rule.after) not in UNNOTICED]
    wrong = [mutant for rule in rules for mutant in mutants(rule)]
    caught = sum(any(is_caught(seed, mutant, commands) for seed in plain) for mutant in wrong)
    note = "engines with one rule a cycle too short, noticed by the checker; rules that others imply are left out"
    yield Check("protocol.mutants.rules", "all of them", caught, len(wrong), "engines", 0, note)


def _fuzzed(_: References) -> Iterable[Check]:
    return fuzzed()


def _mutated(_: References) -> Iterable[Check]:
    yield from mutated()
    yield from mutated_rules()


CASES = (Case("protocol.fuzz", SECTION, _fuzzed), Case("protocol.mutants", SECTION, _mutated))
