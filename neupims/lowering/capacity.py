"""Whether weights, activations and the KV cache fit; if not, the numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neupims.errors import CapacityError
from neupims.hardware.memory import Organization
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import ChannelRows

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Demand:
    """What a device should hold, in bytes and numbers of things."""

    weights: int
    activations: int
    cache: int
    layers: int
    requests: int


@dataclass(frozen=True, slots=True)
class ChannelRoom:
    """Room for the KV cache in each channel, counted in rows of single banks."""

    limit: int
    need: Callable[[int], int]
    """Rows that a request of the given length takes, over all layers."""


def check_device(demand: Demand, org: Organization) -> None:
    """Raise CapacityError if the sum is more than the device holds."""
    if demand.weights > org.bytes:
        raise CapacityError(
            f"memory: the weights of {demand.layers} layers take {_gib(demand.weights)} of {_gib(org.bytes)} on each "
            f"device, before any request; raise --tp or --pp"
        )
    total = demand.weights + demand.activations + demand.cache
    if total > org.bytes:
        share = (org.bytes - demand.weights) / (demand.activations + demand.cache)
        raise CapacityError(
            f"memory: {demand.requests} requests do not fit: {_gib(demand.weights)} of weights, "
            f"{_gib(demand.activations)} of activations and {_gib(demand.cache)} of KV cache over {demand.layers} "
            f"layers make {_gib(total)}, and each device has {_gib(org.bytes)}; about "
            f"{int(demand.requests * share)} such requests would fit: lower --batch, or raise --tp or --pp"
        )


def check_channels(used: ChannelRows, channels: Integers, base: int, layers: int, rows: int) -> None:
    """Raise CapacityError if the KV cache of the fullest channel does not fit above row `base`."""
    total = used.vectors + layers * used.layer
    fullest = int(np.argmax(total))
    left = rows - base
    if total[fullest] > left:
        fitting = int(len(channels) * left / total[fullest])
        raise CapacityError(
            f"memory: channel {fullest} is too full: the KV cache of its {int((channels == fullest).sum())} requests "
            f"over {layers} layers takes {int(total[fullest]):,} rows, and {left:,} of {rows:,} are left beside "
            f"weights and activations (the channels need {int(total.mean()):,} on average); about {fitting} such "
            f"requests would fit: lower --batch, balance the channels, or raise --tp or --pp"
        )


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"
