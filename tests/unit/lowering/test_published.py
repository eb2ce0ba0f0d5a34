import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.hardware.npu import SystolicArrays
from neupims.lowering.dataflows import Budget
from neupims.lowering.published import Tile, folded_nest, tiles
from neupims.lowering.tiling import Gemm, W, X, tiling

ARRAYS = SystolicArrays(count=8, rows=128, columns=128, dataflow="activation_stationary", folded=True)
HALF = Budget(operands=134_218 * 1024 // 2, accumulators=134_218 * 1024 // 2, element_bytes=2)


def array_cycles(gemm: Gemm) -> int:
    """Every step follows its predecessor after a preload of 128, or a stream of 16."""
    loops = folded_nest(gemm, ARRAYS, HALF, all_stores=False)
    return int(np.where(loops.preload > 0, loops.preload, loops.stream).sum())


@pytest.mark.parametrize(
    ("outputs", "inner", "cycles"),
    [(3072, 4096, 63_488), (4096, 1024, 19_968), (4096, 4096, 79_872)],
)
def test_array_time_of_7b_tp4_at_512_tokens(outputs: int, inner: int, cycles: int) -> None:
    assert array_cycles(Gemm(512, inner, outputs)) == cycles


@settings(max_examples=30, deadline=None)
@examples(st.integers(1, 600), st.integers(1, 900), st.integers(1, 900))
def test_array_time_is_the_formula(tokens: int, inner: int, outputs: int) -> None:
    blocks = [-(-size // 128) for size in (tokens, inner, outputs)]
    assert array_cycles(Gemm(tokens, inner, outputs)) == blocks[0] * blocks[1] * (16 * blocks[2] + 112)


@pytest.mark.parametrize(
    ("gemm", "pieces"),
    [
        (Gemm(512, 4096, 4096), (1, 1)),  # 7B
        (Gemm(256, 7168, 5376), (2, 1)),  # 30B QKV
        (Gemm(256, 7168, 7168), (2, 1)),  # 30B FC1 and FC2
        (Gemm(512, 12288, 4608), (2, 1)),  # 175B QKV
        (Gemm(512, 12288, 6144), (4, 1)),  # 175B FC1
        (Gemm(512, 6144, 12288), (2, 2)),  # 175B FC2
    ],
)
def test_large_gemms_are_halved_as_published(gemm: Gemm, pieces: tuple[int, int]) -> None:
    made = tiles(gemm, 128, HALF)
    assert (len({tile.k for tile in made}), len({tile.m for tile in made})) == pieces
    assert len(made) == pieces[0] * pieces[1]


def test_tiles_go_over_outputs_then_tokens_then_inner() -> None:
    made = tiles(Gemm(128, 512, 512), 128, Budget(2 * (128 * 256 * 2 + 256 * 256), 0, 2))
    assert made == [Tile((0, 128), k, m) for m in ((0, 256), (256, 512)) for k in ((0, 256), (256, 512))]


@settings(max_examples=30, deadline=None)
@examples(st.integers(1, 600), st.integers(1, 900), st.integers(1, 900), st.sampled_from([200_000, 400_000, 10**8]))
def test_each_tile_loads_weights_and_activations_once(tokens: int, inner: int, outputs: int, room: int) -> None:
    gemm, limits = Gemm(tokens, inner, outputs), Budget(room, room, 2)
    made = tiling("activation_stationary", folded_nest(gemm, ARRAYS, limits, all_stores=True), 2)
    split = tiles(gemm, 128, limits)
    for operand, size in (
        (W, sum(_size(t.k) * _size(t.m) for t in split)),
        (X, sum(_size(t.n) * _size(t.k) for t in split)),
    ):
        rects = made.loaded[made.operand == operand]
        assert ((rects[:, 1] - rects[:, 0]) * (rects[:, 3] - rects[:, 2])).sum() == size
    stored = made.stored
    assert ((stored[:, 1] - stored[:, 0]) * (stored[:, 3] - stored[:, 2])).sum() == tokens * outputs


def _size(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def test_a_tile_is_freed_as_a_whole() -> None:
    loops = folded_nest(Gemm(128, 512, 512), ARRAYS, Budget(300_000, 0, 2), all_stores=True)
    made = tiling("activation_stationary", loops, 2)
    ends = np.flatnonzero(made.steps["frees"])
    assert ends.tolist() == [3, 7, 11, 15]  # four tiles of two K blocks and two feature blocks


@pytest.mark.parametrize(("tokens", "size"), [(512, 524_288), (64, 16_384), (8, 2_048)])
def test_outputs_beyond_the_tokens_are_not_stored(tokens: int, size: int) -> None:
    made = tiling("activation_stationary", folded_nest(Gemm(tokens, 4096, 3072), ARRAYS, HALF, all_stores=False), 2)
    assert ((made.stored[:, 1] - made.stored[:, 0]) * (made.stored[:, 3] - made.stored[:, 2])).sum() * 2 == size


def test_loads_follow_the_loops() -> None:
    made = tiling(
        "activation_stationary", folded_nest(Gemm(256, 256, 256), ARRAYS, HALF, all_stores=True), 2, bias=False
    )
    first, second = made.operand[:6].tolist(), made.operand[6:].tolist()
    assert first == [X, W, W, X, W, W]
    assert second == [X, X]
    assert made.steps["loads"].tolist() == [2, 3, 5, 6, 7, 7, 8, 8]
