"""Batches drawn from the lengths of real conversations, as a serving system would hold them at one moment.

The system keeps a number of requests in flight. Each is a pair of prompt and answer, drawn at random from the
conversations of a data set; every step brings all of them 10 tokens forward; one that has its whole answer makes room
for a new draw. Seen after many steps, a pair is found in proportion to the steps that it stays, and each of its steps
is as likely as the next. That distribution is drawn from directly.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neupims.errors import RequestError
from neupims.request import Batch, Request

STEP_TOKENS = 10
"""Tokens by which a step brings a request forward; the trace generator published with NeuPIMs."""

MAX_LENGTH = 2048
"""Positions of GPT-3."""

DATASETS = ("sharegpt", "alpaca")
DATA = Path(__file__).parent / "data"

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LengthTable:
    """How many conversations have a prompt of `input` tokens and an answer of `output` tokens; entry by entry."""

    input: Integers
    output: Integers
    count: Integers

    @property
    def steps(self) -> Integers:
        """Steps for which such a request stays in flight."""
        return -(-self.output // STEP_TOKENS)


def length_table(dataset: str) -> LengthTable:
    """The table of a data set: `sharegpt` or `alpaca`. RequestError for another name.

    Prompts and answers are grouped in small ranges, each entry standing for the mean of its group;
    `benchmarks/derive_length_tables.py` says how.
    """
    if dataset not in DATASETS:
        raise RequestError(f"unknown data set '{dataset}'; allowed: {', '.join(DATASETS)}")
    with np.load(DATA / f"{dataset}.npz") as columns:
        return LengthTable(*(columns[name].astype(np.int64) for name in ("input", "output", "count")))


def steady_batch(dataset: str, batch: int, seed: int, max_length: int = MAX_LENGTH) -> Batch:
    """A batch of `batch` requests in the steady state of a data set, no channels assigned.

    The same seed gives the same batch on any machine, and a smaller batch of that seed is the beginning of a larger
    one. Contexts end at `max_length` tokens. RequestError for an unknown data set or a number that is too small.
    """
    for name, value, least in (("batch", batch, 1), ("seed", seed, 0), ("max_length", max_length, 1)):
        if value < least:
            raise RequestError(f"{name}: {value} is less than {least}")
    generator = np.random.Generator(np.random.PCG64(seed))
    lengths = draw_lengths(length_table(dataset), batch, generator, max_length)
    return tuple(Request(index, int(length)) for index, length in enumerate(lengths))


def draw_lengths(table: LengthTable, size: int, generator: np.random.Generator, max_length: int) -> Integers:
    """Context lengths of requests in flight: [size].

    One integer chooses both a conversation, by the steps it stays, and the step at which it is seen. Before its first
    step a request has its prompt alone; an empty prompt counts as one token.
    """
    steps = table.steps
    ends = np.cumsum(table.count * steps)
    drawn = generator.integers(0, ends[-1], size)
    entry = np.searchsorted(ends, drawn, side="right")
    done = (ends[entry] - 1 - drawn) % steps[entry]
    return np.clip(table.input[entry] + STEP_TOKENS * done, 1, max_length)
