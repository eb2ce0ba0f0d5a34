from itertools import combinations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from neupims.request import Batch, Request
from neupims.scheduling.subbatch import split_batch, subset_sum


def batch_of(*counts: int) -> Batch:
    """Requests 0, 1, ... in channels with the given numbers of requests."""
    channels = [channel for channel, count in enumerate(counts) for _ in range(count)]
    return tuple(Request(index, 10 * (index + 1), channel) for index, channel in enumerate(channels))


def identity(length: int) -> int:
    return length


def ids(batch: Batch) -> list[int]:
    return [request.id for request in batch]


def test_alternating_gives_the_extra_request_of_odd_channels_in_turn() -> None:
    first, second = split_batch("alternating", batch_of(3, 2, 1, 0, 5, 1), identity)
    # channel 0: 0 1 | 2 (extra to the first), 1: 3 | 4, 2: - | 5, 4: 6 7 8 | 9 10, 5: - | 11
    assert ids(first) == [0, 1, 3, 6, 7, 8]
    assert ids(second) == [2, 4, 5, 9, 10, 11]


def test_alternating_leaves_the_turn_alone_on_even_channels() -> None:
    first, second = split_batch("alternating", batch_of(2, 1, 2, 1), identity)
    assert ids(first) == [0, 2, 3]
    assert ids(second) == [1, 4, 5]


def test_balanced_equalises_each_channel() -> None:
    batch = tuple(Request(index, length, 0) for index, length in enumerate([8, 7, 6, 5, 4]))
    first, second = split_batch("balanced", batch, identity)
    assert {sum(request.length for request in half) for half in (first, second)} == {15}


def test_balanced_gives_the_larger_half_in_turn() -> None:
    first, second = split_batch("balanced", batch_of(1, 1, 1, 1), identity)
    assert (ids(first), ids(second)) == ([0, 2], [1, 3])


@pytest.mark.parametrize("policy", ["alternating", "balanced"])
def test_no_sub_batch_is_empty(policy: str) -> None:
    assert split_batch(policy, (), identity) == ()
    assert sorted(map(len, split_batch(policy, batch_of(1, 0, 1), identity, 4))) == [1, 1]


def test_three_sub_batches_get_what_is_over_in_turn() -> None:
    parts = split_batch("alternating", batch_of(4, 5, 3), identity, 3)
    # channel 0: 0 1 | 2 | 3, 1: 4 | 5 6 | 7 8, 2: 9 | 10 | 11
    assert [ids(part) for part in parts] == [[0, 1, 4, 9], [2, 5, 6, 10], [3, 7, 8, 11]]


def test_three_balanced_sub_batches() -> None:
    batch = tuple(Request(index, length, 0) for index, length in enumerate([6, 4, 6, 4, 6, 4]))
    assert {sum(request.length for request in part) for part in split_batch("balanced", batch, identity, 3)} == {10}


def test_three_balanced_sub_batches_get_the_largest_part_in_turn() -> None:
    parts = split_batch("balanced", batch_of(1, 1, 1, 1), identity, 3)
    assert [ids(part) for part in parts] == [[0, 3], [1], [2]]


def test_one_sub_batch_is_the_batch() -> None:
    assert split_batch("balanced", batch_of(2, 1), identity, 1) == (batch_of(2, 1),)


counts = st.lists(st.integers(0, 7), min_size=1, max_size=8).filter(any)


@examples(counts, st.sampled_from(["alternating", "balanced"]), st.integers(1, 5))
def test_sub_batches_partition_the_batch_in_its_order(numbers: list[int], policy: str, count: int) -> None:
    batch = batch_of(*numbers)
    parts = split_batch(policy, batch, identity, count)
    assert sorted(index for part in parts for index in ids(part)) == ids(batch)
    assert all(ids(part) == sorted(ids(part)) for part in parts)
    assert 1 <= len(parts) <= count


@examples(counts, st.integers(1, 5))
def test_alternating_parts_differ_by_one_request_at_most(numbers: list[int], count: int) -> None:
    sizes = [len(part) for part in split_batch("alternating", batch_of(*numbers), identity, count)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1


@examples(st.lists(st.integers(1, 40), max_size=9))
def test_subset_sum_is_the_best_of_all_subsets(weights: list[int]) -> None:
    target = sum(weights) // 2
    subsets = (subset for size in range(len(weights) + 1) for subset in combinations(weights, size))
    best = max(sum(subset) for subset in subsets if sum(subset) <= target)
    assert sum(weights[index] for index in subset_sum(weights, target)) == best
