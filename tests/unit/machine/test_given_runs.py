"""What channels are given: whether those of a class get the same, and whether their queues have room for it."""

from typing import Any

import numpy as np
import pytest

from neupims.isa.memory import RUN
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.fast.classes import Classes
from neupims.machine.dram.fast.ports import append_runs

PLACES = 6


def runs(*given: tuple[int, int]) -> Any:
    """Runs of one burst in (channel, row)."""
    made = np.zeros(len(given), RUN)
    made["channel"], made["row"], made["bursts"] = [c for c, _ in given], [r for _, r in given], 1
    return made


def test_channels_that_are_given_the_same_in_the_same_order_stay_together():
    classes = Classes(3, alone=False)
    assert classes.part(runs((2, 7), (0, 7), (0, 8), (1, 7), (2, 8), (1, 8))) == []
    assert classes.of.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("given", "of"),
    [
        ([(0, 7), (1, 7), (2, 8)], [0, 0, 2]),  # another row
        ([(0, 7), (0, 8), (1, 8), (1, 7), (2, 7), (2, 8)], [0, 1, 0]),  # another order
        ([(0, 7), (1, 7), (1, 7), (2, 7)], [0, 1, 0]),  # one more
        ([(0, 7), (1, 7)], [0, 0, 2]),  # nothing
        ([(1, 7), (2, 7)], [0, 1, 1]),  # the first one nothing
    ],
)
def test_others_part(given: list[tuple[int, int]], of: list[int]):
    classes = Classes(3, alone=False)
    parted = classes.part(runs(*given))
    assert classes.of.tolist() == of
    assert parted == [(0, new) for new in sorted(set(of) - {0})]


@pytest.mark.parametrize(("taken", "fit"), [(0, 0), (1, 0), (2, 2)])
def test_a_queue_moves_up_unless_more_than_two_thirds_are_in_use(taken: int, fit: int):
    channels, queues = np.zeros((1, at.SCALARS), np.int64), np.zeros((1, PLACES, at.RUN_FIELDS), np.int32)
    full, more = runs(*((0, row) for row in range(PLACES))), runs(*((0, row) for row in range(PLACES, PLACES + 3)))
    assert append_runs(channels, np.zeros(1, np.int64), queues, 0, full, 0, 0) == PLACES
    channels[0, at.S_RUN_HEAD0] = taken
    assert append_runs(channels, np.zeros(1, np.int64), queues, 0, more, 0, 0) == fit
    head, end = channels[0, [at.S_RUN_HEAD0, at.S_RUN_N0]]
    assert queues[0, head:end, at.R_ROW].tolist() == list(range(taken, PLACES + fit))
