from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.lowering.geometry import KvGeometry
from neupims.lowering.kv import KvRows, QkvRows, channel_rows, place_rows, published_rows
from neupims.lowering.places import rectangles

SEVEN_B = KvGeometry(heads=8, head_dim=128, element_bytes=2, row_bytes=1024, burst_bytes=64, banks=32)
LAYERS = 3


def one(geometry: KvGeometry, length: int) -> tuple[int, int, int]:
    """Key rows, value rows and vectors of one request."""
    lengths = np.array([length])
    return tuple(int(rows(lengths)[0]) for rows in (geometry.key_rows, geometry.value_rows, geometry.vectors))


def test_rows_of_7b_tp4() -> None:
    assert (SEVEN_B.heads_per_row, SEVEN_B.key_chunks, SEVEN_B.value_tiles) == (4, 2, 4)
    assert one(SEVEN_B, 300) == (2 * 10, 8 * 4 * 1, 2 + 8)
    assert one(SEVEN_B, 513) == (2 * 17, 8 * 4 * 2, 2 + 8 * 2)


def test_only_whole_heads_share_a_key_row() -> None:
    geometry = KvGeometry(heads=16, head_dim=96, element_bytes=2, row_bytes=1024, burst_bytes=64, banks=32)
    assert (geometry.heads_per_row, geometry.key_chunks, geometry.value_tiles) == (5, 4, 3)


@st.composite
def caches(draw: st.DrawFn) -> KvRows:
    geometry = KvGeometry(
        heads=draw(st.integers(1, 5)),
        head_dim=draw(st.sampled_from([8, 16, 24])),
        element_bytes=2,
        row_bytes=128,
        burst_bytes=32,
        banks=8,
        group=draw(st.integers(1, 3)),
    )
    requests = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 150)), min_size=1, max_size=6))
    channels, lengths = (np.array([request[i] for request in requests]) for i in range(2))
    return place_rows(geometry, channels, lengths, base=7)


def tile_rows(kv: KvRows) -> list[tuple[int, int]]:
    """(channel, row) of every tile row of every request and layer."""
    geometry, found = kv.geometry, []
    for request, (channel, length) in enumerate(zip(kv.channels.tolist(), kv.lengths.tolist(), strict=True)):
        tiles, chunks = -(-length // geometry.banks), -(-length // geometry.row_elements)
        who = np.array(request)
        for layer in range(LAYERS):
            found += [
                (channel, int(kv.key_row(who, layer, np.array(t), np.array(c))))
                for t in range(tiles)
                for c in range(geometry.key_chunks)
            ]
            found += [
                (channel, int(kv.value_row(who, layer, np.array(h), np.array(t), np.array(c))))
                for h in range(geometry.heads)
                for t in range(geometry.value_tiles)
                for c in range(chunks)
            ]
    return found


def vectors(kv: KvRows) -> list[tuple[int, int, int]]:
    """(channel, bank, row) of q and the scores of every request."""
    found = []
    for request, (channel, length) in enumerate(zip(kv.channels.tolist(), kv.lengths.tolist(), strict=True)):
        who = np.array(request)
        places = [kv.query(who, chunk) for chunk in range(kv.geometry.group * kv.geometry.key_chunks)]
        places += [
            kv.scores(who, np.array(head), np.array(chunk))
            for head in range(kv.geometry.heads * kv.geometry.group)
            for chunk in range(-(-length // kv.geometry.row_elements))
        ]
        found += [(channel, int(bank), int(row)) for bank, row in places]
    return found


@settings(max_examples=50, deadline=None)
@examples(caches())
def test_no_two_things_lie_at_the_same_place(kv: KvRows) -> None:
    tiles, slots = tile_rows(kv), vectors(kv)
    assert len(set(tiles)) == len(tiles)
    assert len(set(slots)) == len(slots)
    assert not set(tiles) & {(channel, row) for channel, _, row in slots}


@settings(max_examples=50, deadline=None)
@examples(caches())
def test_channels_use_the_rows_that_the_capacity_check_counts(kv: KvRows) -> None:
    used = channel_rows(kv.geometry, kv.channels, kv.lengths, 3)
    tiles, slots = tile_rows(kv), vectors(kv)
    for channel in range(3):
        rows = {row for where, row in tiles if where == channel} | {row for where, _, row in slots if where == channel}
        assert rows == set(range(7, 7 + int(used.vectors[channel] + LAYERS * used.layer[channel])))


@settings(max_examples=30, deadline=None)
@examples(caches())
def test_published_rows_are_those_of_the_whole_model_for_all_layers_and_heads(kv: KvRows) -> None:
    geometry, who, zero = kv.geometry, np.arange(len(kv.lengths)), np.zeros(len(kv.lengths), np.int64)
    width = 4 * geometry.heads * geometry.head_dim
    flat = published_rows(geometry, width, kv.channels, kv.lengths, base=7)
    assert np.array_equal(flat.key_row(who, 5, zero, zero), flat.key_row(who, 0, zero, zero))
    assert np.array_equal(flat.value_row(who, 0, zero + 3, zero, zero), flat.value_row(who, 0, zero, zero, zero))
    keys = geometry.key_tiles(kv.lengths) * -(-width // geometry.row_elements)
    values = geometry.value_chunks(kv.lengths) * -(-width // geometry.banks)
    for channel in set(kv.channels.tolist()):
        here = np.flatnonzero(kv.channels == channel)
        ends = 7 + np.cumsum((keys + values)[here])
        assert flat.key_row(here, 0, zero[here], zero[here]).tolist() == [7, *ends[:-1].tolist()]


# What the QKV GEMM writes ----------------------------------------------------------------------------------------


def written(kv: KvRows, layer: int, left: int, right: int) -> np.ndarray:
    return QkvRows(kv, layer).runs(rectangles(0, len(kv.lengths), left, right), np.array([0]), True)


def bursts(runs: np.ndarray) -> list[tuple[int, ...]]:
    return [
        (int(run["channel"]), int(run["bank"]), int(run["row"]), int(run["column"]) + step)
        for run in runs
        for step in range(run["bursts"])
    ]


def test_new_token_of_7b_tp4() -> None:
    kv = place_rows(SEVEN_B, np.array([5]), np.array([300]), base=100)
    q, k, v = (written(kv, 1, part * 1024, (part + 1) * 1024) for part in range(3))
    assert (len(q), len(k), len(v)) == (2, 2, 1024)
    assert q["bursts"].tolist() == k["bursts"].tolist() == [16, 16]
    assert set(v["bursts"].tolist()) == {1}
    layer = 100 + 1 + 52  # vectors, rows of layer 0
    assert k["row"].tolist() == [layer + 9 * 2, layer + 9 * 2 + 1]
    assert set(k["bank"].tolist()) == {299 % 32}
    assert set(v["column"].tolist()) == {299 * 2 // 64}
    assert sorted(zip(v["row"].tolist(), v["bank"].tolist(), strict=True)) == [
        (layer + 20 + tile, bank) for tile in range(32) for bank in range(32)
    ]
    for runs in (q, k, v):
        assert set(runs["channel"].tolist()) == {5}
        assert set(runs["write"].tolist()) == set(runs["feeds_pim"].tolist()) == {1}


@settings(max_examples=50, deadline=None)
@examples(caches(), st.data())
def test_cutting_the_output_changes_no_place(kv: KvRows, data: st.DataObject) -> None:
    width = kv.geometry.heads * kv.geometry.head_dim * (kv.geometry.group + 2)
    cut = data.draw(st.integers(1, width - 1))
    parts = bursts(written(kv, 1, 0, cut)) + bursts(written(kv, 1, cut, width))
    assert set(parts) == set(bursts(written(kv, 1, 0, width)))


@settings(max_examples=30, deadline=None)
@examples(caches())
def test_new_tokens_are_written_where_pim_reads(kv: KvRows) -> None:
    group, width = kv.geometry.group, kv.geometry.heads * kv.geometry.head_dim
    edges = (0, group * width, (group + 1) * width, (group + 2) * width)
    q, k, v = (bursts(written(kv, 1, *part)) for part in pairwise(edges))
    assert {place[:3] for place in q} <= set(vectors(kv))
    assert {(channel, row) for channel, _, row, _ in k + v} <= set(tile_rows(kv))
    assert len(v) == len(kv.lengths) * width


@pytest.mark.parametrize("part", [0, 1, 2])
def test_values_can_be_left_out(part: int) -> None:
    kv = place_rows(SEVEN_B, np.array([0]), np.array([1]), base=0)
    rects = rectangles(0, 1, part * 1024, (part + 1) * 1024)
    runs = QkvRows(kv, 0, write_values=False).runs(rects, np.array([0]), True)
    assert bool(len(runs)) == (part < 2)


@pytest.mark.parametrize("query_head", range(12))
def test_a_query_head_lies_beside_those_that_are_multiplied_with_the_same_row_of_keys(query_head: int) -> None:
    """6 heads of keys, 4 of them in a row, with 2 query heads each: rows of q are (member, chunk)."""
    geometry = KvGeometry(6, head_dim=32, element_bytes=2, row_bytes=256, burst_bytes=64, banks=8, group=2)
    kv = place_rows(geometry, np.array([3]), np.array([20]), base=0)
    runs = written(kv, 0, query_head * 32, (query_head + 1) * 32)
    head, member = query_head // 2, query_head % 2
    bank, row = kv.query(np.array(0), member * 2 + head // 4)
    assert runs[["channel", "bank", "row", "column", "bursts"]].tolist() == [(3, int(bank), int(row), head % 4, 1)]


def test_a_split_context_has_q_in_all_its_parts_and_the_new_token_in_the_last() -> None:
    """Request 0 in channels 4 and 5, request 1 in channel 6."""
    kv = place_rows(SEVEN_B, np.array([4, 5, 6]), np.array([288, 200, 70]), base=0, first_part=np.array([0, 2, 3]))
    width = SEVEN_B.heads * SEVEN_B.head_dim
    writer = QkvRows(kv, 1)
    q, k, v = (
        writer.runs(rectangles(0, 2, part * width, (part + 1) * width), np.array([0]), True) for part in range(3)
    )
    rows = SEVEN_B.key_chunks * SEVEN_B.row_bytes // SEVEN_B.burst_bytes
    assert [int(q["bursts"][q["channel"] == channel].sum()) for channel in (4, 5, 6)] == [rows] * 3
    assert set(k["channel"].tolist()) == set(v["channel"].tolist()) == {5, 6}
    assert set(k["bank"][k["channel"] == 5].tolist()) == {199 % 32}
    assert set(v["column"][v["channel"] == 5].tolist()) == {199 * 2 // 64}
