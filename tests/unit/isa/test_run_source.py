"""Runs that are listed when they are sent, against those that are listed at once."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neupims.isa.address import AddressMap
from neupims.isa.hash_order import HashOrder
from neupims.isa.memory import RUN
from neupims.isa.run_source import LISTED, GivenRuns, HashedRuns
from neupims.isa.work import Loads
from neupims.results.cache import content_key

ADDRESS = AddressMap((("row", 4096), ("rank", 1), ("group", 2), ("bank", 2), ("column", 8), ("channel", 4)), 64)


def hashed(starts: list[int], sizes: list[int], wrap: int) -> HashedRuns:
    return HashedRuns(HashOrder(ADDRESS, wrap), np.array(starts), np.array(sizes), np.arange(len(sizes)) // 2)


LONGEST = 5000
"""Bytes of an instruction, which begin anew no more than once: a hash set has each burst but once."""
instructions = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, LONGEST)), min_size=1, max_size=6)


@settings(deadline=None)  # the first call may compile
@given(instructions, st.integers(LONGEST, 9000))
def test_bursts_are_counted_as_they_are_listed(given: list[tuple[int, int]], wrap: int) -> None:
    starts, sizes = map(list, zip(*given, strict=True))
    alone = [len(hashed([start], [size], wrap).runs) for start, size in given]
    assert hashed(starts, sizes, wrap).bursts.tolist() == alone
    assert len(hashed(starts, sizes, wrap).runs) == sum(alone)


def test_runs_come_in_several_arrays_that_are_one_list() -> None:
    sizes = [LISTED // 3 + 64 * place for place in range(20)]
    source = hashed(np.cumsum(sizes).tolist(), sizes, 1 << 20)
    parts = [part() for part in source.of([slice(0, 20)])]
    assert len(parts) > 4
    assert max(map(len, parts)) <= 2 * LISTED // 64
    assert np.array_equal(np.concatenate(parts), source.runs)


@pytest.mark.parametrize("pieces", [[slice(1, 3)], [slice(0, 1), slice(2, 4)], [slice(1, 1), slice(3, 4)]])
def test_some_runs_are_those_of_their_pieces(pieces: list[slice]) -> None:
    source = hashed([10, 900, 70, 8000], [500, 100, 64, 1000], 4096)
    edges = np.concatenate(([0], np.cumsum(source.bursts)))
    expected = np.concatenate([source.runs[edges[part.start] : edges[part.stop]] for part in pieces])
    assert np.array_equal(np.concatenate([part() for part in source.of(pieces)]), expected)


def test_given_runs_come_in_one_array() -> None:
    runs = np.zeros(6, RUN)
    runs["block"], runs["bursts"] = [0, 0, 1, 1, 2, 3], range(1, 7)
    source = GivenRuns(runs)
    assert source.blocks.tolist() == [0, 0, 1, 1, 2, 3]
    assert source.bursts.tolist() == [1, 2, 3, 4, 5, 6]
    (part,) = source.of([slice(0, 2), slice(4, 5)])
    assert part().tolist() == runs[[0, 1, 4]].tolist()


def test_the_key_of_a_source_tells_where_its_bytes_begin_anew_but_not_what_was_listed() -> None:
    source, other = hashed([0], [640], 4096), hashed([0], [640], 8192)
    key = content_key(Loads(source))
    assert len(source.runs) == 10
    assert content_key(Loads(source)) == key != content_key(Loads(other))


def test_a_source_is_the_same_in_another_process() -> None:
    source = hashed([0, 77], [640, 900], 4096)
    for _ in range(2):  # before and after its order has taken memory to list with
        assert np.array_equal(pickle.loads(pickle.dumps(source)).runs, source.runs)
