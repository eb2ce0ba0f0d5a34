"""Batches in the steady state: the right distribution, and the same batch for the same seed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neupims.errors import RequestError
from neupims.serving.datasets import (
    DATASETS,
    STEP_TOKENS,
    Integers,
    LengthTable,
    draw_lengths,
    length_table,
    steady_batch,
)


def table(*entries: tuple[int, int, int]) -> LengthTable:
    """A table of (input, output, count)."""
    return LengthTable(*np.array(entries, np.int64).T)


SMALL = table((5, 7, 4), (1, 10, 2), (100, 31, 3), (0, 95, 1), (2040, 40, 1))
CAP = 2048


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def residences(entries: LengthTable, cap: int) -> tuple[Integers, Integers, Integers]:
    """States of one request in flight: entry, step in it, length; all steps of all entries."""
    entry = np.repeat(np.arange(len(entries.steps)), entries.steps)
    step = np.concatenate([np.arange(count) for count in entries.steps])
    return entry, step, np.clip(entries.input[entry] + STEP_TOKENS * step, 1, cap)


def advance(entries: LengthTable, weights: Any) -> Any:
    """One step of the process on probabilities of states: go on, or make room for a new draw."""
    entry, step, _ = residences(entries, CAP)
    last = step == entries.steps[entry] - 1
    first = np.flatnonzero(step == 0)
    after = np.zeros_like(weights)
    after[np.flatnonzero(~last) + 1] = weights[~last]
    after[first] += weights[last].sum() * entries.count / entries.count.sum()
    return after


def test_probability_by_residence_is_what_the_process_leaves_alone() -> None:
    entry, _, _ = residences(SMALL, CAP)
    stationary = SMALL.count[entry] / (SMALL.count * SMALL.steps).sum()
    assert stationary.sum() == pytest.approx(1)
    assert advance(SMALL, stationary) == pytest.approx(stationary, rel=1e-12)


def test_the_process_arrives_there_from_anywhere() -> None:
    entry, _, _ = residences(SMALL, CAP)
    weights = np.eye(len(entry))[3]
    for _ in range(200):
        weights = advance(SMALL, weights)
    assert weights == pytest.approx(SMALL.count[entry] / (SMALL.count * SMALL.steps).sum(), rel=1e-6)


def test_every_integer_stands_for_one_conversation_at_one_step() -> None:
    total = int((SMALL.count * SMALL.steps).sum())

    class Every:
        """A generator that draws each integer once."""

        def integers(self, low: int, high: int, size: int) -> Integers:
            assert (low, high, size) == (0, total, total)
            return np.arange(low, high)

    drawn = draw_lengths(SMALL, total, Every(), CAP)  # type: ignore[arg-type]
    entry, _, lengths = residences(SMALL, CAP)
    assert sorted(drawn) == sorted(np.repeat(lengths, SMALL.count[entry]))


def step_by_step(entries: LengthTable, slots: int, steps: int, seed: int) -> Integers:
    """Lengths of requests in flight after many steps of the process as it is told."""
    random, chances = generator(seed), entries.count / entries.count.sum()
    entry, generated = random.choice(len(chances), slots, p=chances), np.zeros(slots, np.int64)
    for _ in range(steps):
        generated += STEP_TOKENS
        finished = generated >= entries.output[entry]
        entry[finished] = random.choice(len(chances), int(finished.sum()), p=chances)
        generated[finished] = 0
    return np.clip(entries.input[entry] + generated, 1, CAP)


def test_draws_are_distributed_as_the_process_step_by_step() -> None:
    size = 20_000
    process = step_by_step(SMALL, size, steps=60, seed=1)
    drawn = draw_lengths(SMALL, size, generator(2), CAP)
    values = np.unique(residences(SMALL, CAP)[2])
    shares = [np.array([(lengths == value).mean() for value in values]) for lengths in (process, drawn)]
    spread = np.sqrt(2 * np.maximum(shares[1], 1 / size) / size)
    assert np.abs(shares[0] - shares[1]).max() > 0
    assert (np.abs(shares[0] - shares[1]) < 5 * spread).all()


entries = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 500), st.integers(1, 50)), min_size=1, max_size=8)


@given(entries, st.integers(0, 2**32), st.integers(1, 3000))
def test_lengths_are_those_that_a_request_passes_through(rows: list[tuple[int, int, int]], seed: int, cap: int) -> None:
    allowed = {min(max(prompt + done, 1), cap) for prompt, answer, _ in rows for done in range(0, answer, STEP_TOKENS)}
    assert set(draw_lengths(table(*rows), 100, generator(seed), cap).tolist()) <= allowed


def lengths(dataset: str, batch: int, seed: int) -> list[int]:
    return [request.length for request in steady_batch(dataset, batch, seed)]


def test_same_seed_same_batch() -> None:
    assert steady_batch("sharegpt", 256, 7) == steady_batch("sharegpt", 256, 7)
    assert lengths("sharegpt", 256, 7) != lengths("sharegpt", 256, 8)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [("sharegpt", [457, 467, 249, 41, 72, 112, 494, 291]), ("alpaca", [16, 33, 61, 9, 50, 7, 17, 6])],
)
def test_the_batch_of_a_seed_is_the_same_on_any_machine(dataset: str, expected: list[int]) -> None:
    assert lengths(dataset, 8, 0) == expected


def test_a_smaller_batch_is_the_beginning_of_a_larger_one() -> None:
    assert steady_batch("alpaca", 300, 3)[:100] == steady_batch("alpaca", 100, 3)


def test_requests_are_numbered_and_have_no_channel() -> None:
    batch = steady_batch("alpaca", 20, 0)
    assert [request.id for request in batch] == list(range(20))
    assert {request.channel for request in batch} == {None}


def test_contexts_end_at_the_longest_allowed() -> None:
    assert max(lengths("sharegpt", 2000, 0)) == 2048
    assert max(request.length for request in steady_batch("sharegpt", 2000, 0, max_length=100)) == 100
    assert [r.length for r in steady_batch("sharegpt", 50, 0, max_length=1)] == [1] * 50


def test_sharegpt_batches_are_like_the_published_traces() -> None:
    """Published traces of 512 requests: mean 286 to 326, median 199 to 235, 3 to 10 requests of 2048 tokens."""
    batches = np.array([lengths("sharegpt", 512, seed) for seed in range(40)])
    assert 286 < batches.mean(axis=1).mean() < 326
    assert 199 < np.median(batches, axis=1).mean() < 235
    assert 3 < (batches == 2048).sum(axis=1).mean() < 10


def test_longer_answers_are_seen_more_often() -> None:
    rare = table((1, 10, 9), (1000, 900, 1))
    drawn = draw_lengths(rare, 10_000, generator(0), CAP)
    assert (drawn >= 1000).mean() == pytest.approx(90 / 99, abs=0.02)
    assert draw_lengths(replace(rare, count=np.array([1, 0])), 50, generator(0), CAP).max() == 1


@pytest.mark.parametrize("dataset", DATASETS)
def test_tables_hold_answered_conversations_only(dataset: str) -> None:
    found = length_table(dataset)
    assert len(found.input) == len(found.output) == len(found.count)
    assert (found.input.min() >= 0, found.output.min() >= 1, found.count.min() >= 1) == (True, True, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("wikitext", 4, 0), "unknown data set 'wikitext'; allowed: sharegpt, alpaca"),
        (("alpaca", 0, 0), "batch: 0 is less than 1"),
        (("alpaca", 4, -1), "seed: -1 is less than 0"),
        (("alpaca", 4, 0, 0), "max_length: 0 is less than 1"),
    ],
)
def test_wrong_arguments_have_their_sentences(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(RequestError) as error:
        steady_batch(*arguments)
    assert str(error.value) == problem
