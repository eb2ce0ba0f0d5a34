"""Operators below the roofs of their hardware."""

from dataclasses import replace

import pytest

from neupims.errors import ResultError
from neupims.hardware.load import load_system
from neupims.reports.figure import COLOURS, save_figure
from neupims.reports.roofline import roofline_figure, roofline_rows
from neupims.results.digest import digest
from neupims.results.measure import bandwidth_bytes, peak_macs, pim_peak_macs
from neupims.results.spans import OperatorSpan, StageSpan

US = 10**6
OPERATORS = (
    OperatorSpan("layer0.ffn.fc1@1", "array", 0, 4 * US, 300_000, 4000, 1000),
    OperatorSpan("layer0.ffn.fc1@2", "array", 4 * US, 10 * US, 700_000, 4000, 1000),
    OperatorSpan("layer0.attention.logit", "pim", 0, 5 * US, 50_000, 100, 0),
    OperatorSpan("layer0.attention.softmax", "vector", 0, 5 * US, 0, 100, 0),
)


@pytest.fixture
def system():
    return load_system("neupims")


@pytest.fixture
def run(handmade, system):
    return handmade(operators=OPERATORS, hardware_digest=digest(system.model_dump(mode="json")))


def test_operators_of_a_kind_are_one_point(run, system):
    fc1, logit = roofline_rows(run, system)
    assert (fc1["operator"], fc1["macs_per_byte"]) == ("fc1", 100.0)
    assert fc1["gmacs_per_s"] == pytest.approx(1e6 / 10e-6 / 1e9)
    assert fc1["bound_gmacs_per_s"] == min(peak_macs(system), 100 * bandwidth_bytes(system)) / 1e9
    assert (logit["operator"], logit["bound_gmacs_per_s"]) == ("logit", pim_peak_macs(system) / 1e9)


def test_the_picture_has_a_point_for_each_and_the_roofs(run, system, tmp_path):
    figure = roofline_figure(run, system)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"fc1", "logit"}
    assert {text.get_text().strip() for text in figure.axes[0].texts} == {"arrays", "memory", "PIM units"}
    save_figure(figure, roofline_rows(run, system), tmp_path / "a.svg")
    save_figure(roofline_figure(run, system), roofline_rows(run, system), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_repeated_stages_count_as_often_as_they_stand(handmade, run, system):
    stages = (StageSpan("A", 0, 4 * US, 3), StageSpan("B", 4 * US, 10 * US, 1))
    fc1, logit = roofline_rows(replace(run, stages=stages), system)
    assert fc1["macs_per_byte"] == (3 * 300_000 + 700_000) / (4 * 5000)
    assert (fc1["share"], logit["share"]) == (18 / 33, 15 / 33)


def test_only_the_longest_operators_have_a_name(run, system):
    spans = tuple(OperatorSpan(f"layer0.op{n}", "array", 0, (20 - n) * US, 1000 + n, 100, 0) for n in range(12))
    figure = roofline_figure(replace(run, operators=spans), system)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*(f"op{n}" for n in range(len(COLOURS))), "others"]
    sizes = [line.get_markersize() for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert len(sizes) == 12
    assert sizes == sorted(sizes, reverse=True)


def test_other_hardware_is_refused(run):
    with pytest.raises(ResultError) as error:
        roofline_rows(run, load_system("neupims", ["memory.organization.channels=16"]))
    assert str(error.value) == "the run of neupims was made with other values of the hardware than neupims has now"


def test_a_run_without_macs_has_its_sentence(handmade, run, system):
    with pytest.raises(ResultError, match="the run of neupims has no operators to draw"):
        roofline_rows(handmade(operators=OPERATORS[3:], hardware_digest=run.hardware_digest), system)
