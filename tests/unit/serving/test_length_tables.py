"""The shipped tables against the conversations from which they were derived."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neupims.serving.datasets import DATA, DATASETS, STEP_TOKENS, Integers, LengthTable, length_table

ROOT = Path(__file__).parents[3]
CONVERSATIONS = ROOT.parent / "shared" / "data" / "request_lengths"
SCRIPT = ROOT / "benchmarks" / "derive_length_tables.py"

present = pytest.mark.skipif(
    not CONVERSATIONS.is_dir() or not SCRIPT.is_file(), reason=f"the conversations are not at {CONVERSATIONS}"
)
each = pytest.mark.parametrize("dataset", DATASETS)


@cache
def script() -> ModuleType:
    """The script that derives the tables."""
    spec = importlib.util.spec_from_file_location("derive_length_tables", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def conversations(dataset: str) -> Integers:
    """All conversations, [n, 2]."""
    return script().read(CONVERSATIONS / f"{dataset}.tsv")


def exact(dataset: str) -> LengthTable:
    """One entry for each answered conversation."""
    answered = conversations(dataset)
    answered = answered[answered[:, 1] > 0]
    return LengthTable(answered[:, 0], answered[:, 1], np.ones(len(answered), np.int64))


def figures(values: Integers, counts: Integers) -> Any:
    """Mean and the quantiles 10, 50, 90, 99 %."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    quantiles = [values[order][np.searchsorted(ends, share * ends[-1])] for share in (0.1, 0.5, 0.9, 0.99)]
    return np.array([(values * counts).sum() / ends[-1], *quantiles])


def steady(table: LengthTable, cap: int) -> Any:
    """Figures of the lengths in flight, all steps of all entries taken together."""
    entry = np.repeat(np.arange(len(table.steps)), table.steps)
    step = np.arange(len(entry)) - np.repeat(np.cumsum(table.steps) - table.steps, table.steps)
    return figures(np.clip(table.input[entry] + STEP_TOKENS * step, 1, cap), table.count[entry])


@each
def test_a_table_is_small(dataset: str) -> None:
    assert (DATA / f"{dataset}.npz").stat().st_size < 60_000


@present
@each
def test_figures_stay_within_one_percent(dataset: str) -> None:
    table, truth = length_table(dataset), exact(dataset)
    assert figures(table.input, table.count) == pytest.approx(figures(truth.input, truth.count), rel=0.01)
    assert figures(table.output, table.count) == pytest.approx(figures(truth.output, truth.count), rel=0.01)


@present
@each
@pytest.mark.parametrize("cap", [2048, 8192])
def test_lengths_in_flight_stay_within_half_a_percent(dataset: str, cap: int) -> None:
    assert steady(length_table(dataset), cap) == pytest.approx(steady(exact(dataset), cap), rel=0.005)


@present
@pytest.mark.parametrize(("dataset", "pairs", "unanswered"), [("sharegpt", 391_726, 907), ("alpaca", 52_002, 28)])
def test_conversations_without_an_answer_are_dropped(dataset: str, pairs: int, unanswered: int) -> None:
    assert len(conversations(dataset)) == pairs
    assert length_table(dataset).count.sum() == pairs - unanswered


@present
@each
def test_the_script_derives_what_is_shipped(dataset: str) -> None:
    derived, shipped = script().derive(conversations(dataset)), length_table(dataset)
    for name, column in derived.items():
        assert np.array_equal(column, getattr(shipped, name))


def test_ranges_of_answers_do_not_cross_a_step() -> None:
    if not SCRIPT.is_file():
        pytest.skip(f"there is no {SCRIPT}")
    ends = script().ends(script().answer_range, 70_000)
    starts = ends[:-1] + 1
    crossing = (starts - 1) // STEP_TOKENS < (ends[1:] - 1) // STEP_TOKENS
    assert all(
        start % STEP_TOKENS == 1 and end % STEP_TOKENS == 0
        for start, end in zip(starts[crossing], ends[1:][crossing], strict=True)
    )
