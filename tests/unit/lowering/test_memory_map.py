from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neupims.errors import CapacityError
from neupims.hardware.memory import MemorySpec
from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.lowering.capacity import ChannelRoom
from neupims.lowering.decoder import DecoderShape, Shard, shard
from neupims.lowering.kv import KvRows
from neupims.lowering.memory_map import LinearRegion, stripe_row_bytes
from neupims.lowering.placement import LinearCache, Placement, channel_room, place
from neupims.lowering.places import Panels, RowMajor, WeightBlocks, rectangles
from neupims.request import Batch

Systems = Callable[..., SystemSpec]
Batches = Callable[..., Batch]
KINDS = ["linear", "banks"]


def parts(system: SystemSpec) -> tuple[NpuSpec, MemorySpec]:
    assert isinstance(system.processor, NpuSpec)
    assert system.memory is not None
    return system.processor, system.memory


def placed(system: SystemSpec, part: Shard, batch: Batch, kind: str) -> Placement:
    return place(part, batch, len(batch), *parts(system), kind)


def spans(region: LinearRegion, cache: object, part: Shard, tokens: int) -> list[tuple[int, int]]:
    """First byte and byte after the last of everything in the linear region."""
    width, matrices = part.width, list[tuple[object, int, int]]()
    norm = {"layer_norm": 2, "rms_norm": 1}[part.norm]
    for layer in region.layers:
        matrices += [(layer.norm1, norm, width), (layer.norm2, norm, width)]
        for linear in (layer.qkv, layer.projection, layer.fc1, layer.fc2):
            matrices.append((linear.w, linear.w.inner, linear.w.outputs))
            assert (linear.bias is not None) == part.bias
            matrices += [(linear.bias, 1, linear.w.outputs)] if part.bias else []
    head, acts = region.head, region.activations
    matrices += [
        (head.embedding, width, part.vocabulary),
        (head.norm, norm, width),
    ]
    if part.positions:
        matrices.append((head.positions, part.positions, width))
    if not part.tied:
        matrices.append((head.lm_head, width, part.vocabulary))
    matrices += [
        (value, tokens, value.features) for name in acts.__slots__ if isinstance(value := getattr(acts, name), Panels)
    ]
    matrices.append((acts.chosen, tokens, acts.chosen.width))
    if isinstance(cache, LinearCache):
        rows = int(cache.lengths.sum())
        matrices += [(m(i), rows, cache.width) for i in range(part.layers) for m in (cache.keys, cache.values)]
    found = []
    for matrix, rows, columns in matrices:
        assert isinstance(matrix, RowMajor | Panels | WeightBlocks)
        starts, sizes, _ = matrix.ranges(rectangles(0, rows, 0, columns))
        assert sizes.sum() == rows * columns * part.element_bytes
        found.append((int(starts.min()), int((starts + sizes).max())))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False])
def test_no_two_matrices_overlap(
    tiny: Systems, decoder: DecoderShape, batch_of: Batches, kind: str, tied: bool
) -> None:
    part, batch = shard(replace(decoder, tied=tied), tp=2), batch_of([30, 7, 129, 1, 64])
    made = placed(tiny(), part, batch, kind)
    found = sorted(spans(made.region, made.cache, part, len(batch)))
    assert all(end <= start for (_, end), (start, _) in pairwise(found))
    assert {start % stripe_row_bytes(parts(tiny())[1]) for start, _ in found} == {0}
    assert found[-1][1] <= made.address.bytes


def test_the_kv_cache_lies_above_the_linear_region(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    made = placed(tiny(), shard(shape, 2), batch_of([30, 7, 129, 1, 64]), "banks")
    rows = dict(made.address.fields)["row"]
    assert made.cache.base == rows
    assert (rows - 1) * 8 * 4 * 256 < made.region.bytes <= rows * 8 * 4 * 256


def test_other_address_maps_keep_both_apart(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    system = tiny("neupims", "memory.address_map=[channel, row, rank, group, bank, column]")
    made = placed(system, shard(shape, 2), batch_of([30]), "banks")
    runs = made.address.runs(np.array([made.region.bytes - 1]), np.array([1]))
    assert runs["row"].max() < made.cache.base


def test_published_rows_begin_at_513(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    made = placed(tiny(), shard(shape, 2), batch_of([30]), "published")
    assert made.cache.base == 513


# What does not fit ------------------------------------------------------------------------------------------------


def refused(system: SystemSpec, part: Shard, batch: Batch, kind: str) -> str:
    with pytest.raises(CapacityError) as error:
        placed(system, part, batch, kind)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_do_not_fit(tiny: Systems, shape: DecoderShape, batch_of: Batches, kind: str) -> None:
    part = shard(replace(shape, layers=50), 1)
    assert refused(tiny(), part, batch_of([3]), kind) == (
        "memory: the weights of 50 layers take 0.07 GiB of 0.02 GiB on each device, before any request; "
        "raise --tp or --pp"
    )


def test_a_cache_that_does_not_fit_the_device(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    assert refused(tiny(), shard(shape, 1), batch_of([1000] * 20), "linear") == (
        "memory: 20 requests do not fit: 0.00 GiB of weights, 0.00 GiB of activations and 0.04 GiB of KV cache over 2 "
        "layers make 0.04 GiB, and each device has 0.02 GiB; about 6 such requests would fit: lower --batch, or raise "
        "--tp or --pp"
    )


def test_a_channel_that_is_too_full(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    batch = tuple(replace(request, channel=3) for request in batch_of([1000] * 4))
    assert refused(tiny(), shard(shape, 1), batch, "banks") == (
        "memory: channel 3 is too full: the KV cache of its 4 requests over 2 layers takes 4,081 rows, and 1,622 of "
        "2,048 are left beside weights and activations (the channels need 1,020 on average); about 1 such requests "
        "would fit: lower --batch, balance the channels, or raise --tp or --pp"
    )


def test_all_layers_count(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    batch = batch_of([1000] * 4)
    placed(tiny(), shard(shape, 1), batch, "banks")
    assert "over 6 layers" in refused(tiny(), shard(replace(shape, layers=6), 1), batch, "banks")


@pytest.mark.parametrize("count", range(1, 5))
def test_the_room_of_channels_agrees_with_the_check(
    tiny: Systems, shape: DecoderShape, batch_of: Batches, count: int
) -> None:
    system, part = tiny("neupims", "memory.organization.rows=4096"), shard(shape, 1)
    room: ChannelRoom = channel_room(part, count, *parts(system))
    batch = tuple(replace(request, channel=0) for request in batch_of([990] * count))
    if sum(room.need(request.length) for request in batch) <= room.limit:
        placed(system, part, batch, "banks")
    else:
        assert "channel 0 is too full" in refused(system, part, batch, "banks")


def test_there_is_no_room_beside_too_many_weights(tiny: Systems, shape: DecoderShape) -> None:
    with pytest.raises(CapacityError, match=r"^memory: the weights of 50 layers take "):
        channel_room(shard(replace(shape, layers=50), 1), 1, *parts(tiny()))


def test_requests_need_channels_for_pim(tiny: Systems, shape: DecoderShape, batch_of: Batches) -> None:
    batch = tuple(replace(request, channel=None) for request in batch_of([5, 6]))
    with pytest.raises(ValueError, match=r"^requests \[0, 1\] have no channel$"):
        placed(tiny(), shard(shape, 1), batch, "banks")


def test_shared_heads_take_less_of_the_cache(tiny: Systems, llama: DecoderShape, batch_of: Batches) -> None:
    """8 query heads on 4 heads of keys and values, or on 8."""
    batch, alone = batch_of([120]), replace(llama, group=1)
    for kind in KINDS:
        shared, each = (placed(tiny(), shard(shape, 1), batch, kind).cache for shape in (llama, alone))
        if isinstance(shared, LinearCache) and isinstance(each, LinearCache):
            assert 2 * shared.width == each.width == 256
        elif isinstance(shared, KvRows) and isinstance(each, KvRows):
            # rows of keys: 15 tiles of one chunk, or of two; of values: 4 tiles of 4 heads, or of 8
            assert (shared.layer_rows.tolist(), each.layer_rows.tolist()) == ([15 + 16], [30 + 32])


def test_weights_of_a_gated_layer_without_biases(tiny: Systems, llama: DecoderShape, batch_of: Batches) -> None:
    (layer, _) = placed(tiny(), shard(llama, 2), batch_of([5]), "banks").region.layers
    linears = (layer.qkv, layer.projection, layer.fc1, layer.fc2)
    assert [(linear.w.inner, linear.w.outputs) for linear in linears] == [
        *((256, 128 + 2 * 64), (128, 256)),
        *((256, 2 * 256), (256, 256)),
    ]
