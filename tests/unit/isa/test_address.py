from itertools import permutations

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.isa.address import AddressMap

SIZES = {"row": 8, "rank": 2, "group": 2, "bank": 2, "column": 4, "channel": 4}
DEFAULT = ("row", "rank", "group", "bank", "column", "channel")
BURST = 64


def address_map(order: tuple[str, ...] = DEFAULT) -> AddressMap:
    return AddressMap(tuple((name, SIZES[name]) for name in order), BURST)


def places(runs: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(channel, bank, row, column) of every burst."""
    return [
        (int(run["channel"]), int(run["bank"]), int(run["row"]), int(run["column"]) + step)
        for run in runs
        for step in range(run["bursts"])
    ]


def place(order: tuple[str, ...], burst: int) -> tuple[int, int, int, int]:
    """The same for one burst, field by field."""
    field: dict[str, int] = {}
    for name in reversed(order):
        burst, field[name] = divmod(burst, SIZES[name])
    bank = (field["rank"] * SIZES["group"] + field["group"]) * SIZES["bank"] + field["bank"]
    return field["channel"], bank, field["row"], field["column"]


def test_consecutive_lines_go_round_the_channels_then_along_the_row() -> None:
    runs = address_map().runs(np.array([0]), np.array([BURST * 4 * 4]))
    assert runs["channel"].tolist() == [0, 1, 2, 3]
    assert set(runs["bursts"].tolist()) == {4}
    assert set(runs["bank"].tolist()) == set(runs["row"].tolist()) == {0}


def test_next_come_banks_then_groups_then_ranks_then_rows() -> None:
    stripe = BURST * 4 * 4
    runs = address_map().runs(np.arange(9) * stripe, np.full(9, BURST))
    assert runs["bank"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert runs["row"].tolist() == [0] * 8 + [1]
    assert runs["block"].tolist() == list(range(9))


def test_ranges_are_widened_to_whole_bursts() -> None:
    runs = address_map().runs(np.array([BURST - 1]), np.array([2]), write=True)
    assert (runs["channel"].tolist(), runs["bursts"].tolist(), runs["write"].tolist()) == ([0, 1], [1, 1], [1, 1])


def test_several_ranges_may_belong_to_one_block() -> None:
    runs = address_map().runs(np.array([0, 640, 64]), np.array([64, 64, 64]), blocks=np.array([3, 3, 5]))
    assert runs["block"].tolist() == [3, 3, 5]


@pytest.mark.parametrize("start", [-64, 64 * 4 * 4 * 8 * 8 - 64])
def test_addresses_outside_of_the_space_are_refused(start: int) -> None:
    size = address_map().bytes
    with pytest.raises(ValueError, match=f"^a range leaves the address space of {size} bytes$"):
        address_map().runs(np.array([start]), np.array([128]))


@settings(max_examples=60, deadline=None)
@examples(
    st.sampled_from(list(permutations(DEFAULT))),
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 4000)), max_size=4),
)
def test_runs_hold_every_burst_of_every_range_once(order: tuple[str, ...], ranges: list[tuple[int, int]]) -> None:
    starts, sizes = (np.array([r[i] for r in ranges], np.int64) for i in range(2))
    runs = address_map(order).runs(starts, sizes)
    for index, (start, size) in enumerate(ranges):
        bursts = range(start // BURST, -(-(start + size) // BURST))
        found = places(runs[runs["block"] == index])
        assert sorted(found) == sorted(place(order, burst) for burst in bursts)
    assert np.all(runs["column"] + runs["bursts"] <= SIZES["column"])
    assert np.all(np.diff(runs["block"]) >= 0)


@settings(max_examples=40, deadline=None)
@examples(st.integers(0, 30_000), st.integers(1, 20_000))
def test_inside_a_channel_runs_follow_the_addresses(start: int, size: int) -> None:
    runs = address_map().runs(np.array([start]), np.array([size]))
    for channel in range(SIZES["channel"]):
        mine = runs[runs["channel"] == channel]
        position = (mine["row"].astype(int) * 8 + mine["bank"]) * SIZES["column"] + mine["column"]
        assert np.all(np.diff(position) > 0)
