"""Systolic arrays against SCALE-Sim and the published laws."""

import csv
from pathlib import Path

import pytest

from neupims.lowering.tiling import Gemm
from neupims.validation.check import References
from neupims.validation.systolic import (
    CASES,
    COMPUTED,
    MEASURED,
    Row,
    closed_form,
    fold_by_fold,
    lowered,
    one_array,
    overlap_holds,
)

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "systolic.csv"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_check_passes(case):
    checks = list(case.measure(References()))
    assert len(checks) >= 9
    assert [check.name for check in checks if not check.ok] == []
    assert all(check.name.startswith(case.name) for check in checks)


@pytest.mark.parametrize("row", [*MEASURED, *COMPUTED], ids=str)
def test_the_closed_forms_are_what_was_measured(row):
    assert closed_form(row) == row.cycles


@pytest.mark.skipif(not REFERENCE.exists(), reason="shared/reference/systolic.csv is not beside the repository")
def test_the_reference_rows_are_all_here():
    with REFERENCE.open() as file:
        rows = [
            Row(r["dataflow"], int(r["rows"]), int(r["cols"]), *(int(r[name]) for name in ("m", "n", "k", "cycles")))
            for r in csv.DictReader(file)
        ]
    assert len(rows) == 10
    assert set(rows) <= {*MEASURED, *COMPUTED}


def test_swapping_m_and_n_would_be_noticed():
    for row in (*MEASURED, *COMPUTED):
        swapped = row._replace(m=row.n, n=row.m)
        assert (fold_by_fold(swapped) == row.cycles) == (closed_form(swapped) == row.cycles)
    assert fold_by_fold(Row("ws", 128, 128, 12288, 256, 4096, 0)) != 1959935


def test_bounds_can_fail(monkeypatch):
    row = Row("ws", 16, 16, 100, 100, 100, 0)
    assert overlap_holds(row)
    monkeypatch.setattr("neupims.validation.systolic.cost", lambda *_: 10)
    assert not overlap_holds(row)
    monkeypatch.setattr("neupims.validation.systolic.cost", lambda *_: fold_by_fold(row) + 2)
    assert not overlap_holds(row)


def test_lowering_for_one_array_keeps_all_tokens_together():
    steps, _ = lowered(Gemm(5000, 256, 256), one_array(Row("ws", 128, 128, 5000, 256, 256, 0), True))
    assert steps["stream"].tolist() == [5000] * 4
