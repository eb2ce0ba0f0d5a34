"""Runs of bursts as arrays."""

import numpy as np
import pytest

from neupims.isa.memory import bursts_between


@pytest.mark.parametrize(
    ("bursts", "edges", "sums"),
    [
        ((3, 1, 4), (0, 1, 3), (3, 5)),
        ((3, 1, 4), (0, 0, 2, 2, 3, 3), (0, 4, 0, 4, 0)),
        ((), (0, 0, 0), (0, 0)),
        ((), (0,), ()),
    ],
)
def test_bursts_between_edges(bursts: tuple[int, ...], edges: tuple[int, ...], sums: tuple[int, ...]) -> None:
    assert bursts_between(np.array(bursts, np.int32), np.array(edges, np.int64)).tolist() == list(sums)
