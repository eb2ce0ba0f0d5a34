from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from neupims.errors import CapacityError, RequestError
from neupims.request import Batch, Request
from neupims.scheduling.channels import pack_channels


def estimate(length: int) -> int:
    return 10 + length


@dataclass(frozen=True)
class Room:
    limit: int
    need: Callable[[int], int]


def requests(*lengths: int, channel: int | None = None) -> Batch:
    return tuple(Request(index, length, channel) for index, length in enumerate(lengths))


def channels(batch: Batch) -> dict[int, int | None]:
    return {request.id: request.channel for request in batch}


def test_min_load_places_long_requests_first_on_the_least_loaded_channel() -> None:
    batch = pack_channels("min_load", requests(10, 100, 50, 60), 2, estimate)
    # 100 -> 0, 60 -> 1, 50 -> 1 (70 < 110), 10 -> 0 (110 < 130)
    assert channels(batch) == {1: 0, 3: 1, 2: 1, 0: 0}


def test_min_load_takes_the_lowest_channel_on_ties() -> None:
    assert channels(pack_channels("min_load", requests(5, 5, 5), 4, estimate)) == {0: 0, 1: 1, 2: 2}


def test_min_load_counts_the_load_of_requests_that_have_a_channel() -> None:
    present = (Request(7, 500, 0), Request(8, 5, 1))
    batch = pack_channels("min_load", (*present, Request(9, 50), Request(10, 40)), 2, estimate)
    assert channels(batch) == {7: 0, 8: 1, 9: 1, 10: 1}


def test_round_robin_takes_channels_in_turn() -> None:
    assert channels(pack_channels("round_robin", requests(9, 1, 1, 9, 1), 3, estimate)) == {
        0: 0,
        1: 1,
        2: 2,
        3: 0,
        4: 1,
    }


def test_round_robin_passes_over_channels_without_room() -> None:
    room = Room(limit=10, need=lambda length: length)
    batch = pack_channels("round_robin", requests(9, 3, 2, 4, 1), 2, estimate, room)
    # 9 -> 0; 3 -> 1; 2 does not fit into 0 (9 of 10) -> 1; turn 0: 4 -> 1; turn 0: 1 -> 0
    assert channels(batch) == {0: 0, 1: 1, 2: 1, 3: 1, 4: 0}


def test_min_load_prefers_room_over_load() -> None:
    room = Room(limit=100, need=lambda length: length)
    batch = pack_channels(
        "min_load", (Request(0, 95, 0), Request(1, 90, 1), Request(2, 8)), 2, lambda n: 1 if n > 92 else n, room
    )
    assert channels(batch)[2] == 1


@pytest.mark.parametrize("policy", ["min_load", "round_robin"])
def test_no_room_anywhere_is_refused_with_the_numbers(policy: str) -> None:
    room = Room(limit=1000, need=lambda length: 10 * length)
    message = (
        "memory: the KV cache of request 2, with 50 tokens, takes 500 rows of banks, and the emptiest channel has 200 "
        "left: lower --batch, or raise --tp or --pp"
    )
    with pytest.raises(CapacityError) as error:
        pack_channels(policy, requests(80, 80, 50), 2, estimate, room)
    assert str(error.value) == message


@pytest.mark.parametrize("policy", ["min_load", "round_robin"])
def test_a_request_beyond_a_whole_channel_is_refused(policy: str) -> None:
    with pytest.raises(CapacityError) as error:
        pack_channels(policy, requests(2000), 2, estimate, Room(limit=1000, need=lambda length: length))
    assert str(error.value) == (
        "memory: the KV cache of request 0, with 2,000 tokens, takes 2,000 rows of banks, and a channel has 1,000 "
        "beside the weights: raise --tp or --pp"
    )


def test_given_keeps_the_channels_of_the_file_and_orders_by_channel() -> None:
    batch = (Request(0, 5, 2), Request(1, 6, 0), Request(2, 7, 2), Request(3, 8, 0))
    assert [request.id for request in pack_channels("given", batch, 3, estimate)] == [1, 3, 0, 2]


def test_given_refuses_requests_without_a_channel() -> None:
    with pytest.raises(RequestError) as error:
        pack_channels("given", (Request(0, 5, 1), Request(1, 6)), 3, estimate)
    assert str(error.value) == (
        "request 1 has no channel, and policy.channel_packing is 'given'; add a ch_idx column to the request file, "
        "or choose min_load or round_robin"
    )


@pytest.mark.parametrize("channel", [-1, 32])
@pytest.mark.parametrize("policy", ["given", "min_load", "round_robin"])
def test_a_channel_that_does_not_exist_is_refused(policy: str, channel: int) -> None:
    with pytest.raises(RequestError) as error:
        pack_channels(policy, requests(4, channel=channel), 32, estimate)
    assert str(error.value) == (f"request 0: channel {channel} does not exist; this memory has channels 0 to 31")


lengths = st.lists(st.integers(1, 2048), min_size=1, max_size=60)


@examples(lengths, st.integers(1, 8), st.sampled_from(["min_load", "round_robin"]))
def test_every_request_gets_one_channel_and_keeps_its_order_inside(sizes: list[int], count: int, policy: str) -> None:
    batch = pack_channels(policy, requests(*sizes), count, estimate)
    assert sorted(request.id for request in batch) == list(range(len(sizes)))
    assert [(request.channel, request.id) for request in batch] == sorted(
        (request.channel, request.id) for request in batch
    )
    assert all(request.channel in range(count) and request.length == sizes[request.id] for request in batch)


@examples(lengths, st.integers(1, 8))
def test_min_load_is_within_one_request_of_the_mean(sizes: list[int], count: int) -> None:
    load = [0] * count
    for request in pack_channels("min_load", requests(*sizes), count, estimate):
        load[request.channel or 0] += estimate(request.length)
    # Graham's bound for list scheduling in decreasing order
    assert max(load) <= sum(load) / count + (1 - 1 / count) * estimate(max(sizes))
