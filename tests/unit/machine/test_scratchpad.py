"""The scratchpad: a budget of which half may be filled ahead."""

from neupims.hardware.npu import Scratchpad
from neupims.machine.scratchpad import ScratchpadBudget

SPEC = Scratchpad(bytes=1000, accumulator_bytes=1000)


def test_half_may_be_filled_ahead() -> None:
    pad = ScratchpadBudget(SPEC)
    assert pad.try_take_ahead(400, now=0)
    assert pad.room_ahead(now=0) == 100
    assert not pad.try_take_ahead(101, now=0)
    assert pad.free(now=0) == 600


def test_what_was_filled_ahead_counts_as_ahead_until_its_operator_begins() -> None:
    pad = ScratchpadBudget(SPEC)
    pad.try_take_ahead(500, now=0)
    pad.begin(500)
    assert pad.room_ahead(now=0) == 500
    assert pad.free(now=0) == 500


def test_room_ahead_is_also_limited_by_what_is_free() -> None:
    pad = ScratchpadBudget(SPEC)
    pad.try_take(900, now=0)
    assert pad.room_ahead(now=0) == 100
    pad.release(900, at=5)
    assert pad.room_ahead(now=5) == 500
