import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from neupims.errors import CapacityError
from neupims.hardware.npu import SystolicArrays
from neupims.isa.work import Dataflow
from neupims.lowering.dataflows import DATAFLOWS, Budget, nest
from neupims.lowering.places import areas
from neupims.lowering.tiling import BIAS, Gemm, Nest, Tiling, W, X, tiling

ROOMY = Budget(operands=10**9, accumulators=10**9, element_bytes=2)


def arrays(count: int = 4, rows: int = 8, columns: int = 8) -> SystolicArrays:
    return SystolicArrays(count=count, rows=rows, columns=columns, dataflow="weight_stationary")


def tiles(dataflow: Dataflow, gemm: Gemm, limits: Budget = ROOMY, machine: SystolicArrays | None = None) -> Tiling:
    return tiling(dataflow, nest(dataflow, gemm, machine or arrays(), limits), limits.element_bytes)


def times(shape: tuple[int, int], rects: np.ndarray) -> np.ndarray:
    """How often each element of a matrix lies in a rectangle."""
    count = np.zeros(shape, int)
    for row, end, column, right in rects.tolist():
        count[row:end, column:right] += 1
    return count


def computed(loops: Nest, gemm: Gemm) -> np.ndarray:
    """How often each product (token, inner, output) is computed."""
    count = np.zeros((gemm.tokens, gemm.inner, gemm.outputs), int)
    edges = zip(*loops.n, *loops.k, *loops.m, strict=True)
    for n0, n1, k0, k1, m0, m1 in edges:
        count[n0:n1, k0:k1, m0:m1] += 1
    return count


gemms = st.builds(Gemm, st.integers(1, 40), st.integers(1, 40), st.integers(1, 70))
machines = st.builds(arrays, st.integers(1, 5), st.sampled_from([4, 8]), st.sampled_from([4, 8]))
dataflows = st.sampled_from(list(DATAFLOWS))


@settings(max_examples=80, deadline=None)
@examples(dataflows, gemms, machines, st.integers(300, 3000))
def test_every_product_is_computed_once(dataflow: Dataflow, gemm: Gemm, machine: SystolicArrays, room: int) -> None:
    loops = nest(dataflow, gemm, machine, Budget(room, room, 2))
    assert np.all(computed(loops, gemm) == 1)


@settings(max_examples=80, deadline=None)
@examples(dataflows, gemms, machines)
def test_with_room_every_operand_is_loaded_once(dataflow: Dataflow, gemm: Gemm, machine: SystolicArrays) -> None:
    made = tiles(dataflow, gemm, machine=machine)
    assert np.all(times((gemm.tokens, gemm.inner), made.loaded[made.operand == X]) == 1)
    assert np.all(times((gemm.inner, gemm.outputs), made.loaded[made.operand == W]) == 1)
    assert np.all(times((1, gemm.outputs), made.loaded[made.operand == BIAS]) == 1)


@settings(max_examples=80, deadline=None)
@examples(dataflows, gemms, machines, st.integers(300, 3000))
def test_every_output_is_stored_once(dataflow: Dataflow, gemm: Gemm, machine: SystolicArrays, room: int) -> None:
    made = tiles(dataflow, gemm, Budget(room, room, 2), machine)
    assert np.all(times((gemm.tokens, gemm.outputs), made.stored) == 1)
    assert np.all(np.diff(made.store_steps) >= 0)


@settings(max_examples=80, deadline=None)
@examples(dataflows, gemms, machines, st.integers(300, 3000))
def test_steps_have_what_they_use_and_free_it_at_the_end(
    dataflow: Dataflow, gemm: Gemm, machine: SystolicArrays, room: int
) -> None:
    limits = Budget(room, room, 2)
    loops, made = nest(dataflow, gemm, machine, limits), tiles(dataflow, gemm, limits, machine)
    size = areas(made.loaded) * 2
    assert made.steps["frees"].sum() == size.sum()
    for step in range(len(made.steps)):
        arrived = slice(0, made.steps["loads"][step])
        assert made.steps["frees"][: step + 1].sum() <= size[arrived].sum()
        for operand, edges in (
            (X, (*_at(loops.n, step), *_at(loops.k, step))),
            (W, (*_at(loops.k, step), *_at(loops.m, step))),
        ):
            loaded = made.loaded[arrived][made.operand[arrived] == operand]
            inside = (loaded[:, 0] <= edges[0]) & (loaded[:, 1] >= edges[1])
            assert np.any(inside & (loaded[:, 2] <= edges[2]) & (loaded[:, 3] >= edges[3]))


def _at(edges: tuple[np.ndarray, np.ndarray], step: int) -> tuple[int, int]:
    return int(edges[0][step]), int(edges[1][step])


@settings(max_examples=80, deadline=None)
@examples(st.sampled_from(["weight_stationary", "output_stationary"]), gemms, st.integers(300, 3000))
def test_resident_activations_stay_within_the_budget(dataflow: Dataflow, gemm: Gemm, room: int) -> None:
    loops = nest(dataflow, gemm, arrays(), Budget(room, 10**6, 2))
    for until in set(loops.x.until[loops.x.at].tolist()):
        held = loops.x.at & (loops.x.until >= until) & (np.arange(len(loops.x.at)) <= until)
        size = (loops.n[1] - loops.n[0]) * (loops.k[1] - loops.k[0]) * 2
        assert size[held].sum() <= room


# Weight stationary ----------------------------------------------------------------------------------------------


def test_weight_stationary_is_one_step_for_each_group_and_k_block() -> None:
    made = tiles("weight_stationary", Gemm(tokens=20, inner=24, outputs=64))
    assert len(made.steps) == 2 * 3
    assert made.steps["stream"].tolist() == [20] * 6
    assert made.steps["preload"].tolist() == [8] * 6
    assert made.loaded[made.operand == W].tolist() == [[k, k + 8, m, m + 32] for m in (0, 32) for k in (0, 8, 16)]
    assert made.store_steps.tolist() == [2, 5]


def test_activations_come_with_the_first_group_and_go_with_the_last() -> None:
    made = tiles("weight_stationary", Gemm(tokens=20, inner=24, outputs=64))
    assert made.operand.tolist() == [BIAS, X, W, X, W, X, W, BIAS, W, W, W]
    assert made.steps["loads"].tolist() == [3, 5, 7, 9, 10, 11]
    w, x, bias = 8 * 32 * 2, 20 * 8 * 2, 32 * 2
    assert made.steps["frees"].tolist() == [w, w, w + bias, w + x, w + x, w + x + bias]


@pytest.mark.parametrize(("outputs", "streams"), [(8, [5]), (16, [10]), (24, [20]), (40, [20, 5])])
def test_a_group_with_fewer_blocks_than_arrays_splits_the_tokens(outputs: int, streams: list[int]) -> None:
    assert tiles("weight_stationary", Gemm(20, 8, outputs)).steps["stream"].tolist() == streams


def test_weights_stream_again_for_each_chunk_of_tokens() -> None:
    limits = Budget(operands=24 * 2 * 9, accumulators=10**6, element_bytes=2)  # nine tokens
    made = tiles("weight_stationary", Gemm(20, 24, 64), limits)
    assert np.all(times((24, 64), made.loaded[made.operand == W]) == 3)
    assert np.all(times((20, 24), made.loaded[made.operand == X]) == 1)
    assert sorted(set(made.steps["stream"].tolist())) == [4, 8]


def test_partial_sums_limit_the_tokens_too() -> None:
    limits = Budget(operands=10**6, accumulators=10 * 32 * 4, element_bytes=2)
    assert tiles("weight_stationary", Gemm(20, 24, 64), limits).steps["stream"].max() == 10


# Activation and output stationary ---------------------------------------------------------------------------------


def test_activation_stationary_streams_all_features_past_each_block() -> None:
    made = tiles("activation_stationary", Gemm(tokens=16, inner=16, outputs=64))
    # two token blocks on four arrays: two arrays share each, so groups of two feature blocks
    assert len(made.steps) == 2 * 4
    assert made.steps["stream"].tolist() == [8] * 8
    assert made.steps["preload"].tolist() == [8, 0, 0, 0] * 2
    assert made.store_steps.tolist() == [4, 5, 6, 7]


def test_more_token_blocks_than_arrays_take_several_waves() -> None:
    made = tiles("activation_stationary", Gemm(tokens=40, inner=8, outputs=16))
    assert made.steps["preload"].tolist() == [8, 0, 8, 0]
    assert made.loaded[made.operand == X].tolist() == [[0, 32, 0, 8], [32, 40, 0, 8]]


def test_output_stationary_streams_k_and_drains_once() -> None:
    made = tiles("output_stationary", Gemm(tokens=16, inner=20, outputs=64))
    assert made.steps["stream"].tolist() == [8, 8, 4] * 4
    assert made.steps["preload"].tolist() == [8, 0, 0] * 4
    assert made.store_steps.tolist() == [2, 5, 8, 11]


@pytest.mark.parametrize(
    ("dataflow", "limits", "message"),
    [
        (
            "weight_stationary",
            Budget(1000, 10**6, 2),
            "processor.scratchpad.bytes: one token of a GEMM with 1,000 inputs and 64 outputs needs 2,000 bytes, "
            "but half of it is 1,000 bytes; enlarge it or raise --tp",
        ),
        (
            "activation_stationary",
            Budget(10**6, 200, 2),
            "processor.scratchpad.accumulator_bytes: one token of a GEMM with 1,000 inputs and 64 outputs needs 256 "
            "bytes, but half of it is 200 bytes; enlarge it or raise --tp",
        ),
    ],
)
def test_a_gemm_of_which_not_one_token_fits_is_refused(dataflow: Dataflow, limits: Budget, message: str) -> None:
    with pytest.raises(CapacityError) as error:
        nest(dataflow, Gemm(3, 1000, 64), arrays(), limits)
    assert str(error.value) == message
