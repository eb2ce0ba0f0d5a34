"""How a batch is split in sub-batches that take turns on NPU and PIM (spec 6.4, Algorithm 3)."""

from collections.abc import Callable, Iterable
from itertools import groupby, islice

from neupims.request import Batch, Request
from neupims.scheduling.estimate import Estimate

Parts = list[list[Request]]
Policy = Callable[[Iterable[list[Request]], Estimate, int], Parts]
"""Requests of each channel, in channel order, to so many sub-batches."""


def alternating(channels: Iterable[list[Request]], estimate: Estimate, count: int) -> Parts:
    """Neighbours in each channel, equally many for each sub-batch.

    If their number cannot be divided, the sub-batches get one more in turn, over the channels.
    """
    parts: Parts = [[] for _ in range(count)]
    turn = 0
    for requests in channels:
        each, more = divmod(len(requests), count)
        rest = iter(requests)
        for index, part in enumerate(parts):
            part += islice(rest, each + ((index - turn) % count < more))
        turn = (turn + more) % count
    return parts


def balanced(channels: Iterable[list[Request]], estimate: Estimate, count: int) -> Parts:
    """Sub-batches of equal estimated latency in each channel.

    Of what is left, one after the other takes what an exact subset sum finds nearest to its share from below. Where the
    sums differ, the sub-batches get the largest one in turn.
    """
    parts: Parts = [[] for _ in range(count)]
    largest = 0
    for requests in channels:
        weights = [estimate(request.length) for request in requests]
        groups = _subset_sums(weights, count)
        sums = {sum(weights[index] for index in group) for group in groups}
        for turn, group in enumerate(groups):
            parts[(largest + turn) % count] += [requests[index] for index in group]
        largest = (largest + (len(sums) > 1)) % count
    return parts


def _subset_sums(weights: list[int], count: int) -> list[list[int]]:
    """Indices of each group, the one that was left over first."""
    left, groups = list(range(len(weights))), list[list[int]]()
    for shares in range(count, 1, -1):
        present = [weights[index] for index in left]
        chosen = {left[index] for index in subset_sum(present, sum(present) // shares)}
        groups.append(sorted(chosen))
        left = [index for index in left if index not in chosen]
    return [left, *reversed(groups)]


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


def split_batch(policy: str, batch: Batch, estimate: Estimate, count: int = 2) -> tuple[Batch, ...]:
    """At most `count` sub-batches, none of them empty, of a batch that is ordered by channel; all keep its order."""
    if count == 1:
        return (batch,)
    channels = (list(requests) for _, requests in groupby(batch, key=lambda request: request.channel))
    return tuple(tuple(part) for part in POLICIES[policy](channels, estimate, count) if part)
