"""`neupims bench`, on its smallest cases."""

import json

import pytest

from neupims.bench import measure
from neupims.bench.measure import Measured


@pytest.fixture(autouse=True)
def instant(monkeypatch):
    """Measuring is a matter of `tests/unit/bench`."""
    monkeypatch.setattr(measure, "measured", lambda work, engine, repeats=1: Measured(1.5, 1.6, 99.0, 1000, 400))
    monkeypatch.setattr(measure, "loop_seconds", lambda: 0.5)


def test_json_has_a_row_for_each_case(neupims):
    result = neupims("bench", "--only", "engine", "--json")
    rows = json.loads(result.out)
    assert [row["case"] for row in rows] == ["engine.pim", "engine.reads", "engine.both"]
    assert rows[0]["cpu_s"] == 1.5
    assert rows[0]["commands"] == 1000


def test_a_page_is_written(neupims, tmp_path):
    neupims("bench", "--quick", "--scaling", "--page", "page.md")
    text = (tmp_path / "page.md").read_text()
    assert "`layer.neupims.on`" in text
    assert "`model.175b`" not in text
    assert "| 4,096 | 1.50 | 1,000 | 40% | 99 |" in text


def test_an_unknown_case_is_wrong_usage(neupims):
    result = neupims("bench", "--only", "nothing")
    assert result.code == 2
    assert "no such case" in result.err
