"""Patterns that follow themselves."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neupims.graph.repetition import runs


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("", []),
        ("A", [("A", 1)]),
        ("AAABCBC", [("A", 3), ("BC", 2)]),
        ("SSSFSSSFSS", [("SSSF", 2), ("S", 2)]),
        ("DMMMM", [("D", 1), ("M", 4)]),
        ("ABAB", [("AB", 2)]),
        ("AAAA", [("A", 4)]),
    ],
)
def test_what_covers_most_is_taken(items: str, expected: list[tuple[str, int]]) -> None:
    assert [("".join(pattern), count) for pattern, count in runs(items)] == expected


@given(st.lists(st.integers(0, 2), max_size=30))
def test_unrolled_it_is_what_it_was(items: list[int]) -> None:
    assert list(chain.from_iterable(pattern * count for pattern, count in runs(items))) == items
