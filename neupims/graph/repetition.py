"""Repetition in a sequence: consecutive equal stretches, each found once with its count."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def runs(items: Sequence[T]) -> list[tuple[tuple[T, ...], int]]:
    """A sequence as patterns and how often each follows itself: AAABCBC is (A) 3 times, (B, C) twice.

    From the left, what covers most of the rest is taken, the shorter pattern if two cover as much.
    """
    found: list[tuple[tuple[T, ...], int]] = []
    start = 0
    while start < len(items):
        size, count = longest(items, start)
        found.append((tuple(items[start : start + size]), count))
        start += size * count
    return found


def longest(items: Sequence[Hashable], start: int) -> tuple[int, int]:
    """Size and count of the pattern from `start` on that covers most; (1, 1) if nothing repeats there."""
    best = (1, 1)
    for size in range(1, (len(items) - start) // 2 + 1):
        count = _count(items, start, size)
        if count > 1 and size * count > best[0] * best[1]:
            best = (size, count)
    return best


def _count(items: Sequence[Hashable], start: int, size: int) -> int:
    place = start + size
    while place < len(items) and items[place] == items[place - size]:
        place += 1
    return (place - start) // size
