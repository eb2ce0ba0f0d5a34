"""`neupims sweep` as the shell sees it."""

import json
from pathlib import Path

import pytest

FILE = """
base: {model: gpt3-7b, layers: 1, tp: 4}
axes:
  system: [gpu-a100, npu-only]
  batch: [8, 16]
"""


@pytest.fixture
def file():
    Path("batches.yaml").write_text(FILE)
    return "batches.yaml"


def test_a_dry_run_lists_the_points_and_writes_nothing(neupims, file):
    result = neupims("sweep", file, "--dry-run")
    assert result.code == 0
    assert result.out.splitlines()[0].split() == ["point", "system", "batch"]
    assert result.out.splitlines()[4].split() == ["4", "npu-only", "16"]
    assert [path.name for path in Path().iterdir()] == [file]


def test_a_sweep_prints_its_table_and_says_where_it_is(neupims, file):
    result = neupims("sweep", file, "-j", 1)
    assert result.code == 0
    assert "4 points: 4 run now, 0 known or alike\n" in result.out
    assert "table: runs/batches/results.parquet and runs/batches/results.csv\n" in result.out
    assert len(Path("runs/batches/results.csv").read_text().splitlines()) == 5
    assert Path("runs/batches/sweep.yaml").read_text() == FILE
    again = neupims("sweep", file, "-j", 1)
    assert (again.code, again.out) == (1, "")
    assert again.err == ("runs/batches: holds results already; --resume goes on with them, --out chooses another\n")
    resumed = neupims("sweep", file, "-j", 1, "--resume")
    assert "4 points: 0 run now, 4 known or alike\n" in resumed.out
    assert neupims("plot", "runs/batches", "--out", "bars.svg").code == 0
    drawn = neupims("plot", "runs/batches", "--kind", "grouped", "--over", "gpu-a100", "--out", "grouped.pdf")
    assert (drawn.code, drawn.out) == (0, "grouped.pdf and grouped.csv\n")
    assert Path("grouped.csv").read_text().splitlines()[0] == "batch,system,mean,least,greatest,runs"


def test_columns_belong_to_tables(neupims, file):
    result = neupims("plot", "somewhere", "--x", "batch")
    assert result.code == 2
    assert "--x belongs to a table" in result.err


def test_a_point_that_fails_ends_with_1_after_the_rest(neupims, file):
    Path(file).write_text(FILE + "  pp: [1, 3]\n")
    result = neupims("sweep", file, "-j", 1, "--json")
    assert result.code == 1
    rows = json.loads(result.out)
    assert len(rows) == 8
    assert [row["pp"] for row in rows if row["error"]] == [3] * 4
    assert result.err.startswith("point 2: ")
    assert len(result.err.splitlines()) == 4


def test_a_wrong_file_has_its_sentence(neupims):
    Path("wrong.yaml").write_text("axes:\n  bach: [8]\n")
    result = neupims("sweep", "wrong.yaml")
    assert (result.code, result.err) == (1, "wrong.yaml:2:3: axes.bach: unknown key, did you mean batch?\n")


def test_an_address_needs_dask(neupims, file):
    assert neupims("sweep", file, "--address", "tcp://here:1").code == 2
