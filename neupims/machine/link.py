"""Collectives between the devices of a tensor-parallel group."""

from fractions import Fraction
from math import ceil

from neupims.hardware.link import LinkSpec
from neupims.isa.work import LinkWork

PS_PER_NS, NS_PER_US = 1000, 1000


def all_reduce_bytes(size: int, devices: int) -> int:
    """Bytes that each device sends in a ring all-reduce of `size` bytes: 2 (p - 1) / p of them."""
    return ceil(Fraction(2 * (devices - 1) * size, devices))


def all_reduce_ps(size: int, devices: int, link: LinkSpec) -> int:
    """Time of a ring all-reduce: 2 (p - 1) messages of size / p each, one after the other."""
    transfer_ns = Fraction(2 * (devices - 1) * size, devices) / Fraction(str(link.bandwidth_gb_s))
    latency_ns = 2 * (devices - 1) * Fraction(str(link.latency_us)) * NS_PER_US
    return ceil((transfer_ns + latency_ns) * PS_PER_NS)


TIMES = {"all_reduce": all_reduce_ps}
BYTES = {"all_reduce": all_reduce_bytes}


def link_ps(work: LinkWork, link: LinkSpec) -> int:
    """Time of a collective."""
    return TIMES[work.kind](work.bytes, work.devices, link)


def link_bytes(work: LinkWork) -> int:
    """Bytes that each device sends in a collective."""
    return BYTES[work.kind](work.bytes, work.devices)
