"""The published simulator's runs: the tables and the rules; the runs themselves are in `test_report`."""

import csv
from pathlib import Path

import pytest

from neupims.errors import NeupimsError, ResultError
from neupims.request import Request
from neupims.results.record import Run
from neupims.validation.check import References
from neupims.validation.published import CASES, UNIFORM, batch_of, compare, cycles, uniform, user_cases
from neupims.validation.published_rows import COLUMNS, OPERATORS, read_rows, shipped_runs
from neupims.validation.run import run_case

SHARED = Path(__file__).parents[4] / "shared"
TABLE = SHARED / "reference" / "neupims-oracle.csv"
TRACES = SHARED / "data" / "neupims_traces"
RUNS = {case.name.removeprefix("published."): run for case, run in zip(CASES, shipped_runs(), strict=True)}
SMALL = "neupims-authors,pim1h,1,128,1,1,s512_b1.csv,off,on"

needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="shared/data/neupims_traces is not beside the repository")
needs_table = pytest.mark.skipif(not TABLE.exists(), reason="shared/reference is not beside the repository")


def table(tmp_path: Path, *lines: str, head: str = ",".join(COLUMNS)) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


@needs_traces
@pytest.mark.parametrize("path", sorted(path for path in TRACES.glob("*.csv") if UNIFORM.fullmatch(path.name)))
def test_uniform_batches_follow_from_their_names(path):
    with path.open() as file:
        rows = [(int(row["seq_len"]), int(row["ch_idx"])) for row in csv.DictReader(file)]
    assert [(request.length, request.channel) for request in uniform(path.name)] == rows


@needs_table
def test_every_row_of_the_reference_is_shipped(tmp_path):
    shipped = {tuple(sorted(run.cycles.items())): run for run in shipped_runs()}
    for run in read_rows(TABLE):
        ours = shipped[tuple(sorted(run.cycles.items()))]
        assert (ours.system, ours.heads, ours.width, ours.tp) == (run.system, run.heads, run.width, run.tp)
        assert (ours.batch, ours.requests) == (run.batch, run.requests)
        assert (ours.interleaving, ours.refresh) == (run.interleaving, run.refresh)


def test_uniform_names() -> None:
    assert uniform("u512_b34.csv")[31:] == (Request(31, 512, 31), Request(32, 512, 0), Request(33, 512, 1))
    assert {request.channel for request in uniform("u512_b4_ch0.csv")} == {0}
    assert uniform("sgpt_clb_b64.csv") == ()


def test_a_file_of_the_user_wins_over_the_rule(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "s512_b1.csv").write_text("seq_len,ch_idx\n100,3\n")
    assert batch_of(RUNS["neupims.1-head.512x1"], References(tmp_path)) == (Request(0, 100, 3),)


def test_stages_and_the_end_count_what_the_published_log_counts(handmade) -> None:
    run: Run = handmade("npu-pim")
    figures = cycles(run)
    stage = {span.name: (span.end_ps - span.start_ps) // 1000 for span in run.stages}
    assert (figures["A"], figures["B"], figures["E"]) == (stage["A"] + 2, stage["B"] + 1, stage["E"] + 1)
    assert figures["total"] == run.stages[-1].end_ps // 1000 + 1
    assert figures["end.A"] == run.stages[0].end_ps // 1000 + 1
    logit = next(span for span in run.operators if span.name == "layer0.attention.logit")
    assert figures["B.attention.logit"] == figures["attention.logit"] == (logit.end_ps - logit.start_ps) // 1000


def test_a_users_run_is_compared_like_the_shipped_ones(tmp_path):
    lines = (f"{SMALL},SA_stage_A:layer0.attn.ln,46,mine", f"{SMALL},STAGE B,4025,mine", f"{SMALL},TOTAL,9999,mine")
    (case,) = user_cases(table(tmp_path, *lines))
    checks = {check.name: check for check in case.measure(References())}
    assert case.name == "rows.mine"
    assert list(checks) == ["rows.mine.A.attention.norm", "rows.mine.B", "rows.mine.total"]
    assert [check.ok for check in checks.values()] == [True, True, False]
    assert [check.tolerance for check in checks.values()] == [0.05, 0.03, 0.03]


def test_a_figure_that_no_run_can_have_is_trouble(tmp_path):
    (case,) = user_cases(table(tmp_path, f"{SMALL},STAGE F,12,mine"))
    assert run_case(case, References()).trouble.startswith("no F in this run, which has A.attention.norm, ")
    with pytest.raises(NeupimsError, match=r"^no F in this run"):
        list(compare(read_rows(table(tmp_path, f"{SMALL},STAGE F,12,mine"))[0], "x", References()))


def test_another_number_of_requests_is_trouble(tmp_path):
    (case,) = user_cases(table(tmp_path, f"{SMALL.replace(',1,s512', ',7,s512')},TOTAL,12,mine"))
    assert run_case(case, References()).trouble == "s512_b1.csv: holds 1 requests, the run has 7"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (SMALL, "2: has 9 fields, must have 12"),
        (
            f"{SMALL},SA_stage_A:layer0.oh,46,mine",
            "2: operator: 'SA_stage_A:layer0.oh' is not known, must be ",
        ),
        (f"{SMALL},TOTAL,4.5,mine", "2: cycles: '4.5' must be a whole number from 1"),
        (f"{SMALL},TOTAL,0,mine", "2: cycles: '0' must be a whole number from 1"),
        (f"{SMALL},TOTAL,45,", "2: run: is empty"),
        (f"{SMALL[:-2]}maybe,TOTAL,45,mine", "2: refresh: 'maybe' must be on or off"),
        (f"{SMALL.replace('128', 'wide')},TOTAL,45,mine", "2: width: 'wide' must be a whole number from 1"),
        (f"{SMALL},TOTAL,45,m\n{SMALL},TOTAL,46,m", "3: operator: m has this one already"),
        (f"{SMALL},TOTAL,45,m\n{SMALL.replace('128', '64')},STAGE A,46,m", "3: run: m has another input than on {}:2"),
    ],
)
def test_wrong_rows_are_named(tmp_path, line, sentence):
    path = table(tmp_path, line)
    with pytest.raises(ResultError) as error:
        read_rows(path)
    assert str(error.value).startswith(f"{path}:{sentence.format(path)}")


def test_wrong_tables_are_named(tmp_path):
    path = table(tmp_path, head="system,cycles")
    with pytest.raises(ResultError) as error:
        read_rows(path)
    assert str(error.value) == f"{path}:1: the columns must be {', '.join(COLUMNS)}"
    with pytest.raises(ResultError, match=r"rows\.csv: no rows under the header$"):
        read_rows(table(tmp_path))
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ResultError, match=r"rows\.csv: not text in UTF-8; a table of runs is CSV$"):
        read_rows(path)


def test_every_operator_of_the_log_is_known_by_one_name() -> None:
    assert len(set(OPERATORS.values())) == len(OPERATORS)
