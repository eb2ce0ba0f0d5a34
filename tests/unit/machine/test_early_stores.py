"""Stores that leave between two partial sums, as published."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neupims.isa.work import Accumulation, Plan, Stage, Stores
from neupims.machine.device import run_plan

Make = Callable[..., Any]
OVERRIDES = ("processor.interconnect_cycles=1", "processor.operator_gap_cycles=0")
ARRIVAL = 1 + 16 + 1
"""One burst in each channel: interconnect, latency of the memory of conftest.py, interconnect."""


@pytest.fixture
def written(new_memory: Make, system: Make, npu_work: Make) -> Callable[..., list[int]]:
    """Cycles at which two stores reach the memory; six steps add to accumulators 0, 1, 0, 1, 0, 1."""

    def build(filled_by: list[int], behind: list[int], stream: int = 16, early: bool = True) -> list[int]:
        work = npu_work(steps=6, bursts=1, store=0, stream=stream, preload=0)
        sums = Accumulation(np.array([0, 1, 0, 1, 0, 1]), np.array(filled_by), np.array(behind))
        last = npu_work(steps=2).stores
        stores = Stores(last.runs, last.bytes, np.array([4, 5], np.int32), sums if early else None)
        memory = new_memory()
        run_plan(Plan((Stage("A", (replace(work, stores=stores),)),), (1,)), system(*OVERRIDES, name=AUTHORS), memory)
        return sorted({cycle for cycle, _, _, what in memory.log if what == "write"})

    return build


AUTHORS = "neupims-authors"
STEP = 128 + 128 - 2 + 16
"""Cycles from the start of a step of 16 vectors to its end."""


def test_a_store_leaves_when_the_bias_has_filled_its_accumulator(written: Callable[..., list[int]]) -> None:
    """The second one, whose accumulator the bias does not fill, needs at least a partial sum."""
    first, second = written([0, -1], [-1, -1])
    assert first == ARRIVAL + 1
    assert second >= ARRIVAL + STEP


def test_otherwise_stores_wait_for_their_steps(written: Callable[..., list[int]]) -> None:
    early, late = written([0, -1], [-1, -1]), written([0, -1], [-1, -1], early=False)
    assert late[0] >= ARRIVAL + STEP > early[0]


def test_a_store_waits_while_a_step_adds_to_its_accumulator(written: Callable[..., list[int]]) -> None:
    """Steps follow each other every 16 cycles and last 270, so both accumulators are free at the end only."""
    first, second = written([-1, -1], [-1, -1])
    late = written([-1, -1], [-1, -1], early=False)
    assert (first, second) == tuple(late)


def test_a_store_waits_for_the_step_before_it_as_well(written: Callable[..., list[int]]) -> None:
    held, free = written([0, -1], [1, -1]), written([0, -1], [-1, -1])
    assert held[0] >= ARRIVAL + STEP > free[0]
