"""Which channel serves which request (spec 6.3, Algorithm 2)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from neupims.errors import CapacityError, RequestError
from neupims.request import Batch, Request
from neupims.scheduling.estimate import Estimate
from neupims.scheduling.split import Split, joined, pieces_of


class Capacity(Protocol):
    """Room of each channel, in units of choice."""

    @property
    def limit(self) -> int:
        """What one channel holds."""
        ...

    @property
    def need(self) -> Callable[[int], int]:
        """What a request of the given length takes."""
        ...


class _Channels:
    """Load and room of each channel while requests are placed."""

    def __init__(self, count: int, estimate: Estimate, capacity: Capacity | None) -> None:
        self.load = [0] * count
        self.used = [0] * count
        self.turn = 0
        """Channel that round robin tries next."""
        self._estimate = estimate
        self._capacity = capacity

    def add(self, channel: int, request: Request) -> None:
        self.load[channel] += self._estimate(request.length)
        self.used[channel] += self._capacity.need(request.length) if self._capacity else 0

    def open_to(self, request: Request) -> list[int]:
        """Channels with room, from channel 0; CapacityError if there are none."""
        if self._capacity is None:
            return list(range(len(self.load)))
        most = self._capacity.limit - self._capacity.need(request.length)
        channels = [channel for channel, used in enumerate(self.used) if used <= most]
        if not channels:
            raise CapacityError(_no_room(request, self._capacity, self._capacity.limit - min(self.used)))
        return channels


Policy = Callable[[Sequence[Request], _Channels], list[int]]
"""Requests without a channel, in file order, to a channel for each."""


def min_load(requests: Sequence[Request], channels: _Channels) -> list[int]:
    """Longest first, each to the channel of least estimated load; the lowest one on ties."""
    chosen = [0] * len(requests)
    for index in sorted(range(len(requests)), key=lambda index: -requests[index].length):
        request = requests[index]
        channel = min(channels.open_to(request), key=channels.load.__getitem__)
        channels.add(channel, request)
        chosen[index] = channel
    return chosen


def round_robin(requests: Sequence[Request], channels: _Channels) -> list[int]:
    """Each to the next channel in turn that still has room."""
    chosen: list[int] = []
    for request in requests:
        count = len(channels.load)
        channel = min(channels.open_to(request), key=lambda channel: (channel - channels.turn) % count)
        channels.add(channel, request)
        channels.turn = (channel + 1) % count
        chosen.append(channel)
    return chosen


def given(requests: Sequence[Request], channels: _Channels) -> list[int]:
    """The channels of the request file; RequestError for requests that have none."""
    if requests:
        raise RequestError(
            f"request {requests[0].id} has no channel, and policy.channel_packing is 'given'; add a ch_idx column "
            f"to the request file, or choose min_load or round_robin"
        )
    return []


POLICIES: dict[str, Policy] = {"min_load": min_load, "round_robin": round_robin, "given": given}


def pack_channels(
    policy: str,
    requests: Sequence[Request],
    channels: int,
    estimate: Estimate,
    capacity: Capacity | None = None,
    split: Split | None = None,
) -> Batch:
    """Give every request a channel; those that have one keep it and count as present load.

    With `split`, long ones may get several. The batch is ordered by channel, and by the order of `requests` inside a
    channel; those in several channels come first, since each of these waits for the others.

    Raises:
        RequestError: a request names a channel that does not exist, or has none although it should.
        CapacityError: no channel has room for a request.
    """
    state = _Channels(channels, estimate, capacity)
    for request in requests:
        if request.channel is not None:
            _check(request, channels)
            state.add(request.channel, request)
    free = [request for request in requests if request.channel is None]
    owners, pieces = zip(*pieces_of(free, split), strict=True) if free else ((), ())
    chosen: list[list[Request]] = [[] for _ in free]
    for owner, piece, channel in zip(owners, pieces, POLICIES[policy](pieces, state), strict=True):
        chosen[owner].append(replace(piece, channel=channel))
    placed = iter(chosen)
    batch = [request if request.channel is not None else joined(request, next(placed)) for request in requests]
    return tuple(sorted(batch, key=lambda request: (not request.parts, request.channel or 0)))


def _no_room(request: Request, capacity: Capacity, left: int) -> str:
    need = capacity.need(request.length)
    cache = f"the KV cache of request {request.id}, with {request.length:,} tokens, takes {need:,} rows of banks"
    if need > capacity.limit:
        return f"memory: {cache}, and a channel has {capacity.limit:,} beside the weights: raise --tp or --pp"
    return f"memory: {cache}, and the emptiest channel has {left:,} left: lower --batch, or raise --tp or --pp"


def _check(request: Request, channels: int) -> None:
    if request.channel is not None and not 0 <= request.channel < channels:
        raise RequestError(
            f"request {request.id}: channel {request.channel} does not exist; this memory has channels "
            f"0 to {channels - 1}"
        )
