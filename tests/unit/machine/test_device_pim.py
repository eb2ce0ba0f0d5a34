"""The PIM program: order of logits, softmax, scores and attends, on a memory of fixed timing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neupims.errors import ConfigError
from neupims.isa.memory import TILE, transactions
from neupims.isa.work import Plan, Stage
from neupims.machine.device import run_plan
from neupims.machine.outcome import DeviceResult, OperatorSpan
from neupims.machine.vector import row_latency

Make = Callable[..., Any]

WAY, WRITE, GWRITE, GROUP, RESULT = 1, 1, 96, 18, 16
BARRIER, REQUEST = "policy.attention_order=barrier", "policy.attention_order=request"


def attention(*works: Any) -> Plan:
    return Plan((Stage("B", (), works),), (1,))


def spans(result: DeviceResult) -> dict[str, OperatorSpan]:
    return {operator.name.split(".")[-1]: operator for operator in result.operators}


def rows(memory: Any, channel: int = 0) -> list[int]:
    """Rows of the tiles of a channel, in the order in which they began."""
    return [row for _, c, row, what in memory.log if what == "tile" and c == channel]


def first(memory: Any, what: str, channel: int = 0) -> int:
    return min(cycle for cycle, c, _, kind in memory.log if kind == what and c == channel)


def softmax(system: Any, length: int) -> int:
    return row_latency("softmax", length, system.processor.vector, system.processor.element_bytes)


@pytest.mark.parametrize("order", [BARRIER, REQUEST])
def test_one_request(new_memory: Make, system: Make, pim_work: Make, order: str) -> None:
    spec = system(order)
    result = run_plan(attention(pim_work((0, 64))), spec, new_memory())
    logits = WAY + GWRITE + 2 * 2 * GROUP + RESULT + WAY
    scored = logits + softmax(spec, 64) + WAY + WRITE
    attended = scored + (2 * WAY if order == BARRIER else 0) + GWRITE + 2 * 2 * GROUP + RESULT + WAY
    assert result.iteration_ps == 1000 * (attended + WAY + WRITE + WAY)
    parts = spans(result)
    assert parts["logit"].end_ps == parts["attend"].start_ps == 1000 * (scored + WAY)
    assert (parts["logit"].macs, parts["attend"].macs) == (50, 50)
    assert (parts["logit"].bytes_read, parts["logit"].bytes_written) == (2 * 2 * 64, 64)


def test_barrier_runs_all_logits_before_any_attend(new_memory: Make, system: Make, pim_work: Make) -> None:
    memory = new_memory()
    result = run_plan(attention(pim_work((0, 32), (0, 32), (1, 640))), system(BARRIER), memory)
    assert rows(memory) == [0, 10, 1, 1, 11, 11]
    second = min(cycle for cycle, channel, row, what in memory.log if channel == 0 and row == 1 and what == "gwrite")
    assert second * 1000 == spans(result)["logit"].end_ps + WAY * 1000


def test_request_order_runs_attends_beside_later_logits(new_memory: Make, system: Make, pim_work: Make) -> None:
    memory = new_memory()
    run_plan(attention(pim_work((0, 32), (0, 32), (1, 32), (0, 32))), system(REQUEST), memory)
    assert rows(memory) == [0, 10, 1, 1, 30, 11, 11, 31, 31]
    assert rows(memory, 1) == [20, 21, 21]


def test_attend_waits_for_the_scores_of_its_request(new_memory: Make, system: Make, pim_work: Make) -> None:
    memory = new_memory()
    run_plan(attention(pim_work((0, 32))), system(REQUEST), memory)
    written = first(memory, "write")
    gwrites = [cycle for cycle, *_, what in memory.log if what == "gwrite"]
    assert gwrites[1] == written + WRITE


def test_request_order_is_not_slower(new_memory: Make, system: Make, pim_work: Make) -> None:
    work = pim_work(*((i % 4, 32 + 40 * i) for i in range(12)))
    by_request, barrier = (run_plan(attention(work), system(order), new_memory()) for order in (REQUEST, BARRIER))
    assert by_request.iteration_ps <= barrier.iteration_ps


def test_request_order_needs_scores(new_memory: Make, system: Make, pim_work: Make) -> None:
    message = r"^request 0 writes no scores: its attend part has nothing to wait for$"
    with pytest.raises(ValueError, match=message):
        run_plan(attention(pim_work((0, 32), scores=False)), system(REQUEST), new_memory())


def test_request_order_needs_scores_in_the_channel_of_the_request(
    new_memory: Make, system: Make, pim_work: Make
) -> None:
    work = pim_work((0, 32))
    scores = work.requests[0].scores.copy()
    scores["channel"] = 3
    elsewhere = replace(work, requests=(replace(work.requests[0], scores=scores),))
    message = (
        r"^policy\.attention_order: 'request' waits in channel 0 for the scores of request 0, which are written "
        r"elsewhere; use 'barrier', or policy\.addresses 'placed'$"
    )
    with pytest.raises(ConfigError, match=message):
        run_plan(attention(elsewhere), system(REQUEST), new_memory())


def test_nothing_to_write(new_memory: Make, system: Make, pim_work: Make) -> None:
    spec = system(BARRIER)
    result = run_plan(attention(pim_work((0, 32), scores=False, output=False)), spec, new_memory())
    logits = WAY + GWRITE + 2 * GROUP + RESULT + WAY + softmax(spec, 32)
    assert result.iteration_ps == 1000 * (logits + WAY + GWRITE + 2 * 2 * GROUP + RESULT + WAY)


def test_parts_of_a_head_are_added_on_the_vector_units(new_memory: Make, system: Make, pim_work: Make) -> None:
    """head_dim 64 in 32 banks is two tiles; six tiles leave three parts of each, four additions."""
    spec, (two, six) = system(BARRIER), ([pim_work((0, 32), attend_tiles=n, output=False)] for n in (2, 6))
    plain, parted = (run_plan(attention(*works), spec, new_memory()).iteration_ps for works in (two, six))
    assert parted - plain == 1000 * (4 * 2 * GROUP + 4)


def test_front_end_of_the_device_serves_channels_one_after_the_other(
    new_memory: Make, system: Make, pim_work: Make
) -> None:
    overrides = ("pim.front_end.scope=device", "pim.front_end.per_cycle=0.5", BARRIER)
    memory, work = new_memory(), pim_work((0, 320), (2, 32))
    run_plan(attention(work), system(*overrides), memory)
    before = int(transactions(work.requests[0].logit, composite=True).sum())
    assert first(memory, "gwrite", 2) - first(memory, "gwrite", 0) == 2 * before


def test_transactions(pim_work: Make) -> None:
    logit = pim_work((0, 64)).requests[0].logit
    assert transactions(logit, composite=True).tolist() == [1, 1 + 2, 1 + 2]
    assert transactions(logit, composite=False).tolist() == [1, 1 + 2 * 9, 1 + 2 * 9]


def test_softmax_and_norm_share_the_vector_units(
    new_memory: Make, system: Make, npu_work: Make, pim_work: Make
) -> None:
    spec = system("processor.vector.count=1")
    norm = npu_work("norm", "vector", "layer_norm", steps=30, bursts=1, stream=4096, rows=1, store=0)
    work = pim_work(*((channel, 32) for channel in range(4)))
    plans = [Plan((Stage("B", npu, pim),), (1,)) for npu, pim in (((norm,), ()), ((), (work,)), ((norm,), (work,)))]
    alone, attending, together = (run_plan(plan, spec, new_memory()) for plan in plans)
    slower = spans(together)["norm"].end_ps - spans(alone)["norm"].end_ps
    assert slower == 1000 * 2 * 4 * softmax(spec, 32)
    row = row_latency("layer_norm", 4096, spec.processor.vector, spec.processor.element_bytes)
    later = spans(together)["softmax"].end_ps - spans(attending)["softmax"].end_ps
    assert 0 < later <= 1000 * row


def test_works_of_a_stage_follow_each_other(new_memory: Make, system: Make, pim_work: Make) -> None:
    work = pim_work((0, 32))
    single, double = (run_plan(attention(*works), system(), new_memory()) for works in ((work,), (work, work)))
    assert double.iteration_ps == 2 * single.iteration_ps


def test_empty_batch_takes_no_time(new_memory: Make, system: Make, pim_work: Make) -> None:
    assert run_plan(attention(pim_work()), system(), new_memory()).iteration_ps == 0


def test_result_without_parts_is_refused(new_memory: Make, system: Make, pim_work: Make) -> None:
    work = pim_work((0, 32))
    logit = work.requests[0].logit.copy()
    logit["groups"][logit["kind"] == TILE] = 1
    broken = replace(work, requests=(replace(work.requests[0], logit=logit),))
    with pytest.raises(RuntimeError, match=r"^a block without parts would never complete$"):
        run_plan(attention(broken), system(), new_memory())


def test_pim_work_needs_pim(new_memory: Make, system: Make, pim_work: Make) -> None:
    with pytest.raises(ValueError, match=r"^attention: npu-only has no PIM$"):
        run_plan(attention(pim_work((0, 32))), system(name="npu-only"), new_memory())


def test_macs_are_counted_at_the_memory(new_memory: Make, system: Make, pim_work: Make) -> None:
    result = run_plan(attention(pim_work((1, 64))), system(), new_memory())
    counts = result.stages[0].counts
    assert counts is not None
    assert np.array_equal(counts.macs, [0, (2 + 2) * 2 * 8, 0, 0])


def by_head(pim_work: Make, *requests: tuple[int, int]) -> Any:
    """Scores and attends of both heads apart: a GWRITE and a tile for each."""
    work = pim_work(*requests)
    made = [replace(request, scores=np.repeat(request.scores, 2), attend=apart(request)) for request in work.requests]
    for request in made:
        request.scores["block"] = [0, 1]
    return replace(work, requests=tuple(made))


def apart(request: Any) -> Any:
    attend = np.concatenate([request.attend[:2], request.attend[:2]])
    attend["groups"][1::2] = 1
    attend["block"][[1, 3]] = attend["gate"][[0, 2]] = [0, 1]
    return attend


def test_a_head_attends_when_its_own_softmax_is_done(new_memory: Make, system: Make, pim_work: Make) -> None:
    spec, memory, work = system("policy.attention_order=head"), new_memory(), by_head(pim_work, (0, 64))
    result = run_plan(attention(work), spec, memory)
    logits = WAY + GWRITE + 3 * GROUP + RESULT + WAY
    scored = logits + softmax(spec, 64) + WAY + WRITE
    gwrites = [cycle for cycle, *_, what in memory.log if what == "gwrite"]
    assert gwrites[1:] == [scored, scored + GWRITE + GROUP]
    assert result.iteration_ps == 1000 * (scored + 2 * (GWRITE + GROUP) + RESULT + WAY + WAY + WRITE + WAY)


def test_request_order_waits_for_all_heads(new_memory: Make, system: Make, pim_work: Make) -> None:
    times = []
    for order in ("request", "head"):
        work = by_head(pim_work, (0, 64))
        if order == "request":
            for request in work.requests:
                request.scores["block"], request.attend["gate"][2] = 0, -1
        times.append(run_plan(attention(work), system(f"policy.attention_order={order}"), new_memory()).iteration_ps)
    behind_the_other_write = 2
    assert times[0] - times[1] == 1000 * (GROUP + behind_the_other_write)


def test_heads_of_several_requests_in_a_channel(new_memory: Make, system: Make, pim_work: Make) -> None:
    work = by_head(pim_work, (0, 64), (0, 32), (1, 96))
    result = run_plan(attention(work), system("policy.attention_order=head"), new_memory())
    assert spans(result)["attend"].bytes_read == 3 * 2 * 64
