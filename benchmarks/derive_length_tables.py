"""Derive the length tables of `neupims/serving/data` from lists of conversations.

    python benchmarks/derive_length_tables.py FOLDER

FOLDER holds `sharegpt.tsv` and `alpaca.tsv`: a header, then the input and output tokens of one conversation a line
(ShareGPT and Alpaca, as published with the NeuPIMs artifact, in tokens of the `openai-gpt` tokenizer).
Conversations without an answer are dropped. The others are grouped: prompts by ranges of about 4 %, answers by ranges
of 1 token up to 50, of 5 up to 500, and of about 4 % above, from one multiple of 10 to another, because an answer moves
in steps of 10 tokens. A table has one entry for each pair of ranges that occurs: mean prompt, mean answer, number of
conversations. Means and quantiles stay within 1 % of those of the conversations.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

STEP = 10
PROMPT_GROWTH = 0.04
ANSWER_GROWTH = 0.04


def prompt_range(start: int) -> int:
    """Tokens in the range that begins at `start`."""
    return max(1, int(PROMPT_GROWTH * start))


def answer_range(start: int) -> int:
    """Tokens in the range that begins at `start`, which is one above a multiple of 10 when ranges are larger."""
    if start <= 50:
        return 1
    if start <= 500:
        return 5
    return STEP * max(1, int(ANSWER_GROWTH * start / STEP))


def ends(ranges: Callable[[int], int], last: int) -> Integers:
    """Last token of each range, from the range of 0 or 1 to the one that holds `last`."""
    found = [0]
    while found[-1] < last:
        found.append(found[-1] + ranges(found[-1] + 1))
    return np.array(found, np.int64)


def derive(conversations: Integers) -> dict[str, Integers]:
    """Columns of the table of conversations, [n, 2] prompt and answer tokens."""
    prompts, answers = conversations[conversations[:, 1] > 0].T
    rows = np.searchsorted(ends(prompt_range, prompts.max()), prompts)
    columns = np.searchsorted(ends(answer_range, answers.max()), answers)
    width = int(columns.max()) + 1
    _, group, count = np.unique(rows * width + columns, return_inverse=True, return_counts=True)

    def mean(values: Integers) -> Integers:
        return np.rint(np.bincount(group, values) / count).astype(np.int64)

    return {"input": mean(prompts), "output": mean(answers), "count": count.astype(np.int64)}


def read(path: Path) -> Integers:
    """Conversations of a file, [n, 2]."""
    return np.loadtxt(path, dtype=np.int64, skiprows=1)


def main(folder: Path, target: Path) -> None:
    """Write a table for each data set and say how large it is."""
    for name in ("sharegpt", "alpaca"):
        columns = derive(read(folder / f"{name}.tsv"))
        path = target / f"{name}.npz"
        small = {key: values.astype(np.int32) for key, values in columns.items()}
        np.savez_compressed(path, allow_pickle=False, **small)
        print(f"{path}: {len(columns['count']):,} entries, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "neupims" / "serving" / "data")
