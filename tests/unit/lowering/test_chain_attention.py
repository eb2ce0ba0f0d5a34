"""Attention as a chain on the NPU: what is loaded, in which steps, in which order."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.address import AddressMap
from neupims.isa.verify import Bounds, npu_problems
from neupims.isa.work import Dataflow, NpuWork, Records
from neupims.lowering.chain_attention import lower_chain_attention, lower_reshaping
from neupims.lowering.places import RowMajor, panels
from neupims.lowering.storage import PlacedStorage
from neupims.lowering.stream_attention import StreamAttention, softmax_cycles
from neupims.lowering.target import Target

ADDRESS = AddressMap((("row", 2048), ("rank", 2), ("group", 2), ("bank", 2), ("column", 4), ("channel", 4)), 64)
BOUNDS = Bounds(channels=4, banks=8, rows=2048, bursts_per_row=4, burst_bytes=64)
HEADS, HEAD_DIM, WIDTH = 6, 32, 192
HEAD_BYTES = 2 * HEAD_DIM


@pytest.fixture
def target(tiny: Callable[..., SystemSpec], cost: Callable[[Records, Dataflow], int]) -> Target:
    """Four arrays of 16 x 16; the cache holds the new token, as published."""
    system = tiny("npu-only", "processor.arrays.vector_preload=8", "policy.stores=published")
    assert isinstance(system.processor, NpuSpec)
    return Target(system.processor, system.policy, PlacedStorage(), 128.0, cost)


def complete(target: Target) -> Target:
    return replace(target, policy=target.policy.model_copy(update={"stores": "all"}))


def attend(target: Target, *lengths: int) -> NpuWork:
    sizes = np.array(lengths)
    attention = StreamAttention(
        heads=HEADS,
        head_dim=HEAD_DIM,
        fresh=((panels(ADDRESS, 0, (len(lengths), 3 * WIDTH), 16, 2), 3 * WIDTH),),
        keys=RowMajor(ADDRESS, 1 << 20, WIDTH, 2),
        values=RowMajor(ADDRESS, 1 << 21, WIDTH, 2),
        context=panels(ADDRESS, 1 << 19, (len(lengths), WIDTH), 16, 2),
        lengths=sizes,
        first_row=np.cumsum(sizes) - sizes,
    )
    return lower_chain_attention("attention", (0, len(lengths)), attention, target)


def test_steps_of_a_head(target: Target) -> None:
    work = attend(target, 40)
    # 40 / 4 vectors past q; the softmax; ceil((40 + 15) / 16) blocks of scores, past each 32 / 4 vectors of V
    softmax = softmax_cycles(40, target.npu.vector)
    assert work.steps["stream"][:6].tolist() == [10, softmax, 8, 8, 8, 8]
    assert work.steps["preload"][:6].tolist() == [8, 0, 8, 8, 8, 8]
    assert work.steps["rows"][:6].tolist() == [0, 1, 0, 0, 0, 0]
    assert work.steps["loads"][:6].tolist() == [2, 2, 3, 3, 3, 3]
    assert len(work.steps) == 6 * HEADS
    assert work.chain


@pytest.mark.parametrize(("length", "blocks"), [(1, 1), (2, 2), (16, 2), (17, 2), (18, 3)])
def test_one_block_of_scores_more_than_there_are(target: Target, length: int, blocks: int) -> None:
    assert len(attend(target, length).steps) == HEADS * (2 + blocks)


def test_a_head_loads_its_query_and_all_of_its_keys_and_values(target: Target) -> None:
    work = attend(target, 40, 3)
    assert work.loads.bytes[:3].tolist() == [HEAD_BYTES, 40 * HEAD_BYTES, 40 * HEAD_BYTES]
    assert work.loads.bytes[3 * HEADS : 3 * HEADS + 3].tolist() == [HEAD_BYTES, 3 * HEAD_BYTES, 3 * HEAD_BYTES]
    assert work.stores.bytes.tolist() == [HEAD_BYTES] * 2 * HEADS
    assert work.macs == 2 * WIDTH * 43


def test_with_all_stores_the_new_token_comes_from_the_qkv_gemm_and_goes_to_the_cache(target: Target) -> None:
    work = attend(complete(target), 40, 1)
    assert work.loads.bytes[:3].tolist() == [3 * HEAD_BYTES, 39 * HEAD_BYTES, 39 * HEAD_BYTES]
    assert work.loads.bytes[3 * HEADS :].tolist() == [3 * HEAD_BYTES] * HEADS
    assert work.stores.bytes.tolist() == [3 * HEAD_BYTES] * 2 * HEADS


def test_two_requests_are_on_chip_at_a_time(target: Target) -> None:
    work = attend(target, 40, 3, 20, 5)
    after = work.loads.after
    assert after is not None
    ends = np.cumsum([HEADS * 6, HEADS * 4]) - 1
    assert after.tolist() == [-1] * 6 * HEADS + [int(ends[0])] * 3 * HEADS + [int(ends[1])] * 3 * HEADS


@pytest.mark.parametrize("lengths", [(1,), (40, 3, 20, 5), (1, 1, 1), (100, 1, 2)])
def test_plans_are_legal(target: Target, lengths: tuple[int, ...]) -> None:
    for choice in (target, complete(target)):
        work = attend(choice, *lengths)
        assert list(npu_problems(work, BOUNDS)) == []
        assert work.steps["frees"].sum() == work.loads.bytes.sum()


def test_reshaping_takes_the_control_a_cycle_for_each_piece(target: Target) -> None:
    npu = target.npu.model_copy(update={"reshape_cycles": 2})
    work = lower_reshaping("split", 9, npu)
    assert work.chain
    assert work.steps[["stream", "rows"]].tolist() == [(18, 1)]
