"""Stages stacked into iterations, and how busy resources are in them."""

import pytest

from neupims.errors import ResultError
from neupims.reports.figure import save_figure
from neupims.reports.stages import stages_figure, stages_rows, utilization_figure, utilization_rows
from neupims.results.spans import StageSpan, Utilization

MS = 10**9
STAGES = (
    StageSpan("A", 0, 2 * MS, 3, Utilization(0.5, 0.0, 0.75)),
    StageSpan("B", 2 * MS, 3 * MS, 1, Utilization(0.0, 0.25, 0.5)),
)


@pytest.fixture
def run(handmade):
    return handmade(stages=STAGES, iteration_ps=7 * MS)


def test_stages_with_their_repeats_add_up_to_the_iteration(run):
    rows = stages_rows([run, run])
    assert [(row["stage"], row["repeats"], row["ms"]) for row in rows[:2]] == [("A", 3, 6.0), ("B", 1, 1.0)]
    bars = [bar for container in stages_figure([run, run]).axes[0].containers for bar in container]
    assert [(bar.get_x(), bar.get_width()) for bar in bars[:2]] == [(0.0, 6.0), (6.0, 1.0)]
    assert sum(bar.get_width() for bar in bars) == 2 * run.iteration_ps / MS


def test_utilisation_is_that_of_each_stage_in_its_time(run):
    assert utilization_rows(run) == [
        {"stage": "A", "start_ms": 0.0, "end_ms": 6.0, "npu": 0.5, "pim": 0.0, "bandwidth": 0.75},
        {"stage": "B", "start_ms": 6.0, "end_ms": 7.0, "npu": 0.0, "pim": 0.25, "bandwidth": 0.5},
    ]
    steps = utilization_figure(run).axes[0].patches
    assert [step.get_data().values.tolist() for step in steps] == [[50, 0], [0, 25], [75, 50]]


def test_pictures_are_the_same_each_time(run, tmp_path):
    for name in ("a.svg", "b.svg"):
        save_figure(utilization_figure(run), utilization_rows(run), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ((), "the run of neupims has no stages to draw"),
        ((StageSpan("A", 0, MS),), "the run of neupims does not say how busy its stages were"),
    ],
)
def test_a_run_without_what_is_to_be_shown_has_its_sentence(handmade, stages, sentence):
    with pytest.raises(ResultError) as error:
        utilization_figure(handmade(stages=stages))
    assert str(error.value) == sentence
