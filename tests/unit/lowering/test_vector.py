from collections.abc import Callable

import numpy as np
import pytest

from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.address import AddressMap
from neupims.isa.verify import Bounds, npu_problems
from neupims.isa.work import Dataflow, NpuWork, Records
from neupims.lowering.places import Columns, Place, RowMajor, panels, rectangles
from neupims.lowering.storage import PlacedStorage
from neupims.lowering.target import Target
from neupims.lowering.vector import NORM_ROWS, Rows, lower_embedding, lower_rows, lower_sampling, row_chunks

WIDTH = 256
ADDRESS = AddressMap((("row", 2048), ("rank", 2), ("group", 2), ("bank", 2), ("column", 4), ("channel", 4)), 64)
Systems = Callable[..., SystemSpec]


@pytest.fixture
def target(tiny: Systems, cost: Callable[[Records, Dataflow], int]) -> Target:
    return made_for(tiny(), cost)


def made_for(system: SystemSpec, cost: Callable[[Records, Dataflow], int]) -> Target:
    assert isinstance(system.processor, NpuSpec)
    return Target(system.processor, system.policy, PlacedStorage(), 128.0, cost)


def stream(base: int, tokens: int = 200) -> Place:
    return panels(ADDRESS, base, (tokens, WIDTH), 16, 2)


def traffic(work: NpuWork) -> tuple[int, int]:
    return int(work.loads.bytes.sum()), int(work.stores.bytes.sum())


def legal(work: NpuWork) -> bool:
    return not list(npu_problems(work, Bounds(4, 8, 2048, 4, 64)))


@pytest.mark.parametrize("tokens", [1, 3, 40, 200])
def test_layer_norm_reads_and_writes_each_token_once(target: Target, tokens: int) -> None:
    parameters = RowMajor(ADDRESS, 0, WIDTH, 2)
    work = lower_rows(
        "norm", "layer_norm", Rows(0, tokens, WIDTH), [stream(4096)], stream(1 << 18), target, (parameters, 2)
    )
    assert traffic(work) == (2 * tokens * WIDTH + 2 * 2 * WIDTH, 2 * tokens * WIDTH)
    assert work.loads.early.tolist() == [True, True] + [False] * len(work.steps)
    assert work.steps["rows"].sum() == tokens
    assert set(work.steps["stream"].tolist()) == {WIDTH}
    assert legal(work)


def test_add_reads_two_tensors(target: Target) -> None:
    work = lower_rows("add", "add", Rows(8, 48, WIDTH), [stream(0), stream(1 << 18)], stream(0), target)
    assert traffic(work) == (2 * 2 * 40 * WIDTH, 2 * 40 * WIDTH)
    assert work.other_ops == 40 * WIDTH
    assert legal(work)


def test_a_step_is_a_block_of_an_array_or_a_quarter_of_a_small_batch(target: Target) -> None:
    def sizes(tokens: int) -> list[int]:
        first, end = row_chunks(Rows(0, tokens, WIDTH), target.npu)
        return (end - first).tolist()

    assert sizes(200) == [16] * 12 + [8]
    assert sizes(40) == [12, 12, 12, 4]
    assert sizes(3) == [3]


def test_published_units_take_one_token_at_a_time(tiny: Systems, cost: Callable[[Records, Dataflow], int]) -> None:
    published = made_for(tiny("neupims", "processor.vector.counts=published"), cost)
    work = lower_rows("gelu", "gelu", Rows(0, 40, WIDTH), [stream(0)], stream(1 << 18), published)
    assert work.steps["rows"].tolist() == [1] * 40
    assert len(work.loads.bytes) == len(work.stores.bytes) == 40


def test_embedding_reads_only_the_rows_of_this_device(target: Target) -> None:
    table = RowMajor(ADDRESS, 0, WIDTH, 2)
    here = np.where(np.arange(40) % 4 == 0, np.arange(40), -1)
    work = lower_embedding(
        "embedding", Rows(0, 40, WIDTH), [(table, here), (table, np.arange(40))], stream(1 << 18), target
    )
    assert traffic(work) == (2 * 50 * WIDTH, 2 * 40 * WIDTH)
    assert work.other_ops == 3 * 40 * WIDTH  # two look-ups and their sum
    assert legal(work)


def test_a_step_may_need_nothing_from_this_device(target: Target) -> None:
    table = RowMajor(ADDRESS, 0, WIDTH, 2)
    here = np.where(np.arange(16) < 4, np.arange(16), -1)
    work = lower_embedding("embedding", Rows(0, 16, WIDTH), [(table, here)], stream(1 << 18), target)
    assert work.steps["loads"].tolist() == [1, 1, 1, 1]
    assert len(work.stores.bytes) == 4
    assert legal(work)


def test_sampling_leaves_a_token_and_its_score(target: Target) -> None:
    work = lower_sampling("sampling", Rows(0, 40, WIDTH), stream(0), RowMajor(ADDRESS, 1 << 18, 4, 2), target)
    assert traffic(work) == (2 * 40 * WIDTH, 40 * 8)
    assert legal(work)


@pytest.mark.parametrize(("kind", "lines"), list(NORM_ROWS.items()))
def test_a_norm_reads_its_parameters_once(target: Target, kind: str, lines: int) -> None:
    parameters = (RowMajor(ADDRESS, 0, WIDTH, 2), lines)
    work = lower_rows("norm", kind, Rows(0, 40, WIDTH), [stream(4096)], stream(1 << 18), target, parameters)
    assert traffic(work) == (2 * 40 * WIDTH + lines * 2 * WIDTH, 2 * 40 * WIDTH)
    assert work.loads.early.tolist() == [True] * lines + [False] * 4
    assert work.steps["loads"].tolist() == [lines + step for step in (1, 2, 3, 4)]
    assert legal(work)


def test_swiglu_reads_both_halves(target: Target) -> None:
    half, both = WIDTH // 2, stream(0)
    rows, out = Rows(0, 40, half), panels(ADDRESS, 1 << 18, (200, half), 16, 2)
    work = lower_rows("swiglu", "swiglu", rows, [both, Columns(both, half)], out, target)
    first, end = row_chunks(rows, target.npu)
    whole = both.runs(rectangles(first, end, 0, WIDTH), np.arange(len(first)), False)
    names = ["channel", "bank", "row", "column", "bursts"]
    assert sorted(work.loads.runs[names].tolist()) == sorted(whole[names].tolist())
    assert traffic(work) == (2 * 40 * WIDTH, 2 * 40 * half)
    assert work.other_ops == 5 * 40 * half
    assert legal(work)
