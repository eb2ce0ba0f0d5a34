"""Cases and pages of the benchmarks; nothing here depends on how long anything takes."""

from dataclasses import replace

import pytest

from neupims.bench.cases import FEW, SMALL, Case, Traffic, all_cases, sample, scaling
from neupims.bench.measure import Measured, Row, measured, points
from neupims.bench.page import case_lines, page, scaling_lines
from neupims.bench.recurrence import Recurrence, recurrence, refresh_cycles
from neupims.bench.traffic import loaded
from neupims.errors import CapacityError

TINY = replace(SMALL, settings=FEW)


@pytest.fixture
def row():
    case = Case("layer", "one layer", TINY, TINY, 0.06, 0.3, published=True)
    took = [
        Measured(seconds, seconds, 200.0, commands, run) for seconds, commands, run in ((2, 400, 100), (6, 400, 400))
    ]
    return Row(case, *took, reference=Measured(10, 10, 100.0, 50, 50), loop_s=0.5)


def test_ratios_are_to_the_same_work(row):
    assert row.ratio_to_plain == 3
    assert row.ratio_to_reference == (10 / 50) * 400 / 2
    assert row.ratio_to_published == {
        "as published": 92 * 0.5 / 2,
        "with a faster scan of its queues": 37 * 0.5 / 2,
    }


def test_times_are_scaled_by_the_loop(row):
    assert row.scaled_s == 2 * 1.03 / 0.5


def test_a_row_has_the_keys_of_the_contract(row):
    contract = {"case", "cpu_s", "wall_s", "peak_mb", "commands", "ratio_to_plain", "ratio_to_reference"}
    assert row.to_json().keys() >= contract


def test_a_line_says_what_was_measured(row):
    line = next(line for line in case_lines([row]) if line.startswith("| `layer`"))
    assert line == "| `layer` | 2.00 | 4.12 | 0.06, 0.3 | 400 | 25% | 200 | 3.0 x | 40 x | 200 |"


def test_works_run_on_every_engine_and_do_the_same():
    efforts = {engine: TINY.run(engine) for engine in ("fast", "plain", "reference")}
    assert len({effort.commands for effort in efforts.values()}) == 1
    assert efforts["plain"].run == efforts["reference"].run == efforts["plain"].commands > 0


@pytest.mark.parametrize("kind", ["pim", "reads", "both"])
def test_traffic_keeps_the_channel_busy(kind):
    few, many = (Traffic(kind, cycles).run("fast").commands for cycles in (2_000, 4_000))
    assert many > 1.5 * few > 0


def test_a_work_is_measured_in_a_process_of_its_own():
    took = measured(TINY, "fast")
    assert took.commands == TINY.run("fast").commands
    assert took.cpu_s > 0
    assert took.peak_mb > 10


def test_a_point_that_cannot_be_says_why():
    """In the table it takes the place of the numbers."""
    too_large = replace(TINY, batch=1, context=10**8)
    ((axis, point, took),) = points(iter([("context", "1e8", too_large)]))
    with pytest.raises(CapacityError) as refusal:
        too_large.run("fast")
    assert took == str(refusal.value)
    assert f"| {point} | {took} | | | |" in list(scaling_lines([(axis, point, took)]))


def test_cases_and_points_have_names_of_their_own():
    names, places = [case.name for case in all_cases()], [(axis, point) for axis, point, _ in scaling()]
    assert len(set(names)) == len(names)
    assert len(set(places)) == len(places)
    assert {axis for axis, _ in places} == {"batch", "context", "channels", "model"}


def test_the_sample_of_a_case_runs_on_the_same_system():
    for case in all_cases():
        if hasattr(case.work, "system"):
            assert sample(case.work).system == case.sample.system == case.work.system


def test_the_page_holds_both_tables(row):
    text = page([row], [("batch", "8", row.fast)], [Recurrence("reads", 4000, None), Recurrence("pim", 6000, 1950)])
    assert "| saturated reads | 4,000 | never |" in text
    assert "| PIM logit tiles | 6,000 | 1,950 cycles |" in text
    assert "| `layer` | 2.00 |" in text
    assert "| 8 | 2.00 | 400 | 25% | 200 |" in text
    assert "{" not in text


def test_tiles_repeat_themselves_and_reads_do_not_so_soon():
    found = recurrence("pim", 40_000)
    assert found.period is not None
    assert found.period % refresh_cycles() == 0
    assert recurrence("reads", 40_000) == Recurrence("reads", 40_000, None)


def test_equal_relative_states_do_the_same():
    period = recurrence("pim", 40_000).period
    memory = loaded("plain", "pim", 40_000)
    memory.advance(7_800 - period)
    states = [memory.relative_state()]
    memory.advance(7_800)
    assert memory.relative_state() == states[0]
    memory.advance(7_801)
    assert memory.relative_state() != states[0]
