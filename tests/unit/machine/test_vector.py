"""Vector units: formulas of the published simulator's operators, and who takes a row."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy.core import Environment

from neupims.events.agenda import Agenda
from neupims.events.clock import Clock
from neupims.hardware.npu import VectorUnits
from neupims.machine.vector import FORMULAS, Program, VectorPool, passes, row_latency, tree_steps

UNITS = VectorUnits(count=8, lanes=128)
PUBLISHED = UNITS.model_copy(update={"counts": "published"})


@pytest.mark.parametrize(
    ("elements", "steps"), [(1, 1), (128, 1), (129, 3), (600, 6), (4096, 33), (128 * 128 + 1, 132)]
)
def test_tree(elements: int, steps: int) -> None:
    assert tree_steps(elements, 128) == steps


def test_layer_norm_of_a_row() -> None:
    assert row_latency("layer_norm", 4096, UNITS, 2) == 2 * 33 + 3 + 32 * 5


def test_softmax_of_a_row() -> None:
    assert row_latency("softmax", 300, UNITS, 2) == 2 * (3 + 1) + 3 * 3


@pytest.mark.parametrize("kind", ["add", "gelu", "partial_sum"])
def test_elementwise(kind: str) -> None:
    assert row_latency(kind, 4096, UNITS, 2) == passes(4096, 128)


def test_a_gated_activation_is_an_activation_and_a_product() -> None:
    silu, product, both = (row_latency(kind, 4096, UNITS, 2) for kind in ("silu", "mul", "swiglu"))
    assert both == silu + product == 32 * 4


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
    with pytest.raises(ValueError, match=rf"^vector units cannot do 'hash'; they can do {names}$"):
        row_latency("hash", 10, UNITS, 2)


class Pool:
    """A pool with a clock of one cycle per picosecond; `ends` tells when each piece of work ended."""

    def __init__(self, units: VectorUnits) -> None:
        self.env = Environment()
        self.agenda = Agenda(self.env)
        self.pool = VectorPool(units, self.agenda, Clock(1))
        self.ends: dict[str, int] = {}

    def run(self, name: str, now: int, rows: int, latency: int, program: Program = "npu") -> None:
        """Enter work at a time."""
        done = partial(self.ends.__setitem__, name)
        self.agenda.at(now, (0,), lambda: self.pool.run(rows, latency, program, done))

    def finish(self) -> dict[str, int]:
        self.env.run()
        return self.ends


def units(count: int, base: VectorUnits = UNITS) -> VectorUnits:
    return base.model_copy(update={"count": count})


def test_rows_spread_over_free_units() -> None:
    pool = Pool(units(8))
    pool.run("a", now=0, rows=8, latency=10)
    pool.run("b", now=0, rows=9, latency=10)
    assert pool.finish() == {"a": 10, "b": 30}


def test_row_goes_to_the_unit_that_is_free_first() -> None:
    pool = Pool(units(2))
    for name, now, latency in (("a", 0, 100), ("b", 0, 30), ("c", 0, 10), ("d", 50, 10)):
        pool.run(name, now, 1, latency)
    assert pool.finish() == {"a": 100, "b": 30, "c": 40, "d": 60}


def test_rows_of_pim_go_before_rows_of_the_npu_that_wait() -> None:
    pool = Pool(units(1))
    pool.run("norm", now=0, rows=3, latency=10)
    pool.run("next", now=1, rows=1, latency=10)
    pool.run("softmax", now=5, rows=1, latency=4, program="pim")
    assert pool.finish() == {"softmax": 14, "norm": 34, "next": 44}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5), st.integers(1, 20), st.booleans()), max_size=8))
def test_units_never_idle_while_rows_wait(works: list[tuple[int, int, int, bool]]) -> None:
    """With one unit, the last end is that of any work-conserving order."""
    pool, free = Pool(units(1)), 0
    for index, (now, rows, latency, pim) in enumerate(works):
        pool.run(str(index), now, rows, latency, "pim" if pim else "npu")
    for now, rows, latency, _ in sorted(works):
        free = max(free, now) + rows * latency
    assert max(pool.finish().values(), default=0) == free


def test_published_row_starts_at_once_but_leaves_after_the_one_before() -> None:
    pool = Pool(units(1, PUBLISHED))
    for name, now, latency in (("a", 0, 27), ("b", 10, 27), ("c", 11, 5)):
        pool.run(name, now, 1, latency)
    assert pool.finish() == {"a": 27, "b": 37, "c": 38}


def test_a_step_without_rows_is_refused() -> None:
    pool = Pool(units(1))
    pool.run("a", now=0, rows=0, latency=1)
    with pytest.raises(RuntimeError, match=r"^a step on the vector units has no rows$"):
        pool.finish()
