from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st

from neupims.hardware.npu import NpuSpec, VectorUnits
from neupims.hardware.system import SystemSpec
from neupims.isa.address import AddressMap
from neupims.isa.verify import Bounds, npu_problems
from neupims.isa.work import Dataflow, NpuWork, Records
from neupims.lowering.places import RowMajor, panels
from neupims.lowering.storage import PlacedStorage
from neupims.lowering.stream_attention import StreamAttention, lower_stream_attention, softmax_cycles
from neupims.lowering.target import Target

ADDRESS = AddressMap((("row", 2048), ("rank", 2), ("group", 2), ("bank", 2), ("column", 4), ("channel", 4)), 64)
HEADS, HEAD_DIM, WIDTH = 6, 32, 192


@pytest.fixture
def target(tiny: Callable[..., SystemSpec], cost: Callable[[Records, Dataflow], int]) -> Target:
    system = tiny("npu-only")
    assert isinstance(system.processor, NpuSpec)
    return Target(system.processor, system.policy, PlacedStorage(), 128.0, cost)


def attend(target: Target, lengths: list[int], first: int = 0, group: int = 1, apart: bool = False) -> NpuWork:
    sizes, kv = np.array(lengths), WIDTH // group
    widths = (WIDTH, kv, kv) if apart else (WIDTH + 2 * kv,)
    attention = StreamAttention(
        heads=HEADS,
        head_dim=HEAD_DIM,
        fresh=tuple((panels(ADDRESS, i << 16, (len(lengths), width), 16, 2), width) for i, width in enumerate(widths)),
        keys=RowMajor(ADDRESS, 1 << 20, kv, 2),
        values=RowMajor(ADDRESS, 1 << 21, kv, 2),
        context=panels(ADDRESS, 1 << 19, (len(lengths), WIDTH), 16, 2),
        lengths=sizes,
        first_row=np.cumsum(sizes) - sizes,
        group=group,
    )
    return lower_stream_attention("attention", (first, len(lengths)), attention, target)


def test_softmax_of_300_on_128_lanes() -> None:
    units = VectorUnits(count=8, lanes=128)
    assert softmax_cycles(300, units) == 2 * (3 + 1) + 3 * 3
    assert softmax_cycles(128, units) == 2 * 1 + 3 * 1


def test_blocks_of_keys_and_of_values_go_over_the_arrays_in_waves(target: Target) -> None:
    work = attend(target, [40])
    # 6 heads, 3 blocks of 16 tokens, 2 blocks of 16 features: 36 blocks each on 4 arrays
    assert len(work.steps) == 9 + 9
    assert set(work.steps["stream"].tolist()) == {1}
    assert work.steps["loads"].tolist() == [2] * 9 + [3] * 9
    assert work.loads.early.tolist() == [False, True, True]
    assert work.macs == 2 * HEADS * HEAD_DIM * 40


def test_softmax_hides_behind_the_preload_of_the_first_values_if_it_is_short(target: Target) -> None:
    short, long = attend(target, [16]), attend(target, [1000])
    assert set(short.steps["preload"].tolist()) == {16}
    waves = len(long.steps) // 2
    expected = -(-HEADS // target.npu.vector.count) * softmax_cycles(1000, target.npu.vector)
    assert long.steps["preload"].tolist() == [16] * waves + [expected] + [16] * (waves - 1)


def test_a_first_token_has_nothing_in_the_cache(target: Target) -> None:
    work = attend(target, [1])
    assert work.loads.bytes.tolist() == [3 * WIDTH * 2]
    assert not list(npu_problems(work, Bounds(4, 8, 2048, 4, 64)))


def test_a_sub_batch_begins_at_its_own_requests(target: Target) -> None:
    whole, part = attend(target, [20, 30, 40]), attend(target, [20, 30, 40], first=2)
    assert part.loads.bytes.tolist() == [3 * WIDTH * 2, *whole.loads.bytes[-2:].tolist()]
    keys = part.loads.runs[part.loads.runs["block"] == 1].copy()
    same = whole.loads.runs[whole.loads.runs["block"] == len(whole.loads.bytes) - 2].copy()
    keys["block"] = same["block"] = 0
    assert np.array_equal(keys, same)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@examples(st.lists(st.integers(1, 90), min_size=1, max_size=30), st.sampled_from([1, 2, 3, 6]), st.booleans())
def test_the_cache_is_read_once_and_the_new_tokens_are_appended(
    target: Target, lengths: list[int], group: int, apart: bool
) -> None:
    work, kv = attend(target, lengths, group=group, apart=apart), WIDTH // group
    old, new = sum(lengths) - len(lengths), len(lengths)
    assert work.loads.bytes.sum() == 2 * (2 * kv * old + (WIDTH + 2 * kv) * new)
    assert work.stores.bytes.sum() == 2 * (WIDTH + 2 * kv) * new
    assert work.loads.bytes[work.loads.early].sum() == 2 * 2 * kv * old
    assert not list(npu_problems(work, Bounds(4, 8, 2048, 4, 64)))


def test_queries_that_share_keys_stream_past_the_same_blocks(target: Target) -> None:
    alone, grouped = attend(target, [40, 7]), attend(target, [40, 7], group=3)
    # 2 heads, 3 blocks of 16 tokens, 2 blocks of 16 features: 12 blocks each on 4 arrays; then 4 blocks each
    assert len(grouped.steps) == 3 + 3 + 1 + 1
    assert set(grouped.steps["stream"].tolist()) == {3}
    assert 3 * len(grouped.steps) == len(alone.steps)
    assert (grouped.macs, grouped.other_ops) == (alone.macs, alone.other_ops)


def test_q_k_and_v_may_lie_apart(target: Target) -> None:
    together, apart = attend(target, [20, 30], group=2), attend(target, [20, 30], group=2, apart=True)
    assert np.array_equal(together.steps, apart.steps)
    assert np.array_equal(together.loads.bytes, apart.loads.bytes)
    assert np.array_equal(together.stores.runs, apart.stores.runs)
