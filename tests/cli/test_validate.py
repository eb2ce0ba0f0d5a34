"""`neupims validate`, with cases made by hand."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from neupims.validation.check import Case, Check, References

KEYS = {"name", "against", "ours", "theirs", "error", "tolerance", "ok"}
HEAD = "system,model,heads,width,tensor_parallel,batch,requests,interleaving,refresh,operator,cycles,run"


def one(name, ours, tolerance=0.0):
    return Check(name, "a book", ours, 100, "cycles", tolerance)


def by_file(references: References):
    found = references.find("trace.csv")
    assert found is not None
    return [one("traces.length", float(found.read_text()))]


@pytest.fixture(autouse=True)
def cases(monkeypatch) -> list[Case]:
    """Three cases in the place of those that come with the program."""
    made = [
        Case("books.page", "Books", lambda _: [one("books.page.one", 100), one("books.page.two", 101, 0.02)]),
        Case("books.shelf", "Books", lambda _: [one("books.shelf.height", 110, 0.05)], slow=True),
        Case("traces", "Traces", by_file, needs=("trace.csv",), source="a place"),
    ]
    stand_in = ModuleType("neupims.validation.cases")
    stand_in.all_cases, stand_in.introductions = lambda: tuple(made), lambda: {"Books": "What books say."}
    monkeypatch.setitem(sys.modules, "neupims.validation.cases", stand_in)
    return made


def test_json_is_a_list_of_checks_and_all_that_is_printed(neupims):
    result = neupims("validate", "--json", "--quick")
    assert result.code == 0
    assert [check["name"] for check in result.json] == ["books.page.one", "books.page.two"]
    assert all(check.keys() >= KEYS for check in result.json)
    assert (result.json[1]["error"], result.json[1]["ok"]) == (pytest.approx(0.01), True)
    skip = "skipped 1 case: trace.csv not found; name its folder with --data (a place)\n"
    assert result.err == skip + "2 checks passed, 0 failed, 1 case skipped for want of a file\n"


def test_a_failing_check_ends_with_one(neupims):
    result = neupims("validate")
    assert result.code == 1
    assert result.out.endswith("2 checks passed, 1 failed, 1 case skipped for want of a file\n")
    assert [line.split()[-1] for line in result.out.splitlines() if line.startswith("books.")] == ["yes", "yes", "NO"]


def test_a_skipped_case_does_not_fail(neupims):
    assert neupims("validate", "--only", "traces").code == 0


def test_names_choose(neupims):
    names = [check["name"] for check in neupims("validate", "--only", "books.page.two", "--json").json]
    assert names == ["books.page.two"]
    both = neupims("validate", "--only", "books.page", "--only", "books.shelf", "--json").json
    assert len(both) == 3


def test_files_are_found_below_the_folder(neupims, tmp_path):
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "trace.csv").write_text("100")
    result = neupims("validate", "--only", "traces", "--data", "data", "--json")
    assert (result.code, result.json[0]["ours"]) == (0, 100)


@pytest.mark.parametrize("option", ["--page", "--out"])
def test_the_page_is_written_and_is_the_same_again(neupims, option):
    neupims("validate", "--quick", option, "docs/page.md")
    first = Path("docs/page.md").read_bytes()
    neupims("validate", "--quick", option, "docs/page.md")
    assert Path("docs/page.md").read_bytes() == first
    assert b"## Books\n\nWhat books say.\n" in first


@pytest.mark.parametrize("name", ["book", "books.pages", "other"])
def test_a_name_of_no_check_is_wrong_usage(neupims, name):
    result = neupims("validate", "--only", name)
    assert (result.code, result.out) == (2, "")
    assert f"no check is called {name}" in result.err
    assert "books" in result.err


def test_a_name_below_a_case_that_lacks_it_is_wrong_usage(neupims):
    result = neupims("validate", "--only", "books.page.three")
    assert result.code == 2
    assert "no check is called books.page.three" in result.err


def test_a_table_alone_is_no_json(neupims):
    assert neupims("validate", "--switches", "--json").code == 2


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--data", "nowhere"], "--data nowhere: there is no such folder"),
        (["--data", "file"], "--data file: is a file, not a folder"),
        (["--rows", "no.csv"], "no.csv: cannot be read: no such file or directory"),
        (["--rows", "file"], "file:1: the columns must be system, model, heads, width, tensor_parallel, batch, "),
        (["--rows", "rows.csv"], "rows.csv:2: heads: '0' must be a whole number from 1"),
        (["--quick", "--page", "file/page.md"], "file/page.md: cannot be written: "),
    ],
)
def test_wrong_input_is_one_sentence(neupims, args, sentence):
    Path("file").write_text("text")
    Path("rows.csv").write_text(f"{HEAD}\nneupims-authors,gpt3-7b,0,128,1,1,s512_b1.csv,off,on,TOTAL,1,mine\n")
    result = neupims("validate", *args)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(sentence)
    assert len(result.err.splitlines()) == 1


def test_rows_of_the_user_are_cases_too(neupims):
    row = "neupims-authors,pim1h,1,128,1,1,s512_b1.csv,off,on,SA_stage_A:layer0.attn.ln,{},mine"
    Path("rows.csv").write_text(f"{HEAD}\n{row.format(46)}\n")
    result = neupims("validate", "--rows", "rows.csv", "--only", "rows", "--json")
    assert [(check["name"], check["ok"]) for check in result.json] == [("rows.mine.A.attention.norm", True)]
