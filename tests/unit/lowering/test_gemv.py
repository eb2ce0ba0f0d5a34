import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.isa.memory import GWRITE, TILE
from neupims.lowering.gemv import attend_programs, logit_programs, score_runs, without_vector_rows
from neupims.lowering.geometry import KvGeometry
from neupims.lowering.kv import KvRows, place_rows

MACS = 16


def cache(heads: int, *lengths: int) -> KvRows:
    geometry = KvGeometry(heads, 128, element_bytes=2, row_bytes=1024, burst_bytes=64, banks=32)
    return place_rows(geometry, np.arange(len(lengths)) % 32, np.array(lengths), base=50)


def logit(kv: KvRows, *requests: int) -> list[np.ndarray]:
    return logit_programs(kv, 0, np.array(requests or range(len(kv.lengths))), MACS).split()


def attend(kv: KvRows, *requests: int) -> list[np.ndarray]:
    return attend_programs(kv, 0, np.array(requests or range(len(kv.lengths))), MACS).split()


def counts(program: np.ndarray) -> tuple[int, int, int, set[int]]:
    """GWRITEs, tiles (headers), GEMVs, and the MACs of each."""
    tiles = program[program["kind"] == TILE]
    return int((program["kind"] == GWRITE).sum()), len(tiles), int(tiles["groups"].sum()), set(tiles["macs"].tolist())


@pytest.mark.parametrize(
    ("heads", "logits", "attends"),
    [
        (8, (2, 20, 80, {8}), (8, 32, 32, {19})),  # 7B, TP 4
        (10, (3, 30, 100, {8}), (10, 40, 40, {19})),  # 13B, TP 4
        (14, (4, 40, 140, {8}), (14, 56, 56, {19})),  # 30B, TP 4
        (12, (3, 30, 120, {8}), (12, 48, 48, {19})),  # 175B, TP 8
    ],
)
def test_counts_of_a_context_of_300(heads: int, logits: tuple[object, ...], attends: tuple[object, ...]) -> None:
    kv = cache(heads, 300)
    assert counts(logit(kv)[0]) == logits
    assert counts(attend(kv)[0]) == attends


@settings(max_examples=50, deadline=None)
@examples(st.integers(1, 16), st.lists(st.integers(1, 2100), min_size=1, max_size=4))
def test_counts_follow_the_formulas(heads: int, lengths: list[int]) -> None:
    kv = cache(heads, *lengths)
    chunks = -(-heads // 4)
    for length, k, v in zip(lengths, logit(kv), attend(kv), strict=True):
        tiles, rows = -(-length // 32), -(-length // 512)
        assert counts(k) == (chunks, chunks * tiles, heads * tiles, {8})
        assert counts(v)[:3] == (heads * rows, heads * rows * 4, heads * rows * 4)
        last = -(-(length - 512 * (rows - 1)) // 16)
        assert counts(v)[3] == {32, last} if rows > 1 else {last}


def test_the_last_chunk_of_keys_has_the_remaining_heads() -> None:
    program = logit(cache(10, 40))[0]
    assert program["kind"].tolist() == [GWRITE, TILE, TILE] * 3
    assert program["groups"].tolist() == [0, 4, 4, 0, 4, 4, 0, 2, 2]
    assert program["block"].tolist() == [-1, 0, 0, -1, 4, 4, -1, 8, 8]


def test_attend_goes_head_by_head_and_chunk_by_chunk() -> None:
    program = attend(cache(2, 600))[0]
    one_vector = [GWRITE, TILE, TILE, TILE, TILE]
    assert program["kind"].tolist() == one_vector * 4
    assert program["macs"].tolist() == [0, 32, 32, 32, 32, 0, 6, 6, 6, 6] * 2
    assert program["block"].tolist() == ([-1] + [0] * 4) * 2 + ([-1] + [1] * 4) * 2


def test_only_the_first_gwrite_of_attend_waits_for_the_scores() -> None:
    kv = cache(8, 300, 5)
    for program in attend(kv):
        assert program["gate"].tolist() == [0] + [-1] * (len(program) - 1)
    assert all(set(program["gate"].tolist()) == {-1} for program in logit(kv))


@settings(max_examples=30, deadline=None)
@examples(st.integers(1, 10), st.lists(st.integers(1, 1200), min_size=1, max_size=4))
def test_gwrites_read_what_was_written(heads: int, lengths: list[int]) -> None:
    kv = cache(heads, *lengths)
    requests = np.arange(len(lengths))
    owner, _, channel, bank, row, size = score_runs(kv, requests)
    for request, (k, v) in enumerate(zip(logit(kv), attend(kv), strict=True)):
        mine = owner == request
        sources = v[v["kind"] == GWRITE]
        assert list(zip(sources["bank"], sources["row"], strict=True)) == list(zip(bank[mine], row[mine], strict=True))
        assert size[mine].sum() == heads * sum(
            -(-min(512, lengths[request] - c) * 2 // 64) for c in range(0, lengths[request], 512)
        )
        queries = k[k["kind"] == GWRITE]
        expected = [kv.query(np.array(request), chunk) for chunk in range(len(queries))]
        assert [(q["bank"], q["row"]) for q in queries] == expected
        assert set(channel[mine].tolist()) == set(k["channel"].tolist()) == {request % 32}


@settings(max_examples=30, deadline=None)
@examples(st.integers(1, 10), st.integers(1, 1200))
def test_each_tile_row_is_read_once(heads: int, length: int) -> None:
    kv = cache(heads, length)
    rows = [program[program["kind"] == TILE]["row"].tolist() for program in (logit(kv)[0], attend(kv)[0])]
    first = int(kv.first_row[0])
    total = int(kv.geometry.rows(kv.lengths)[0])
    assert sorted(rows[0] + rows[1]) == list(range(first, first + total))
    assert max(rows[0]) < min(rows[1])


def test_a_sub_batch_gets_the_programs_of_its_requests() -> None:
    kv = cache(4, 30, 700, 90)
    assert np.array_equal(logit(kv, 1, 2)[1], logit(kv)[2])
    assert np.array_equal(attend(kv, 1)[0], attend(kv)[1])


def test_published_gwrites_name_row_0_of_bank_0() -> None:
    program = attend(cache(8, 300))[0]
    bare = without_vector_rows(program)
    gwrite = bare["kind"] == GWRITE
    assert set(bare["bank"][gwrite].tolist()) == set(bare["row"][gwrite].tolist()) == {0}
    assert np.array_equal(bare[~gwrite], program[~gwrite])
