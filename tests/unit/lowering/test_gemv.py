import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.isa.memory import GWRITE, TILE
from neupims.lowering.gemv import attend_programs, logit_programs, score_runs, without_vector_rows
from neupims.lowering.geometry import KvGeometry
from neupims.lowering.kv import KvRows, QkvRows, place_rows
from neupims.lowering.places import rectangles

MACS = 16


def cache(heads: int, *lengths: int, group: int = 1) -> KvRows:
    geometry = KvGeometry(heads, 128, element_bytes=2, row_bytes=1024, burst_bytes=64, banks=32, group=group)
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
@examples(st.integers(1, 16), st.integers(1, 4), st.lists(st.integers(1, 2100), min_size=1, max_size=4))
def test_counts_follow_the_formulas(heads: int, group: int, lengths: list[int]) -> None:
    kv = cache(heads, *lengths, group=group)
    chunks = -(-heads // 4)
    for length, k, v in zip(lengths, logit(kv), attend(kv), strict=True):
        tiles, rows = -(-length // 32), -(-length // 512)
        assert counts(k) == (group * chunks, group * chunks * tiles, group * heads * tiles, {8})
        assert counts(v)[:3] == (group * heads * rows, *[group * heads * rows * 4] * 2)
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
@examples(st.integers(1, 10), st.integers(1, 3), st.lists(st.integers(1, 1200), min_size=1, max_size=4))
def test_gwrites_read_what_was_written(heads: int, group: int, lengths: list[int]) -> None:
    kv = cache(heads, *lengths, group=group)
    requests = np.arange(len(lengths))
    owner, _, channel, bank, row, size = score_runs(kv, requests)
    for request, (k, v) in enumerate(zip(logit(kv), attend(kv), strict=True)):
        mine = owner == request
        sources = v[v["kind"] == GWRITE]
        assert list(zip(sources["bank"], sources["row"], strict=True)) == list(zip(bank[mine], row[mine], strict=True))
        assert size[mine].sum() == group * heads * sum(
            -(-min(512, lengths[request] - c) * 2 // 64) for c in range(0, lengths[request], 512)
        )
        queries = k[k["kind"] == GWRITE]
        expected = [kv.query(np.array(request), vector) for vector in range(len(queries))]
        assert [(q["bank"], q["row"]) for q in queries] == expected
        assert set(channel[mine].tolist()) == set(k["channel"].tolist()) == {request % 32}


@settings(max_examples=30, deadline=None)
@examples(st.integers(1, 10), st.integers(1, 3), st.integers(1, 1200))
def test_each_tile_row_is_read_once_for_each_query_head_of_its_group(heads: int, group: int, length: int) -> None:
    kv = cache(heads, length, group=group)
    rows = [program[program["kind"] == TILE]["row"].tolist() for program in (logit(kv)[0], attend(kv)[0])]
    first = int(kv.first_row[0])
    total = int(kv.geometry.rows(kv.lengths)[0])
    assert sorted(rows[0] + rows[1]) == sorted(list(range(first, first + total)) * group)
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


def test_query_heads_that_share_keys_are_passes_of_one_attention() -> None:
    """Result blocks of a pass are those of one member of each group; all passes read the same rows of K and V."""
    grouped, alone = cache(6, 600, group=2), cache(6, 600)
    for programs in (logit, attend):
        whole, one = programs(grouped)[0], programs(alone)[0]
        first, second = np.split(whole, 2)
        shift = int(grouped.first_row[0] - alone.first_row[0])
        tiles = one["kind"] == TILE
        for member, part in enumerate((first, second)):
            assert np.array_equal(part["kind"], one["kind"])
            assert np.array_equal(part["block"][tiles], one["block"][tiles] + 6 * member)
            assert np.array_equal(part["row"][tiles], one["row"][tiles] + shift)
            assert np.array_equal(part[["macs", "groups"]], one[["macs", "groups"]])
        sources = whole[whole["kind"] == GWRITE][["bank", "row"]].tolist()
        assert len(set(sources)) == len(sources) == 2 * int((one["kind"] == GWRITE).sum())


def test_programs_of_llama_3_8b_on_one_device() -> None:
    """8 heads of keys and values, 4 in a row, each for 4 query heads; 300 tokens are 10 tiles and one row of values."""
    kv = cache(8, 300, group=4)
    assert counts(logit(kv)[0]) == (4 * 2, 4 * 2 * 10, 32 * 10, {8})
    assert counts(attend(kv)[0]) == (32, 32 * 4, 32 * 4, {19})
    assert int(kv.geometry.rows(kv.lengths)[0]) == 2 * 10 + 8 * 4
    assert int(kv.geometry.vectors(kv.lengths)[0]) == 4 * 2 + 32


# What the programs compute ----------------------------------------------------------------------------------------

Rows = dict[tuple[int, int], np.ndarray]
"""Numbers in each row of each bank of a channel."""


def computed(program: np.ndarray, rows: Rows, results: int, size: int, banks: int) -> list[np.ndarray]:
    """Sums of a program's results: `size` numbers of each row, in all banks, times the vector, tile after tile."""
    parts: list[list[np.ndarray]] = [[] for _ in range(results)]
    vector = np.zeros(0)
    for instruction in program:
        row = int(instruction["row"])
        if instruction["kind"] == GWRITE:
            vector = rows[int(instruction["bank"]), row]
            continue
        for group in range(instruction["groups"]):
            part = slice(group * size, (group + 1) * size)
            sums = [rows.get((bank, row), np.zeros(len(vector)))[part] @ vector[part] for bank in range(banks)]
            parts[instruction["block"] + group].append(np.array(sums))
    return [np.concatenate(result) for result in parts]


@pytest.mark.parametrize(("heads", "group", "length"), [(5, 1, 20), (5, 3, 150), (1, 4, 128), (4, 2, 7), (8, 2, 300)])
def test_programs_compute_attention(heads: int, group: int, length: int) -> None:
    """Each query head meets the keys and values of its group: head h those of h // group."""
    dim, banks, per_row, layer = 32, 8, 128, 1
    geometry = KvGeometry(heads, dim, element_bytes=2, row_bytes=256, burst_bytes=64, banks=banks, group=group)
    kv, who = place_rows(geometry, np.array([0]), np.array([length]), base=3), np.array([0])
    random = np.random.default_rng(heads)
    q, k, v = random.normal(size=(heads * group, dim)), *random.normal(size=(2, heads, length, dim))
    rows: Rows = {}

    def put(bank: int, row: int, place: int, numbers: np.ndarray) -> None:
        rows.setdefault((int(bank), int(row)), np.zeros(per_row))[place : place + len(numbers)] = numbers

    for head in range(heads * group):
        (run,) = QkvRows(kv, layer).runs(rectangles(0, 1, head * dim, (head + 1) * dim), np.array([0]), True)
        put(run["bank"], run["row"], int(run["column"]) * 32, q[head])
    for head, token in np.ndindex(heads, length):
        chunk, place = divmod(head, geometry.heads_per_row)
        row = kv.key_row(who, layer, np.array([token // banks]), np.array([chunk]))[0]
        put(token % banks, row, place * dim, k[head, token])
        for feature in range(dim):
            tile = (np.array([head]), np.array([feature // banks]), np.array([token // per_row]))
            number = v[head, token, feature : feature + 1]
            put(feature % banks, kv.value_row(who, layer, *tile)[0], token % per_row, number)

    logits = logit_programs(kv, layer, who, MACS).split()[0]
    scores = [result[:length] for result in computed(logits, rows, heads * group, dim, banks)]
    _, _, _, bank, row, _ = score_runs(kv, who)
    for index, (result, first) in enumerate(np.ndindex(heads * group, -(-length // per_row))):
        put(bank[index], row[index], 0, scores[result][first * per_row : (first + 1) * per_row])
    attends = attend_programs(kv, layer, who, MACS).split()[0]
    outputs = computed(attends, rows, heads * group, per_row, banks)
    for result, output in enumerate(outputs):
        member, head = divmod(result, heads)
        expected = k[head] @ q[head * group + member]
        assert scores[result] == pytest.approx(expected)
        assert output.reshape(-1, dim).sum(0) == pytest.approx(expected @ v[head])
