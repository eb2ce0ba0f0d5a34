import csv
import re

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from neupims.errors import ResultError
from neupims.reports.bars import bar_figure, bar_rows, jobs_of
from neupims.reports.figure import COLUMN_IN, OTHER, new_figure, save_figure
from neupims.reports.gantt import timeline_figure, timeline_rows
from neupims.results.spans import OperatorSpan, StageSpan

SYSTEMS = {"gpu-a100": 1.0, "npu-only": 1.25, "npu-pim": 2.0, "neupims": 3.0}


@pytest.fixture
def four(handmade):
    return [handmade(system, speed) for system, speed in SYSTEMS.items()]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_one_job_shows_throughput_and_utilisation(four):
    figure = bar_figure(four)
    upper, lower = figure.axes
    assert [bar.get_height() for bar in upper.containers[0]] == [run.tokens_per_s for run in four]
    assert [bar.get_height() for bar in lower.containers[0]] == [100 * run.utilization.npu for run in four]
    assert [label.get_text() for label in lower.get_xticklabels()] == list(SYSTEMS)
    assert "16,000\n3.00×" in texts(figure)


def test_a_system_without_pim_has_a_dash_instead_of_a_zero(handmade):
    figure = bar_figure([handmade("npu-only", commands={"RD": 1}), handmade("neupims")])
    pim_labels = texts(figure)[4:6]
    assert pim_labels == ["–", "17"]


def test_several_jobs_are_grouped_with_the_first_system_as_baseline(handmade):
    runs = [handmade(system, speed, batch=batch) for batch in (64, 256) for system, speed in SYSTEMS.items()]
    [axes] = bar_figure(runs).axes
    assert axes.get_title(loc="left") == "speed-up over gpu-a100"
    assert [[bar.get_height() for bar in group] for group in axes.containers] == [
        pytest.approx([speed, speed]) for speed in SYSTEMS.values()
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["batch 64", "batch 256"]


def test_jobs_with_different_first_systems_show_throughput(handmade):
    runs = [handmade("npu-only", batch=64), handmade("neupims", batch=256)]
    [axes] = bar_figure(runs).axes
    assert axes.get_title(loc="left") == "throughput, tokens/s"


def test_a_job_is_named_by_what_differs(handmade):
    runs = [handmade(model="a", tp=1), handmade(model="a", tp=2), handmade("npu-only", model="a", tp=2)]
    assert {name: len(job) for name, job in jobs_of(runs).items()} == {"TP 1, PP 1": 1, "TP 2, PP 1": 2}


def test_bar_rows_give_speedups_within_a_job(handmade):
    runs = [handmade("a", 1.0, batch=1), handmade("a", 3.0, batch=2), handmade("b", 6.0, batch=2)]
    assert [row["speedup"] for row in bar_rows(runs)] == pytest.approx([1.0, 1.0, 2.0])


def test_a_timeline_marks_stages_with_their_letters_and_repeats(handmade):
    figure = timeline_figure(handmade())
    assert texts(figure) == ["A", "B", "C ×47", "D ×47", "E", "F"]
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["NPU", "vector", "PIM"]
    assert axes.get_xlabel() == "time, µs"


def test_titles_of_stages_give_way_where_there_is_no_room(handmade):
    ends = (0, 10, 60, 500, 1000)
    spans = zip(("in", "A", "B", "C"), ends, ends[1:], (1, 48, 48, 48), strict=False)
    stages = tuple(StageSpan(name, start, end, repeats) for name, start, end, repeats in spans)
    assert texts(timeline_figure(handmade(stages=stages))) == ["", "A", "B ×48", "C ×48"]


def test_a_timeline_draws_every_operator(handmade):
    run = handmade()
    [axes] = timeline_figure(run).axes
    assert sum(len(collection.get_paths()) for collection in axes.collections) == len(run.operators)


def test_the_longest_operators_have_colours_of_their_own(handmade):
    figure = timeline_figure(handmade())
    [legend] = figure.legends
    fills = {
        t.get_text(): to_hex(p.get_facecolor()) for t, p in zip(legend.get_texts(), legend.get_patches(), strict=True)
    }
    assert list(fills) == ["qkv", "proj", "ffn1", "ffn2", "softmax", "logit", "attend", "other"]
    assert len(set(fills.values())) == 8
    assert fills["other"] == OTHER


@pytest.mark.parametrize(("end_ps", "unit"), [(5 * 10**9, "ms"), (10**9, "µs"), (1500, "ns")])
def test_the_time_axis_has_a_fitting_unit(handmade, end_ps, unit):
    operators = (OperatorSpan("x", "pim", 0, end_ps, 0, 0, 0),)
    run = handmade(stages=(StageSpan("A", 0, end_ps),), operators=operators)
    assert timeline_figure(run).axes[0].get_xlabel() == f"time, {unit}"


def test_a_run_without_operators_cannot_be_drawn(handmade):
    with pytest.raises(ResultError, match=r"^the run of neupims has no operators to draw$"):
        timeline_figure(handmade(operators=()))


def test_timeline_rows_are_stages_then_operators(handmade):
    run = handmade()
    rows = timeline_rows(run)
    assert [row["lane"] for row in rows[: len(run.stages)]] == ["stage"] * len(run.stages)
    assert rows[2]["repeats"] == 47
    assert rows[-1]["end_ns"] * 1000 == run.operators[-1].end_ps


def test_pictures_are_one_column_wide(four):
    assert bar_figure(four).get_figwidth() == timeline_figure(four[3]).get_figwidth() == COLUMN_IN


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_has_its_numbers_beside_it_and_is_the_same_every_time(four, tmp_path, suffix, magic):
    written = []
    for name in ("a", "b"):
        save_figure(bar_figure(four), bar_rows(four), tmp_path / f"{name}.{suffix}")
        written.append((tmp_path / f"{name}.{suffix}").read_bytes())
    assert written[0].startswith(magic)
    assert written[0] == written[1]
    with (tmp_path / "a.csv").open() as file:
        assert [row["system"] for row in csv.DictReader(file)] == list(SYSTEMS)


def test_an_unknown_kind_of_picture_is_refused(tmp_path):
    path = tmp_path / "plot.bmp"
    sentence = f"{path}: no such kind of picture; its name must end in one of .png, .svg, .pdf"
    with pytest.raises(ResultError, match=f"^{re.escape(sentence)}$"):
        save_figure(new_figure(1), [], path)
    assert not path.exists()
