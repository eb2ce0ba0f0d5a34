"""Means, spreads and ratios behind pictures of many runs, and the pictures."""

import pandas as pd
import pytest

from neupims.errors import ResultError
from neupims.reports.figure import save_figure
from neupims.reports.study import PARTS, View, stacked, study
from neupims.reports.study_figures import energy_figure, grouped_figure, heat_figure, lines_figure

SPEEDS = {("npu-only", 8, 0): 100.0, ("npu-only", 8, 1): 200.0, ("neupims", 8, 0): 150.0, ("neupims", 8, 1): 500.0}


@pytest.fixture
def frame():
    """Two systems, two batches, two seeds; energy is 10 mJ for a token."""
    rows = [
        {"system": system, "batch": batch * times, "seed": seed, "tokens_per_s": speed * times}
        | {"pim.queue": 8 if system == "neupims" else None, "total_energy_mj": 4.0, "energy_per_token_mj": 10.0}
        | {"dram_energy_mj": 1.0, "pim_energy_mj": 1.0, "npu_energy_mj": 2.0, "link_energy_mj": 0.0}
        for (system, batch, seed), speed in SPEEDS.items()
        for times in (1, 2)
    ]
    return pd.DataFrame(rows)


def test_what_is_not_shown_is_averaged_and_its_spread_is_kept(frame):
    rows = study(frame, View("batch", "system")).to_dict("records")
    assert rows[0] == {
        **{"batch": 8, "system": "npu-only", "mean": 150.0},
        **{"least": 100.0, "greatest": 200.0, "runs": 2},
    }
    assert [(row["batch"], row["system"], row["mean"]) for row in rows[1:]] == [
        (16, "npu-only", 300.0),
        (8, "neupims", 325.0),
        (16, "neupims", 650.0),
    ]


def test_runs_are_divided_by_those_that_are_asked_the_same(frame):
    rows = study(frame, View("batch", "system", over="npu-only")).to_dict("records")
    assert [(row["mean"], row["least"], row["greatest"]) for row in rows] == [(1, 1, 1)] * 2 + [(2, 1.5, 2.5)] * 2


def test_a_run_without_a_result_is_left_out(frame):
    frame.loc[0, "tokens_per_s"] = None
    rows = study(frame, View("batch", "system")).to_dict("records")
    assert {(row["batch"], row["system"]): row["runs"] for row in rows} == {
        **{(8, "npu-only"): 1, (16, "npu-only"): 2},
        **{(8, "neupims"): 2, (16, "neupims"): 2},
    }


def test_energy_is_split_by_part(frame):
    [row, *_] = stacked(frame, View("batch", "system")).to_dict("records")
    assert [row[part] for part in PARTS] == [2.5, 2.5, 5.0, 0.0]


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (View("bach", "system"), "bach: no such column, did you mean batch?"),
        (View("batch", "system", over="gpu"), "gpu: no such system to divide by; there are npu-only, neupims"),
    ],
)
def test_what_cannot_be_shown_has_its_sentence(frame, view, sentence):
    with pytest.raises(ResultError) as error:
        study(frame, view)
    assert str(error.value) == sentence


@pytest.mark.parametrize("draw", [grouped_figure, lines_figure, heat_figure, energy_figure])
def test_pictures_show_every_group_and_are_the_same_each_time(draw, frame, tmp_path):
    figure, rows = draw(frame, View("batch", "system", facet=None))
    assert len(rows) == 4
    texts = {text.get_text().strip() for axes in figure.axes for text in (*axes.get_xticklabels(), *axes.texts)}
    assert {"8", "16"} <= texts
    for name in ("a.svg", "b.svg"):
        save_figure(*draw(frame, View("batch", "system")), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 5


def test_a_facet_has_a_picture_of_its_own(frame):
    figure, rows = grouped_figure(frame, View("system", "seed", facet="batch"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["8", "16"]
    assert len(rows) == 8
