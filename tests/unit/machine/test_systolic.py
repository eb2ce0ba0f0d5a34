"""Systolic timing: intervals and latencies."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neupims.hardware.npu import SystolicArrays
from neupims.isa.work import STEP
from neupims.machine.systolic import ArrayState, array_timing, cost, cost_of, intervals, issue

CLEAN = SystolicArrays(count=8, rows=128, columns=64, dataflow="weight_stationary")
SINGLE = CLEAN.model_copy(update={"double_buffered": False})
FOLDED = SystolicArrays(
    count=8,
    rows=128,
    columns=128,
    dataflow="activation_stationary",
    folded=True,
    double_buffered=False,
    starts_in_past=True,
)
ON_TIME = FOLDED.model_copy(update={"starts_in_past": False})
FILL = CLEAN.rows + CLEAN.columns - 2


def steps(*pairs: tuple[int, int]) -> NDArray[Any]:
    """STEPs of (stream, preload)."""
    records = np.zeros(len(pairs), STEP)
    records["stream"], records["preload"] = np.array(pairs).T
    return records


def ends(
    records: NDArray[Any], arrays: SystolicArrays, ready: list[int], dataflow: Any = "weight_stationary"
) -> list[int]:
    timing = array_timing(records, arrays, dataflow)
    return issue(timing, slice(None), np.array(ready), ArrayState(), arrays).tolist()


def folded_steps(n: int, k: int, m: int) -> NDArray[Any]:
    """Token, K and feature blocks in the published order: one preload for each (n, k), 16 cycles per block."""
    return steps(*((16, 128 if feature == 0 else 0) for _ in range(n * k) for feature in range(m)))


def test_short_stream_waits_for_the_preload_behind_it() -> None:
    interval, latency = intervals(steps((10, 128), (10, 128), (300, 128), (5, 128)), CLEAN, "weight_stationary")
    assert interval.tolist()[1:] == [128, 128, 300]
    assert latency.tolist() == [FILL + 10, FILL + 10, FILL + 300, FILL + 5]


def test_single_buffered_preload_is_never_hidden() -> None:
    interval, _ = intervals(steps((10, 128), (300, 128), (5, 0)), SINGLE, "weight_stationary")
    assert interval.tolist()[1:] == [10 + 128, 300]


def test_kept_operand_needs_no_preload() -> None:
    assert ends(steps((10, 128), (10, 0), (10, 0)), CLEAN, [0, 0, 0]) == [128 + 10 * i + FILL + 10 for i in range(3)]


def test_preload_after_a_gap_is_exposed() -> None:
    first, second = ends(steps((10, 128), (10, 128)), CLEAN, [0, 1000])
    assert first == 128 + FILL + 10
    assert second == 1000 + 128 + FILL + 10


def test_outputs_leave_after_the_stream() -> None:
    rows = CLEAN.rows
    one, two = ends(steps((500, rows), (500, rows)), CLEAN, [0, 0], "output_stationary")
    assert one == FILL + 500 + rows
    assert two - one == 500
    one, two = ends(steps((500, rows), (500, rows)), SINGLE, [0, 0], "output_stationary")
    assert one == FILL + 500 + rows
    assert two - one == 500 + rows


@pytest.mark.parametrize(("arrays", "between"), [(CLEAN, 300), (SINGLE, 300 + CLEAN.rows)])
def test_results_leave_once_for_all_steps_of_a_block(arrays: SystolicArrays, between: int) -> None:
    rows = arrays.rows
    block = ((128, rows), (128, 0), (44, 0))
    found = ends(steps(*block, *block), arrays, [0] * 6, "output_stationary")
    assert found[2] == FILL + 300 + rows
    assert found[5] - found[2] == between
    assert found[0] == FILL + 128


def test_a_short_block_waits_for_the_results_of_the_one_before() -> None:
    rows = CLEAN.rows
    found = ends(steps(*[(20, rows), (30, 0)] * 3), CLEAN, [0] * 6, "output_stationary")
    assert np.diff(found[1::2]).tolist() == [rows, rows]


@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (1, 8, 24), (4, 32, 32), (4, 8, 32)])
def test_published_gemm(n: int, k: int, m: int) -> None:
    assert cost(folded_steps(n, k, m), FOLDED, "activation_stationary") == n * k * (16 * m + 112) + 255 + 270 - 128


def test_published_step_without_preload_starts_at_once_in_an_empty_pipeline() -> None:
    assert ends(steps((16, 0), (16, 0)), FOLDED, [7, 1000]) == [7 + 270, 1000 + 270]


def test_published_step_may_start_in_the_past_after_a_stall() -> None:
    records = steps((16, 128), (16, 0))
    assert ends(records, FOLDED, [0, 500]) == [255 + 270, 255 + 16 + 270]
    assert ends(records, ON_TIME, [0, 500]) == [255 + 270, 500 + 270]


def test_published_step_ends_after_its_issue_and_after_the_one_before() -> None:
    assert ends(steps((16, 128), (16, 0), (16, 0)), FOLDED, [0, 524, 524]) == [525, 541, 557]


def test_short_published_streams_take_four_cycles() -> None:
    assert ends(steps((1, 0), (1, 0)), FOLDED, [0, 0]) == [258, 262]


def test_no_steps_cost_nothing() -> None:
    assert cost(np.zeros(0, STEP), CLEAN, "weight_stationary") == 0


def test_cost_for_lowering() -> None:
    records = steps((10, 128), (10, 128))
    assert cost_of(CLEAN)(records, "weight_stationary") == cost(records, CLEAN, "weight_stationary")


work = st.lists(
    st.tuples(st.integers(1, 300), st.sampled_from([0, 64, 128]), st.integers(0, 400)), min_size=1, max_size=12
)


@given(work, st.data(), st.sampled_from([CLEAN, SINGLE, FOLDED, ON_TIME]), st.booleans())
def test_issue_in_parts_equals_issue_at_once(
    rows: list[tuple[int, int, int]], data: st.DataObject, arrays: SystolicArrays, outputs: bool
) -> None:
    dataflow = "output_stationary" if outputs else "weight_stationary"
    records = steps(*((stream, preload) for stream, preload, _ in rows))
    ready = np.cumsum([gap for *_, gap in rows])
    timing = array_timing(records, arrays, dataflow)
    whole = issue(timing, slice(0, len(rows)), ready, ArrayState(), arrays)
    cut, state = data.draw(st.integers(0, len(rows))), ArrayState()
    parts = [issue(timing, part, ready[part], state, arrays) for part in (slice(0, cut), slice(cut, len(rows)))]
    assert np.concatenate(parts).tolist() == whole.tolist()


@given(work, st.sampled_from([CLEAN, SINGLE, ON_TIME]))
def test_no_step_ends_before_its_operands_have_passed_through(
    rows: list[tuple[int, int, int]], arrays: SystolicArrays
) -> None:
    records = steps(*((stream, preload) for stream, preload, _ in rows))
    ready = np.cumsum([gap for *_, gap in rows])
    timing = array_timing(records, arrays, "weight_stationary")
    done = issue(timing, slice(0, len(rows)), ready, ArrayState(), arrays)
    assert (done >= ready + timing.latency).all()
    assert (np.diff(done - timing.latency) >= timing.interval[1:]).all()
