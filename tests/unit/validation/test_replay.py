"""Iterations worked out from the lengths and arrivals of requests, in engines small enough to follow by hand."""

from collections.abc import Sequence

import pytest

from neupims.errors import RequestError
from neupims.validation.paging import Pool
from neupims.validation.replay import Iteration, Part, Replay, replay
from neupims.validation.served import Engine, Served

BLOCK = 4
PLENTY = Engine(blocks=1000, block_tokens=BLOCK, budget=10, requests=8)


def request(prompt: int, output: int, queued: float = 0.0) -> Served:
    return Served(prompt, output, queued, scheduled=queued, first=queued + 1, last=queued + output)


def run(served: Sequence[Served], engine: Engine = PLENTY) -> Replay:
    """All requests are there at once but for a last one, whose coming ends the first iteration."""
    late = Served(1, 2, 50.0, 50.0, 51.0, 52.0)
    return replay([*served, late], engine, seconds=lambda _: 100.0, follow=False)


def tokens(parts: Iteration) -> dict[int, int]:
    return {part.request: part.new for part in parts}


def test_prompts_fill_the_budget_that_decoding_leaves() -> None:
    found = run([request(6, 3), request(13, 2)])
    assert [tokens(parts) for parts in found.iterations[:4]] == [{0: 6, 1: 4}, {0: 1, 1: 9}, {0: 1, 1: 1, 2: 1}, {2: 1}]
    assert found.iterations[1] == (Part(0, 1, 7), Part(1, 9, 13))
    assert (found.first[:2], found.last[:2]) == ((0, 1), (2, 2))


def test_a_prompt_needs_room_for_all_of_it() -> None:
    small = Engine(blocks=5, block_tokens=BLOCK, budget=10, requests=8)
    found = run([request(8, 2), request(13, 2)], small)
    begun = [next(index for index, parts in enumerate(found.iterations) if r in tokens(parts)) for r in (0, 1)]
    assert begun[0] == 0
    assert begun[1] > found.last[0]


def test_blocks_of_what_ended_are_free_an_iteration_later() -> None:
    small = Engine(blocks=4, block_tokens=BLOCK, budget=20, requests=8)
    found = run([request(7, 2), request(15, 2)], small)
    begun = next(index for index, parts in enumerate(found.iterations) if 1 in tokens(parts))
    assert begun == found.last[0] + 2


def test_a_full_cache_displaces_who_came_last_and_what_is_left_is_not_computed_again() -> None:
    tight = Engine(blocks=6, block_tokens=BLOCK, budget=40, requests=8)
    found = run([request(7, 6), request(10, 6)], tight)
    displaced = next(index for index, parts in enumerate(found.iterations) if 1 not in tokens(parts))
    again = next(index for index in range(displaced, 99) if 1 in tokens(found.iterations[index]))
    part = next(part for part in found.iterations[again] if part.request == 1)
    assert tokens(found.iterations[displaced]).keys() == {0}
    assert part.length > 10
    assert part.new < part.length
    assert (part.length - part.new) % BLOCK == 0


def test_every_request_gets_all_its_tokens() -> None:
    served = [request(5 + 7 * index % 11, 3 + index % 4) for index in range(12)]
    found = run(served, Engine(blocks=12, block_tokens=BLOCK, budget=9, requests=8))
    for number, one in enumerate(served):
        steps = [part for parts in found.iterations for part in parts if part.request == number]
        assert max(part.length for part in steps) == one.prompt + one.output - 1
        assert 0 <= found.first[number] <= found.last[number] - (one.output - 1)
    assert max(sum(tokens(parts).values()) for parts in found.iterations) <= 9


def test_the_clock_follows_the_record() -> None:
    served = [Served(5, 3, 0.0, 0.0, 7.0, 9.0), Served(5, 2, 0.1, 0.5, 8.0, 9.0)]
    found = replay(served, PLENTY, seconds=lambda _: 0.25, follow=True)
    assert [found.ends[index] for index in found.first] == [7.0, 8.0]
    assert [found.ends[index] for index in found.last] == [9.0, 9.0]


def test_an_idle_engine_waits_for_the_next_request() -> None:
    found = replay([request(5, 2), request(5, 2, queued=30.0)], PLENTY, seconds=lambda _: 0.25, follow=False)
    assert found.ends[found.first[1]] >= 30.25


def test_a_request_that_the_cache_cannot_hold_is_refused() -> None:
    with pytest.raises(RequestError) as error:
        run([request(8, 2), request(16, 2)], Engine(blocks=4, block_tokens=BLOCK, budget=20, requests=8))
    assert str(error.value) == (
        "request 1: 16 tokens of prompt and 2 of output are more than the 16 that the KV cache of the engine holds"
    )


@pytest.mark.parametrize(("taken", "left"), [(0, 8), (1, 8), (2, 4), (3, 0)])
def test_what_is_left_of_a_request_is_what_nobody_took(taken: int, left: int) -> None:
    pool = Pool(4, BLOCK)
    pool.take(0, 11)
    pool.fill(0, 0, 11)
    pool.release(0)
    pool.take(1, (1 + taken) * BLOCK)
    assert pool.free == 3 - taken
    assert pool.resume(0, 11) == left
