"""Folded arrays whose stationary block is not loaded before all results of the block before have left."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neupims.hardware.npu import SystolicArrays
from neupims.isa.work import STEP
from neupims.machine.systolic import ArrayState, array_timing, cost, issue

ARRAYS = SystolicArrays(
    count=8,
    rows=128,
    columns=128,
    dataflow="activation_stationary",
    folded=True,
    double_buffered=False,
    preload="drained",
)
LATENCY = 128 + 128 - 1 + 16


def steps(*pairs: tuple[int, int]) -> NDArray[Any]:
    """STEPs of (stream, preload)."""
    records = np.zeros(len(pairs), STEP)
    records["stream"], records["preload"] = np.array(pairs).T
    return records


def ends(records: NDArray[Any], ready: list[int]) -> list[int]:
    timing = array_timing(records, ARRAYS, "activation_stationary")
    return issue(timing, slice(None), np.array(ready), ArrayState(), ARRAYS).tolist()


def test_a_block_that_streams_follows_the_stream_before_it() -> None:
    assert ends(steps((16, 128), (16, 0), (16, 0)), [0, 0, 0]) == [128 + LATENCY + 16 * i for i in range(3)]


def test_a_preload_waits_for_the_last_result_but_costs_nothing_then() -> None:
    assert ends(steps((16, 128), (16, 128)), [0, 0]) == [128 + LATENCY, 128 + 2 * LATENCY]


def test_a_preload_into_idle_arrays_is_exposed() -> None:
    assert ends(steps((16, 128), (16, 128)), [0, 1000]) == [128 + LATENCY, 1000 + 128 + LATENCY]
    assert ends(steps((16, 8)), [50]) == [50 + 8 + LATENCY]


def test_a_late_block_does_not_start_before_its_data_came() -> None:
    assert ends(steps((16, 128), (16, 0)), [0, 300]) == [128 + LATENCY, 300 + LATENCY]


def test_a_stream_has_no_least_length() -> None:
    assert ends(steps((1, 128)), [0]) == [128 + 128 + 128 - 1 + 1]


@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (1, 32, 24), (4, 32, 24), (2, 8, 32)])
def test_period_of_a_gemm(n: int, k: int, m: int) -> None:
    """16 M + 255 for each token block and K block (spec of the branch npu-only), behind one exposed preload."""
    records = steps(*((16, 128 if feature == 0 else 0) for _ in range(n * k) for feature in range(m)))
    assert cost(records, ARRAYS, "activation_stationary") == 128 + n * k * (16 * m + 255)
