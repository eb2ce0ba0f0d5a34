"""Two programs on one link to a channel, and responses that leave so many in a cycle."""

import numpy as np
import pytest

from neupims.isa.memory import RUN
from neupims.machine.dram.link import Link

ENGINES = pytest.mark.parametrize("engine", ["fast", "reference"])


def delivered(link, turns):
    """What has come from each program after each turn."""
    found = []
    for _ in range(turns):
        link.step()
        found.append(tuple(link.came))
    return found


def test_a_program_alone_has_the_whole_link():
    assert delivered(Link([3, 0]), 4) == [(1, 0), (2, 0), (3, 0), (3, 0)]


def test_two_programs_have_half_of_it_each_and_the_npu_goes_first():
    assert delivered(Link([2, 2]), 4) == [(1, 0), (1, 1), (2, 1), (2, 2)]


def test_what_was_sent_together_keeps_its_turns():
    """The PIM program has sent both its requests in two turns; the NPU's fourth is delivered behind them."""
    assert delivered(Link([4, 2]), 6) == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (4, 2)]


def writes(count):
    runs = np.zeros(count, RUN)
    runs["column"], runs["bursts"], runs["write"] = np.arange(count) % 16, 1, 1
    runs["block"] = np.arange(count)
    return runs


def answers(made, engine, runs, port=0):
    memory = made.build(engine)
    memory.blocks(np.ones(len(runs), np.int64))
    memory.submit(runs, port)
    ids, cycles = memory.advance(200)
    return dict(zip(ids.tolist(), cycles.tolist(), strict=True)), memory


@ENGINES
@pytest.mark.parametrize(
    ("rate", "cycles"), [(None, [1, 1, 1, 1, 2, 2]), (2, [1, 1, 2, 2, 3, 3]), (1, [1, 2, 3, 4, 5, 6])]
)
def test_writes_are_answered_as_fast_as_responses_leave(dram, engine, rate, cycles):
    made = dram.world("npu-only").controller(accepts_per_cycle=4, responses_per_cycle=rate)
    done, _ = answers(made, engine, writes(6))
    assert [done[block] for block in range(6)] == cycles


@ENGINES
def test_a_memory_is_not_idle_while_answers_wait(dram, engine):
    made = dram.world("npu-only").controller(accepts_per_cycle=4, responses_per_cycle=1, drain_above=0)
    memory = made.build(engine)
    memory.blocks(np.ones(6, np.int64))
    memory.submit(writes(6), 0)
    memory.advance(3)
    assert not memory.idle()
    memory.advance(200)
    assert memory.idle()


@ENGINES
def test_pim_instructions_halve_the_rate_of_the_npu_on_a_shared_link(dram, engine):
    """16 writes are accepted two in a cycle alone, and one in a cycle while as many instructions come beside them."""
    made = dram.world("neupims-authors").controller(write_buffer=64)
    shared = made.switches(front_end={**made.pim.front_end.model_dump(), "path": "shared"})
    alone, _ = answers(shared, engine, writes(16))
    memory = shared.build(engine)
    memory.blocks(np.ones(16, np.int64))
    memory.submit(writes(16), 0)
    memory.submit_pim(dram.program(*[dram.gwrite()] * 16))
    ids, cycles = memory.advance(200)
    beside = dict(zip(ids.tolist(), cycles.tolist(), strict=True))
    assert [alone[block] for block in range(16)] == [1 + block // 2 for block in range(16)]
    assert [beside[block] for block in range(16)] == [1 + block for block in range(16)]
