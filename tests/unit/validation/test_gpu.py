"""The GPU roofline against served requests; the records themselves are not shipped."""

from pathlib import Path

import pytest

from neupims.validation.check import Case, References
from neupims.validation.gpu import CASES, REQUESTS, Window, agreed, companions, modelled, windows
from neupims.validation.replay import Part, Replay
from neupims.validation.served import Served

DATA = Path(__file__).parents[4] / "shared/data/vllm_rtx4090_llama31_8b"


def decoding(count: int, context: int = 1000) -> tuple[Part, ...]:
    return tuple(Part(index, 1, context) for index in range(count))


def test_no_iteration_is_faster_than_reading_the_weights_at_the_peak() -> None:
    seconds = modelled()
    weights = 2 * (8_030_261_248 - 128256 * 4096)
    assert seconds(decoding(1)) > weights / 1008e9
    assert seconds(decoding(1)) < 1.2 * weights / 1008e9


def test_prompts_beside_requests_that_decode_cost_less_than_alone() -> None:
    seconds, chunk = modelled(), (Part(99, 256, 256),)
    together = seconds((*decoding(30), *chunk))
    assert max(seconds(decoding(30)), seconds(chunk)) < together < seconds(decoding(30)) + seconds(chunk)


SERVED = (Served(9, 3, 0.0, 0.0, 1.0, 4.0), Served(9, 2, 0.0, 0.0, 1.0, 2.0), Served(9, 2, 0.0, 0.0, 2.0, 4.0))
STEPS = tuple((Part(0, 1, 9 + index),) for index in range(4))


def found(first: tuple[int, ...], last: tuple[int, ...]) -> Replay:
    return Replay(STEPS, (1.0, 2.0, 3.0, 4.0), first, last)


def test_windows_lie_between_recorded_events() -> None:
    known = found((0, 0, 1), (3, 1, 3))
    assert agreed(SERVED, known) == [(1.0, 0), (2.0, 1), (4.0, 3)]
    assert windows(SERVED, known) == [Window(1.0, STEPS[1:2]), Window(2.0, STEPS[2:])]


@pytest.mark.parametrize(
    ("first", "last", "events"),
    [
        ((0, 0, 1), (3, 2, 3), [(1.0, 0)]),
        ((0, 1, 2), (3, 2, 3), []),
        ((0, 0, 2), (1, 2, 1), [(1.0, 0), (2.0, 2)]),
        ((0, 0, 1), (1, 1, 1), [(1.0, 0), (2.0, 1)]),
    ],
)
def test_nothing_counts_from_the_first_contradiction_on(
    first: tuple[int, ...], last: tuple[int, ...], events: list[tuple[float, int]]
) -> None:
    assert agreed(SERVED, found(first, last)) == events


def test_companions_count_while_a_request_decodes() -> None:
    assert companions(SERVED, SERVED[0]) == pytest.approx((3 + 1 + 2) / 3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_model_is_as_close_as_it_says(case: Case) -> None:
    if not (DATA / REQUESTS).is_file():
        pytest.skip(f"{DATA} is not there: requests of a real GPU are not shipped")
    checks = list(case.measure(References(DATA)))
    assert len(checks) >= 6
    assert all(check.name.startswith(f"{case.name}.") for check in checks)
    assert [f"{check.name}: {check.error:.1%}" for check in checks if not check.ok] == []
