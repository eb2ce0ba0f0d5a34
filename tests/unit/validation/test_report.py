"""From cases to outcomes, to tables and to the page."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console

from neupims.errors import ResultError
from neupims.validation.cases import all_cases, introductions
from neupims.validation.check import Case, Check, References
from neupims.validation.page import check_line, page
from neupims.validation.run import Outcome, choose, run_case, run_cases, unmatched, within
from neupims.validation.summary import failures, last_line, skip_lines, trouble_lines
from neupims.validation.table import report

PAGE = Path(__file__).parents[3] / "docs" / "validation.md"
DATA = Path(__file__).parents[4] / "shared" / "data"


def check(name: str = "a.b.x", ours: float = 100, tolerance: float = 0.0, note: str = "", theirs: float = 100) -> Check:
    return Check(name, "a book", ours, theirs, "cycles", tolerance, note)


def case(name: str = "a.b", *checks: Check, **more) -> Case:
    return Case(name, more.pop("section", "Books"), lambda _: checks, **more)


def silent(what: str, done: float) -> None:
    assert 0 <= done < 1


def test_names_are_within_what_they_begin_with_between_dots() -> None:
    assert within("dram.stream.read", "dram.stream")
    assert within("dram", "dram")
    assert not within("dram.streams", "dram.stream")
    assert not within("dram", "dram.stream")


def test_cases_are_chosen_by_either_end_of_the_name() -> None:
    cases = [case("a.b"), case("a.c", slow=True), case("ab")]
    assert choose(cases, [], quick=False) == tuple(cases)
    assert choose(cases, ["a"], quick=False) == tuple(cases[:2])
    assert choose(cases, ["a.c.deeper", "ab"], quick=False) == tuple(cases[1:])
    assert choose(cases, [], quick=True) == (cases[0], cases[2])


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    cases = [case("dram.stream.read"), case("dram.stream.write"), case("gpu.x")]
    with pytest.raises(LookupError) as error:
        choose(cases, ["dram.strem"], quick=False)
    expected = "no check is called dram.strem; did you mean dram.stream? There are dram.stream.read, dram.stream.write"
    assert error.value.args[0] == expected
    with pytest.raises(LookupError, match=r"^no check is called zzz; There are dram, gpu$"):
        choose(cases, ["zzz"], quick=False)


def test_only_the_checks_asked_for_are_kept() -> None:
    outcomes = list(run_cases([case("a.b", check("a.b.x"), check("a.b.y"))], References(), silent, ["a.b.y"]))
    assert [found.name for found in outcomes[0].checks] == ["a.b.y"]
    assert unmatched(outcomes, ["a.b.y"]) == ""
    nothing = list(run_cases([case("a.b", check("a.b.x"))], References(), silent, ["a.b.z"]))
    assert unmatched(nothing, ["a.b.z"]) == "no check is called a.b.z; see the names of all with --only a.b"


def test_a_case_without_its_file_is_skipped_and_says_where_to_get_it(tmp_path):
    needy = case("a.b", check(), needs=("trace.csv",), source="a place")
    outcome = run_case(needy, References(tmp_path))
    assert outcome == Outcome(needy, missing=("trace.csv",))
    assert skip_lines([outcome]) == ["skipped 1 case: trace.csv not found; name its folder with --data (a place)"]
    assert last_line([outcome]) == "0 checks passed, 0 failed, 1 case skipped for want of a file"
    (tmp_path / "trace.csv").touch()
    assert run_case(needy, References(tmp_path)).checks == (check(),)


def test_a_case_that_cannot_run_fails_and_the_others_go_on() -> None:
    def broken(_: References):
        yield check()
        raise ResultError("no such thing")

    outcomes = list(run_cases([Case("a.b", "Books", broken), case("a.c", check("a.c.x"))], References(), silent))
    assert failures(outcomes) == 1
    assert trouble_lines(outcomes) == ["failed: a.b: no such thing"]
    assert last_line(outcomes) == "2 checks passed, 1 failed, 0 cases skipped"


def test_a_row_says_how_far_off_and_whether_that_passes() -> None:
    assert check_line(check()) == "| `a.b.x` | 100 | 100 | cycles | exact | exact |  |"
    assert check_line(check(ours=101.5, tolerance=0.03)) == "| `a.b.x` | 101.5 | 100 | cycles | +1.50 % | 3 % |  |"
    assert check_line(check(ours=90)) == "| `a.b.x` | 90 | 100 | cycles | -10.00 % | exact | **fails** |"
    assert check_line(check(ours=10_000_001, theirs=10_000_000)).split(" | ")[4] == "+1e-05 %"
    assert check_line(check(ours=2, theirs=0)).split(" | ")[4] == "+2"


def test_the_page_holds_everything_once() -> None:
    members = case("a.b", check(ours=99, tolerance=0.05, note="rounding"), check("a.b.y", note="rounding"))
    outcomes = [run_case(members, References()), run_case(case("c", needs=("f.csv",), source="a place"), References())]
    text = page(outcomes, {"Books": "What is compared."}, "## More\n")
    assert "| [Books](#books) | 2 | 1 | -1.00 % | 0 |\n" in text
    assert "2 checks passed, 0 failed, 1 case skipped for want of a file.\n" in text
    assert "## Books\n\nWhat is compared.\n\nAgainst a book:\n\n| check |" in text
    assert text.count("1. rounding\n") == 1
    assert "| -1.00 % [1] |" in text
    assert "## Not run\n\n| file | where it can be had | cases |\n|---|---|---|\n| f.csv | a place | `c` |\n" in text
    assert text.endswith("## More\n")


def test_the_terminal_shows_each_section_and_marks_failures() -> None:
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(report([run_case(case("a.b", check(ours=90), check("a.b.y")), References())]))
    lines = capture.get().splitlines()
    assert lines[0] == "Books"
    assert lines[1].split() == ["name", "against", "ours", "theirs", "error", "tolerance", "ok"]
    assert lines[2].split()[-3:] == ["%", "exact", "NO"]
    assert lines[3].split()[-3:] == ["exact", "exact", "yes"]


def test_names_of_cases_are_unique_and_sections_are_introduced() -> None:
    cases = all_cases()
    assert len({found.name for found in cases}) == len(cases)
    assert all(introductions().values())
    assert set(introductions()) <= {found.section for found in cases}


def committed(checks: Iterable[Check]) -> list[str]:
    """Rows of the committed page for these checks, in the order of the page."""
    wanted = {check.name for check in checks}
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return [row for row in rows if row.split("`")[1] in wanted]


def without_note(row: str) -> str:
    cells = row.split(" | ")
    return " | ".join([*cells[:4], cells[4].partition(" [")[0], *cells[5:]])


CASES = [found for found in all_cases() if not found.needs or DATA.is_dir()]
QUICK = [found for found in CASES if not found.slow]
SLOW = [pytest.param(found, id=found.name, marks=pytest.mark.slow) for found in CASES if found.slow]


def as_committed(found: Case) -> Outcome:
    """What a case gives, once the committed page says the same."""
    outcome = run_case(found, References(DATA if DATA.is_dir() else None))
    assert outcome.trouble == ""
    assert list(map(without_note, committed(outcome.checks))) == [check_line(check) for check in outcome.checks]
    return outcome


@pytest.mark.parametrize("found", QUICK, ids=lambda found: found.name)
def test_a_quick_case_passes_and_the_committed_page_is_what_it_gives(found):
    assert failures([as_committed(found)]) == 0


@pytest.mark.parametrize("found", SLOW)
def test_the_committed_page_is_what_a_slow_case_gives_and_says_where_it_fails(found):
    assert as_committed(found).checks
