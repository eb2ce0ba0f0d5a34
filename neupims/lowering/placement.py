"""Everything of a model and a batch at its place on one device, with its capacity checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from neupims.hardware.memory import MemorySpec
from neupims.hardware.npu import NpuSpec
from neupims.isa.address import AddressMap
from neupims.lowering.capacity import ChannelRoom, Demand, check_channels, check_device
from neupims.lowering.decoder import Shard
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import KvRows, channel_rows, place_rows, published_rows
from neupims.lowering.memory_map import (
    LinearRegion,
    address_map,
    kv_geometry,
    linear_region,
    stripe_row_bytes,
    tile_row_bytes,
)
from neupims.lowering.places import RowMajor, round_up
from neupims.request import Part, Request

PUBLISHED_BASE_ROW = 513
"""First row of the KV cache in the published simulator: 512 MB of activations and one row of weights (spec 5.2)."""


@dataclass(frozen=True, slots=True)
class LinearCache:
    """KV cache of the whole batch by linear address: for each layer K, then V, [tokens of all requests, width]."""

    address: AddressMap
    base: int
    width: int
    element_bytes: int
    align: int
    lengths: Integers

    @property
    def first_row(self) -> Integers:
        """First row of each request."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def matrix_bytes(self) -> int:
        """K or V of one layer."""
        return round_up(int(self.lengths.sum()) * self.width * self.element_bytes, self.align)

    def keys(self, layer: int) -> RowMajor:
        """Keys of a layer."""
        return self._matrix(2 * layer)

    def values(self, layer: int) -> RowMajor:
        """Values of a layer."""
        return self._matrix(2 * layer + 1)

    def _matrix(self, index: int) -> RowMajor:
        return RowMajor(self.address, self.base + index * self.matrix_bytes, self.width, self.element_bytes)


@dataclass(frozen=True, slots=True)
class Placement:
    """Addresses of one device."""

    region: LinearRegion
    cache: KvRows | LinearCache
    address: AddressMap
    """Of the linear region."""


def place(
    shard: Shard, requests: Sequence[Request], tokens: int, npu: NpuSpec, memory: MemorySpec, kind: str
) -> Placement:
    """Place weights, activations of `tokens` tokens, and the KV cache of the requests.

    `kind` names where the KV cache lies: `linear`; `banks`, above the linear region; or `published`, above
    a fixed row, one layer for all. Raises CapacityError if the batch does not fit.
    """
    return PLACEMENTS[kind](shard, requests, tokens, npu, memory)


def _linear(shard: Shard, requests: Sequence[Request], tokens: int, npu: NpuSpec, memory: MemorySpec) -> Placement:
    address, align = address_map(memory), stripe_row_bytes(memory)
    region = linear_region(shard, tokens, npu.arrays, address, align)
    cache = LinearCache(address, region.bytes, shard.kv_width, shard.element_bytes, align, _lengths(requests))
    size = 2 * shard.layers * cache.matrix_bytes
    check_device(_demand(shard, region, size, len(requests)), memory.organization)
    return Placement(region, cache, address)


def _banks(shard: Shard, requests: Sequence[Request], tokens: int, npu: NpuSpec, memory: MemorySpec) -> Placement:
    org, align = memory.organization, stripe_row_bytes(memory)
    size = linear_region(shard, tokens, npu.arrays, address_map(memory), align).bytes
    base = -(-size // tile_row_bytes(memory))
    address = address_map(memory, base)
    region = linear_region(shard, tokens, npu.arrays, address, align)
    geometry, (channels, lengths, first) = kv_geometry(shard, memory), _parts(requests)
    used = channel_rows(geometry, channels, lengths, org.channels)
    tile_bytes = org.banks * org.row_bytes
    total = int((used.vectors + shard.layers * used.layer).sum()) * tile_bytes
    check_device(_demand(shard, region, total, len(requests)), org)
    check_channels(used, channels, base, shard.layers, org.rows)
    return Placement(region, place_rows(geometry, channels, lengths, base, first), address)


def _published(shard: Shard, requests: Sequence[Request], tokens: int, npu: NpuSpec, memory: MemorySpec) -> Placement:
    address = address_map(memory)
    region = linear_region(shard, tokens, npu.arrays, address, stripe_row_bytes(memory))
    geometry, channels, lengths = kv_geometry(shard, memory), _channels(requests), _lengths(requests)
    used = channel_rows(geometry, channels, lengths, memory.organization.channels)
    check_channels(used, channels, PUBLISHED_BASE_ROW, 1, memory.organization.rows)
    return Placement(region, published_rows(geometry, shard.width, channels, lengths, PUBLISHED_BASE_ROW), address)


PLACEMENTS = {"linear": _linear, "banks": _banks, "published": _published}


def channel_room(shard: Shard, tokens: int, npu: NpuSpec, memory: MemorySpec) -> ChannelRoom:
    """Room for K and V in each channel above the linear region, for a channel-packing policy.

    CapacityError if weights and activations alone do not fit.
    """
    org, geometry = memory.organization, kv_geometry(shard, memory)
    region = linear_region(shard, tokens, npu.arrays, address_map(memory), stripe_row_bytes(memory))
    check_device(_demand(shard, region, 0, tokens), org)
    left = org.rows - -(-region.bytes // tile_row_bytes(memory))

    @cache
    def need(length: int) -> int:
        lengths = np.array([length])
        return int(shard.layers * geometry.rows(lengths)[0] * org.banks + geometry.vectors(lengths)[0])

    return ChannelRoom(max(left, 0) * org.banks, need)


def _demand(shard: Shard, region: LinearRegion, cache: int, requests: int) -> Demand:
    return Demand(region.weight_bytes, region.activation_bytes, cache, shard.layers, requests)


def _parts(requests: Sequence[Request]) -> tuple[Integers, Integers, Integers]:
    """Channel and tokens of each part, and the first part of each request."""
    whole = zip(requests, _channels(requests).tolist(), strict=True)
    parts = [request.parts or (Part(channel, request.length),) for request, channel in whole]
    channels, tokens = zip(*((part.channel, part.tokens) for split in parts for part in split), strict=True)
    return np.array(channels), np.array(tokens), np.cumsum([0, *map(len, parts)])


def _lengths(requests: Sequence[Request]) -> Integers:
    return np.array([request.length for request in requests], np.int64)


def _channels(requests: Sequence[Request]) -> Integers:
    """Channel of each request; ValueError for one that has none."""
    missing = [request.id for request in requests if request.channel is None]
    if missing:
        raise ValueError(f"requests {missing} have no channel")
    return np.array([request.channel for request in requests], np.int64)
