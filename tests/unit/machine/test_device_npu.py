"""The NPU program: loads, steps, stores, and what is fetched ahead, on a memory of fixed bandwidth."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neupims.isa.work import LinkWork, Plan, Stage, Stores
from neupims.machine.device import run_plan
from neupims.machine.link import link_ps
from neupims.machine.loader import POLL_CYCLES
from neupims.machine.outcome import DeviceResult, OperatorSpan

Make = Callable[..., Any]

WAY, READ, WRITE, BURST = 1, 16, 1, 2
"""Interconnect, and the memory of conftest.py: cycles to data, to an acknowledgement, and per burst."""
CHANNEL_BYTES = 4 * 64


def one_stage(*works: Any) -> Plan:
    return Plan((Stage("A", works),), (1,))


def spans(result: DeviceResult) -> dict[str, OperatorSpan]:
    return {operator.name: operator for operator in result.operators}


def reads(memory: Any) -> list[int]:
    """Cycles at which blocks were first asked for, by id."""
    first: dict[int, int] = {}
    for cycle, _, block, what in memory.log:
        if what == "read":
            first.setdefault(block, cycle)
    return [first[block] for block in sorted(first)]


def array_latency(stream: int) -> int:
    return 128 + 128 - 2 + stream


def test_one_step_from_load_to_acknowledged_store(new_memory: Make, system: Make, npu_work: Make) -> None:
    result = run_plan(one_stage(npu_work(steps=1, bursts=3)), system(), new_memory())
    arrival = WAY + 2 * BURST + READ + WAY
    end = arrival + 128 + array_latency(64)
    assert result.iteration_ps == 1000 * (end + WAY + WRITE + WAY)
    (span,) = result.operators
    assert (span.bytes_read, span.bytes_written, span.macs) == (3 * CHANNEL_BYTES, CHANNEL_BYTES, 1000)
    assert span.busy_ps == 1000 * (end - arrival)


def test_operator_without_stores_ends_with_its_last_step(new_memory: Make, system: Make, npu_work: Make) -> None:
    result = run_plan(one_stage(npu_work(steps=1, bursts=1, store=0)), system(), new_memory())
    assert result.iteration_ps == 1000 * (WAY + READ + WAY + 128 + array_latency(64))


def test_operator_without_loads(new_memory: Make, system: Make, npu_work: Make) -> None:
    work = replace(npu_work(steps=1, loads=0, frees=0, store=0), loads=npu_work(steps=0, store=0).loads)
    result = run_plan(one_stage(work), system(), new_memory())
    assert result.iteration_ps == 1000 * (128 + array_latency(64))


def test_operator_without_steps_ends_with_its_loads(new_memory: Make, system: Make, npu_work: Make) -> None:
    work = replace(npu_work(steps=1, bursts=1, store=0), steps=npu_work(steps=0, store=0).steps)
    assert run_plan(one_stage(work), system(), new_memory()).iteration_ps == 1000 * (WAY + READ + WAY)


def test_vector_step_spreads_its_rows(new_memory: Make, system: Make, npu_work: Make) -> None:
    work = npu_work(steps=1, bursts=1, unit="vector", kind="add", stream=1280, rows=9, store=0)
    result = run_plan(one_stage(work), system(), new_memory())
    assert result.iteration_ps == 1000 * (WAY + READ + WAY + 2 * 10)
    assert result.operators[0].busy_ps == 1000 * 9 * 10


def test_loads_that_depend_on_results_wait_for_the_operator_before(
    new_memory: Make, system: Make, npu_work: Make
) -> None:
    memory = new_memory()
    result = run_plan(one_stage(npu_work("a", steps=2), npu_work("b", steps=2)), system(), memory)
    first = spans(result)["a"].end_ps // 1000
    assert reads(memory) == [WAY, WAY, first + WAY, first + WAY]


def test_weights_of_the_next_operator_are_fetched_ahead(new_memory: Make, system: Make, npu_work: Make) -> None:
    memory = new_memory()
    works = (npu_work("a", steps=2), npu_work("b", steps=2, early=True))
    ahead = run_plan(one_stage(*works), system(), memory)
    assert reads(memory) == [WAY] * 4
    serial = run_plan(one_stage(*works), system("processor.prefetch=operator"), memory := new_memory())
    first = spans(serial)["a"].end_ps // 1000
    assert reads(memory) == [WAY, WAY, first + WAY, first + WAY]
    assert ahead.iteration_ps < serial.iteration_ps


def test_fetching_ahead_goes_past_operators_and_collectives(new_memory: Make, system: Make, npu_work: Make) -> None:
    memory = new_memory()
    works = (npu_work("a", steps=1), LinkWork("sum", "all_reduce", 4096, 4), npu_work("b", steps=1, early=True))
    result = run_plan(one_stage(*works), system(), memory)
    assert reads(memory) == [WAY] * 2
    timing = spans(result)
    assert timing["sum"].end_ps - timing["sum"].start_ps == link_ps(works[1], system().link)
    assert timing["b"].start_ps == timing["sum"].end_ps


def test_fetch_engine_keeps_two_periods_of_bandwidth_outstanding(
    new_memory: Make, system: Make, npu_work: Make
) -> None:
    memory = new_memory()
    bursts = POLL_CYCLES // BURST // 4
    run_plan(
        one_stage(npu_work("a", steps=1, bursts=1), npu_work("b", steps=40, bursts=bursts, early=True)),
        system(),
        memory,
    )
    cycles = reads(memory)[1:]
    assert cycles[:8] == [WAY] * 8
    assert cycles[8] == WAY + POLL_CYCLES
    polls = {(cycle - WAY) % POLL_CYCLES for cycle in cycles[:16]}
    assert polls == {0}


def test_one_block_larger_than_the_window_of_the_fetch_engine_still_goes(
    new_memory: Make, system: Make, npu_work: Make
) -> None:
    memory = new_memory()
    work = npu_work("b", steps=2, bursts=2 * POLL_CYCLES, early=True)
    run_plan(one_stage(npu_work("a", steps=60, bursts=1), work), system(), memory)
    assert reads(memory)[60] == WAY
    assert reads(memory)[61] > WAY


def scratchpad(blocks: int, bursts: int) -> str:
    return f"processor.scratchpad.bytes={blocks * bursts * CHANNEL_BYTES}"


def test_at_most_half_of_the_scratchpad_is_filled_ahead(new_memory: Make, system: Make, npu_work: Make) -> None:
    memory = new_memory()
    works = (npu_work("a", steps=2), npu_work("b", steps=8, early=True))
    result = run_plan(one_stage(*works), system(scratchpad(8, 2)), memory)
    first = spans(result)["a"].end_ps // 1000
    assert reads(memory)[2:6] == [WAY] * 4
    assert reads(memory)[6:] == [first + WAY] * 4


def test_loads_wait_for_room_that_steps_give_back(new_memory: Make, system: Make, npu_work: Make) -> None:
    memory = new_memory()
    run_plan(one_stage(npu_work(steps=5, bursts=2)), system(scratchpad(2, 2)), memory)
    first = WAY + BURST + READ + WAY + 128 + array_latency(64)
    assert reads(memory)[:3] == [WAY, WAY, first + WAY]


def test_loads_wait_ahead_of_time_for_room_too(new_memory: Make, system: Make, npu_work: Make) -> None:
    memory = new_memory()
    works = (npu_work("a", steps=6), npu_work("b", steps=3, early=True))
    run_plan(one_stage(*works), system(scratchpad(6, 2)), memory)
    first = WAY + BURST + READ + WAY + 128 + array_latency(64)
    assert reads(memory)[:7] == [WAY] * 6 + [first + WAY]


def test_a_load_that_can_never_fit_is_refused(new_memory: Make, system: Make, npu_work: Make) -> None:
    message = r"^a load of 512 bytes can never fit a scratchpad of 256$"
    with pytest.raises(RuntimeError, match=message):
        run_plan(one_stage(npu_work(bursts=2)), system("processor.scratchpad.bytes=256"), new_memory())


def test_steps_must_not_free_more_than_was_loaded(new_memory: Make, system: Make, npu_work: Make) -> None:
    with pytest.raises(RuntimeError, match=r"^op: its steps free 88 bytes more than it loads$"):
        run_plan(one_stage(npu_work(steps=1, bursts=1, frees=CHANNEL_BYTES + 88)), system(), new_memory())


def test_a_step_must_not_want_loads_that_do_not_exist(new_memory: Make, system: Make, npu_work: Make) -> None:
    with pytest.raises(RuntimeError, match=r"^op: a step wants 9 loads but there are 4$"):
        run_plan(one_stage(npu_work(steps=4, loads=9)), system(), new_memory())


def test_stores_leave_when_their_step_has_ended(new_memory: Make, system: Make, npu_work: Make) -> None:
    memory = new_memory()
    work = npu_work(steps=3, bursts=1)
    run_plan(
        one_stage(replace(work, stores=Stores(work.stores.runs, work.stores.bytes, np.array([0, 2, 2])))),
        system(),
        memory,
    )
    writes = sorted({cycle for cycle, *_, what in memory.log if what == "write"})
    first = WAY + READ + WAY + 128 + array_latency(64)
    assert writes == [first + WAY, first + 2 * 128 + WAY]


def test_clocks_may_differ(new_memory: Make, system: Make, npu_work: Make) -> None:
    spec = system("processor.clock_ghz=0.8")
    result = run_plan(one_stage(npu_work(steps=1, bursts=1, store=0)), spec, new_memory())
    period = 1250
    sent = -(-WAY * period // 1000)
    arrival = (sent + READ) * 1000 + WAY * period
    start = -(-arrival // period)
    assert result.iteration_ps == (start + 128 + array_latency(64)) * period
