"""Requests in several channels: one softmax for all parts, and a sum of what they attend to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neupims.isa.memory import RUN
from neupims.isa.work import PimWork, Plan, Stage
from neupims.machine.device import run_plan
from neupims.machine.split_requests import Whole, wholes_of
from neupims.machine.vector import row_latency

Make = Callable[..., Any]
WAY, WRITE, GWRITE, GROUP, RESULT = 1, 1, 96, 18, 16
ORDERS = pytest.mark.parametrize("order", ["barrier", "request"])


def split(work: PimWork, *further: int) -> PimWork:
    """Entries `further` become parts of the request before them."""
    requests = [
        replace(r, continues=True, output=np.empty(0, RUN)) if index in further else r
        for index, r in enumerate(work.requests)
    ]
    return replace(work, requests=tuple(requests))


def latency(spec: Any, kind: str, elements: int) -> int:
    return row_latency(kind, elements, spec.processor.vector, spec.processor.element_bytes)


def time(work: PimWork, spec: Any, memory: Any) -> int:
    return run_plan(Plan((Stage("B", (), (work,)),), (1,)), spec, memory).iteration_ps // 1000


def test_entries_that_belong_together(pim_work: Make) -> None:
    work = split(pim_work((0, 64), (1, 32), (2, 16), (3, 8), (0, 4)), 1, 2, 4)
    assert wholes_of(work.requests) == [Whole(0, 3, 112), Whole(3, 2, 12)]
    assert wholes_of(()) == []


@ORDERS
def test_two_parts_of_one_request(new_memory: Make, system: Make, pim_work: Make, order: str) -> None:
    """The long part says when the softmax of all tokens begins; both attend, and one addition joins them."""
    spec = system(f"policy.attention_order={order}")
    logits = WAY + GWRITE + 10 * 2 * GROUP + RESULT + WAY
    scored = logits + latency(spec, "softmax", 384) + WAY + WRITE
    attended = scored + (2 * WAY if order == "barrier" else 0) + GWRITE + 2 * 2 * GROUP + RESULT + WAY
    expected = attended + latency(spec, "partial_sum", 64) + WAY + WRITE + WAY
    assert time(split(pim_work((0, 64), (1, 320)), 1), spec, new_memory()) == expected


@ORDERS
def test_a_part_waits_for_the_others_however_the_channels_are_loaded(
    new_memory: Make, system: Make, pim_work: Make, order: str
) -> None:
    spec, memory = system(f"policy.attention_order={order}"), new_memory()
    work = split(pim_work((0, 64), (1, 64), (2, 64), (1, 320), (0, 32), (2, 640)), 1, 2, 4)
    run_plan(Plan((Stage("B", (), (work,)),), (1,)), spec, memory)
    tiles = {row: max(c for c, _, r, what in memory.log if what == "tile" and r == row) for row in (0, 10, 20)}
    first = {row: min(c for c, _, r, what in memory.log if what == "gwrite" and r == row) for row in (1, 11, 21)}
    assert min(first.values()) > max(tiles.values())
    assert sum(what == "tile" for *_, what in memory.log) == sum(-(-r.length // 32) + 2 for r in work.requests)


def test_one_part_is_a_request(new_memory: Make, system: Make, pim_work: Make) -> None:
    works = pim_work((0, 64), (1, 64)), split(pim_work((0, 64), (1, 64)), 1)
    apart, together = (time(work, system(), new_memory()) for work in works)
    assert together == apart + 1
