from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.address import AddressMap
from neupims.isa.counter import RunningCounter
from neupims.isa.verify import Bounds, pim_problems
from neupims.isa.work import Dataflow, PimWork, Records
from neupims.lowering.geometry import KvGeometry
from neupims.lowering.kv import place_rows
from neupims.lowering.pim_attention import PimAttention, lower_pim_attention
from neupims.lowering.places import panels
from neupims.lowering.storage import CounterStorage, PlacedStorage, Storage
from neupims.lowering.target import Target
from neupims.request import Batch, Part, Request

ADDRESS = AddressMap((("row", 2048), ("rank", 2), ("group", 2), ("bank", 2), ("column", 4), ("channel", 4)), 64)
GEOMETRY = KvGeometry(heads=4, head_dim=32, element_bytes=2, row_bytes=256, burst_bytes=64, banks=8)
LENGTHS = [30, 300, 128]
Attend = Callable[..., PimWork]


@pytest.fixture
def attend(
    tiny: Callable[..., SystemSpec],
    batch_of: Callable[[Sequence[int]], Batch],
    cost: Callable[[Records, Dataflow], int],
) -> Attend:
    def make(storage: Storage, *overrides: str, first: int = 0, geometry: KvGeometry = GEOMETRY) -> PimWork:
        system, batch = tiny("neupims", *overrides), batch_of(LENGTHS)
        assert isinstance(system.processor, NpuSpec)
        kv = place_rows(geometry, np.array([0, 1, 2]), np.array(LENGTHS), base=100)
        attention = PimAttention(kv, panels(ADDRESS, 0, (3, 128), 16, 2), macs_per_bank=16)
        target = Target(system.processor, system.policy, storage, 128.0, cost)
        return lower_pim_attention("attention", batch[first:], first, 0, attention, target)

    return make


def bursts(runs: Records) -> int:
    return int(runs["bursts"].sum())


def test_scores_go_to_the_rows_of_the_request_and_the_output_to_the_activations(attend: Attend) -> None:
    work = attend(PlacedStorage())
    for request, length in zip(work.requests, LENGTHS, strict=True):
        rows = [min(128, length - first) for first in range(0, length, 128)]
        assert bursts(request.scores) == 4 * sum(-(-tokens * 2 // 64) for tokens in rows)
        assert set(request.scores["feeds_pim"].tolist()) == {1}
        assert set(request.scores["channel"].tolist()) == {request.channel}
        assert bursts(request.output) == 8  # 8 panels, a piece of 32 bytes of each
        assert set(request.output["feeds_pim"].tolist()) == {0}
        assert set(request.scores["block"].tolist()) == set(request.output["block"].tolist()) == {0}


def test_macs_are_those_of_both_products(attend: Attend) -> None:
    assert attend(PlacedStorage()).macs == 2 * 4 * 32 * sum(LENGTHS)


def test_a_later_sub_batch_has_the_same_programs(attend: Attend) -> None:
    whole, part = attend(PlacedStorage()), attend(PlacedStorage(), first=1)
    for left, right in zip(whole.requests[1:], part.requests, strict=True):
        assert (left.request, left.channel, left.length) == (right.request, right.channel, right.length)
        for name in ("logit", "attend", "scores", "output"):
            assert np.array_equal(getattr(left, name), getattr(right, name))


@pytest.mark.parametrize(("setting", "outputs"), [("published", [0, 4, 0]), ("all", [4, 4, 4])])
def test_the_counter_writes_scores_and_what_is_published_of_the_output(
    attend: Attend, setting: str, outputs: list[int]
) -> None:
    storage = CounterStorage(RunningCounter(ADDRESS, wrap=1 << 20, element_bytes=2))
    work = attend(storage, f"policy.stores={setting}")
    heads, tiles, size = 4, 4, 32 * 2
    expected = [count * size for count in outputs]
    if setting == "published":
        expected = [count * tiles * size for count in outputs]  # a head is written once for each of its tiles
    assert storage.counter.cursor == heads * 2 * sum(LENGTHS) + sum(expected)
    assert [bool(len(request.output)) for request in work.requests] == [count > 0 for count in outputs]
    assert not any(request.scores["feeds_pim"].any() for request in work.requests)
    assert all(not request.attend[request.attend["kind"] == 0]["row"].any() for request in work.requests)


def test_query_heads_that_share_keys_have_scores_and_outputs_of_their_own(attend: Attend) -> None:
    """2 heads of keys and values with 2 query heads each do what 4 heads do, on half of the cache."""
    grouped, alone = attend(PlacedStorage(), geometry=replace(GEOMETRY, heads=2, group=2)), attend(PlacedStorage())
    assert (grouped.heads, grouped.head_dim, grouped.macs) == (alone.heads, alone.head_dim, alone.macs)
    for left, right in zip(grouped.requests, alone.requests, strict=True):
        assert bursts(left.scores) == bursts(right.scores)
        assert np.array_equal(left.output, right.output)
        assert len(left.attend) == len(right.attend)
        assert len(left.logit) == 2 * len(right.logit)  # two heads in each row of keys instead of four
        assert set(left.logit["groups"].tolist()) == {0, 2}
    assert list(pim_problems(grouped, Bounds(4, 8, 2048, 4, 64))) == []


def test_a_split_request_has_a_program_for_each_part_and_one_output(
    tiny: Callable[..., SystemSpec],
    cost: Callable[[Records, Dataflow], int],
) -> None:
    system, lengths = tiny("neupims"), [96, 204, 30]
    assert isinstance(system.processor, NpuSpec)
    batch = (Request(7, 300, 1, (Part(0, 96), Part(1, 204))), Request(8, 30, 1))
    kv = place_rows(GEOMETRY, np.array([0, 1, 1]), np.array(lengths), base=100, first_part=np.array([0, 2, 3]))
    attention = PimAttention(kv, panels(ADDRESS, 0, (3, 128), 16, 2), macs_per_bank=16)
    target = Target(system.processor, system.policy, PlacedStorage(), 128.0, cost)
    work = lower_pim_attention("attention", batch, 0, 0, attention, target)
    found = [(part.request, part.channel, part.length, part.continues) for part in work.requests]
    assert found == [(7, 0, 96, False), (7, 1, 204, True), (8, 1, 30, False)]
    assert [bursts(part.output) for part in work.requests] == [8, 0, 8]
    assert all({part.channel} == set(part.scores["channel"].tolist()) for part in work.requests)
    assert work.macs == 2 * 4 * 32 * 330


def test_scores_and_gates_by_head(attend: Attend) -> None:
    work = attend(PlacedStorage(), "policy.attention_order=head")
    for request, length in zip(work.requests, LENGTHS, strict=True):
        rows = -(-length // 128)
        assert request.scores["block"].tolist() == [head for head in range(4) for _ in range(rows)]
        gates = request.attend["gate"][request.attend["gate"] >= 0]
        assert gates.tolist() == [0, 1, 2, 3]
        assert request.attend["gate"][0] == 0
