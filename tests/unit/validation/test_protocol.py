"""The protocol checks pass, and fail when a rule is broken or a wrong engine stays unnoticed."""

from neupims.validation.mutants import PARAMETERS
from neupims.validation.protocol import CASES, fuzzed, mutated, mutated_rules


def test_no_rule_is_broken_and_all_work_ends():
    checks = list(fuzzed(range(300_000, 300_010), 2000))
    assert [check.ours for check in checks] == [0, 0]
    assert all(check.ok for check in checks)


def test_every_parameter_that_is_too_short_is_noticed():
    (check,) = mutated()
    assert check.ours == check.theirs == len(PARAMETERS)


def test_every_rule_that_is_too_short_is_noticed():
    (check,) = mutated_rules()
    assert check.ours == check.theirs == 19


def test_a_wrong_engine_that_stays_unnoticed_fails():
    (check,) = mutated(tries=[0], commands=10)
    assert not check.ok


def test_names_of_cases_begin_those_of_their_checks():
    assert [case.name for case in CASES] == ["protocol.fuzz", "protocol.mutants"]
    assert all(check.name.startswith("protocol.mutants.") for check in mutated(tries=[], commands=1))
