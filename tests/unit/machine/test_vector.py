"""Vector units: formulas of the published simulator's operators, and who takes a row."""

import pytest

from neupims.hardware.npu import VectorUnits
from neupims.machine.vector import FORMULAS, VectorPool, passes, row_latency, tree_steps

UNITS = VectorUnits(count=8, lanes=128)
PUBLISHED = UNITS.model_copy(update={"counts": "published"})


@pytest.mark.parametrize(("elements", "steps"), [(1, 1), (128, 1), (129, 3), (600, 6), (4096, 33), (128 * 128 + 1, 132)])
def test_tree(elements: int, steps: int) -> None:
    assert tree_steps(elements, 128) == steps


def test_layer_norm_of_a_row() -> None:
    assert row_latency("layer_norm", 4096, UNITS, 2) == 2 * 33 + 3 + 32 * 5


def test_softmax_of_a_row() -> None:
    assert row_latency("softmax", 300, UNITS, 2) == 2 * (3 + 1) + 3 * 3


@pytest.mark.parametrize("kind", ["add", "gelu", "partial_sum"])
def test_elementwise(kind: str) -> None:
    assert row_latency(kind, 4096, UNITS, 2) == passes(4096, 128)


def test_latencies_come_from_the_spec() -> None:
    slow = UNITS.model_copy(update={"multiply": 4, "scalar_sqrt": 20, "tree_step": 2})
    assert row_latency("layer_norm", 4096, slow, 2) == 2 * 33 * 2 + 2 + 20 + 32 * (2 + 3 * 4)


def test_published_counts() -> None:
    assert row_latency("layer_norm", 4096, PUBLISHED, 2) == 5
    assert row_latency("softmax", 300, PUBLISHED, 2) == 27
    assert row_latency("partial_sum", 32, PUBLISHED, 2) == 1
    assert row_latency("add", 4096, PUBLISHED, 2) == 1


def test_unknown_operator() -> None:
    names = ", ".join(FORMULAS)
    with pytest.raises(ValueError, match=rf"^vector units cannot do 'fft'; they can do {names}$"):
        row_latency("fft", 10, UNITS, 2)


def test_rows_spread_over_free_units() -> None:
    pool = VectorPool(UNITS)
    assert pool.issue(rows=8, latency=10, now=0) == 10
    assert pool.issue(rows=9, latency=10, now=0) == 30
    assert pool.busy == 170


def test_row_goes_to_the_unit_that_is_free_first() -> None:
    pool = VectorPool(UNITS.model_copy(update={"count": 2}))
    pool.issue(1, 100, 0)
    pool.issue(1, 30, 0)
    assert pool.issue(1, 10, 0) == 40
    assert pool.issue(1, 10, 50) == 60


def test_published_row_starts_at_once_but_leaves_after_the_one_before() -> None:
    pool = VectorPool(PUBLISHED.model_copy(update={"count": 1}))
    assert pool.issue(1, 27, 0) == 27
    assert pool.issue(1, 27, 10) == 37
    assert pool.issue(1, 5, 11) == 38
