"""How a batch is split in two sub-batches that take turns on NPU and PIM (spec 6.4, Algorithm 3)."""

from collections.abc import Callable, Iterable
from itertools import groupby

from neupims.request import Batch, Request
from neupims.scheduling.estimate import Estimate

Halves = tuple[list[Request], list[Request]]
Policy = Callable[[Iterable[list[Request]], Estimate], Halves]
"""Requests of each channel, in channel order, to two halves."""


def alternating(channels: Iterable[list[Request]], estimate: Estimate) -> Halves:
    """The first half of each channel's requests, and the rest.

    With an odd number the first and the second sub-batch get the extra one in turn, over the channels.
    """
    first: list[Request] = []
    second: list[Request] = []
    extra = 1
    for requests in channels:
        odd = len(requests) % 2
        cut = len(requests) // 2 + odd * extra
        extra ^= odd
        first += requests[:cut]
        second += requests[cut:]
    return first, second


def balanced(channels: Iterable[list[Request]], estimate: Estimate) -> Halves:
    """Halves of equal estimated latency in each channel, by an exact subset sum.

    Where the sums differ, the first and the second sub-batch get the larger one in turn.
    """
    halves: Halves = ([], [])
    larger = 0
    for requests in channels:
        weights = [estimate(request.length) for request in requests]
        lighter = subset_sum(weights, sum(weights) // 2)
        uneven = 2 * sum(weights[index] for index in lighter) != sum(weights)
        for index, request in enumerate(requests):
            halves[larger if index not in lighter else 1 - larger].append(request)
        larger ^= uneven
    return halves


def subset_sum(weights: list[int], target: int) -> set[int]:
    """Indices of weights with the greatest sum that is not above `target`.

    Bit s of `reached[i]` says whether some of the first i weights add up to s.
    """
    mask = (1 << (target + 1)) - 1
    reached = [1]
    for weight in weights:
        reached.append((reached[-1] | reached[-1] << weight) & mask)
    total = reached[-1].bit_length() - 1
    chosen: set[int] = set()
    for index in range(len(weights) - 1, -1, -1):
        if not reached[index] >> total & 1:
            chosen.add(index)
            total -= weights[index]
    return chosen


POLICIES: dict[str, Policy] = {"alternating": alternating, "balanced": balanced}


def split_batch(policy: str, batch: Batch, estimate: Estimate) -> tuple[Batch, Batch]:
    """Two sub-batches of a batch that is ordered by channel; both keep its order."""
    channels = (list(requests) for _, requests in groupby(batch, key=lambda request: request.channel))
    first, second = POLICIES[policy](channels, estimate)
    return tuple(first), tuple(second)
