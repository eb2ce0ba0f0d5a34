"""Ring collectives."""

from neupims.hardware.link import LinkSpec
from neupims.isa.work import LinkWork
from neupims.machine.link import all_reduce_bytes, all_reduce_ps, link_bytes, link_ps

LINK = LinkSpec(bandwidth_gb_s=50, latency_us=0.5, energy_pj_per_bit=1)


def test_ring_sends_nearly_twice_the_tensor() -> None:
    assert all_reduce_bytes(4000, 4) == 2 * 3 * 1000
    assert all_reduce_bytes(4000, 1) == 0


def test_ring_takes_transfer_and_latency() -> None:
    nanoseconds = 6000 / LINK.bandwidth_gb_s + 2 * 3 * LINK.latency_us * 1000
    assert all_reduce_ps(4000, 4, LINK) == nanoseconds * 1000


def test_one_device_needs_no_time() -> None:
    assert all_reduce_ps(4000, 1, LINK) == 0


def test_collective_by_kind() -> None:
    work = LinkWork("sum", "all_reduce", 4000, 4)
    assert (link_ps(work, LINK), link_bytes(work)) == (all_reduce_ps(4000, 4, LINK), 6000)
