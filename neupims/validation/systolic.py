"""Systolic arrays against SCALE-Sim and against the laws of the published NeuPIMs simulator.

GEMMs are lowered as for a device with an endless scratchpad, and their steps are issued on the arrays as the
machine does, with all operands there. SCALE-Sim runs one fold after the other (a fold: one block that stays
in the array): loading it, filling, streaming, draining. So each fold here waits for the end of the one
before. SCALE-Sim names the last cycle, counted from 0; ours are counted, hence the 1 taken off. It leaves
out the rows cycles in which output-stationary results leave the array; there a fold ends with its last MAC.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise, product
from typing import NamedTuple, cast

import numpy as np

from neupims.hardware.load import load_system
from neupims.hardware.npu import NpuSpec, SystolicArrays
from neupims.isa.work import Dataflow, Records
from neupims.lowering.gemm import choose_tiling
from neupims.lowering.storage import PlacedStorage
from neupims.lowering.target import Target
from neupims.lowering.tiling import Gemm
from neupims.machine.systolic import ArrayState, array_timing, cost, cost_of, issue
from neupims.validation.check import Case, Check, References

SCALE_SIM = "SCALE-Sim 3.0.0"
SECTION = "Systolic arrays"
ENDLESS = 1 << 50
DATAFLOWS: dict[str, Dataflow] = {
    "ws": "weight_stationary",
    "os": "output_stationary",
    "is": "activation_stationary",
}


class Row(NamedTuple):
    """Cycles of an M x K by K x N product on rows x columns processing elements."""

    dataflow: str
    rows: int
    columns: int
    m: int
    n: int
    k: int
    cycles: int


MEASURED = (
    Row("ws", 128, 128, 128, 128, 128, 509),
    Row("ws", 128, 128, 256, 256, 256, 2551),
    Row("ws", 128, 128, 512, 512, 512, 14303),
    Row("ws", 128, 128, 100, 300, 200, 2891),
    Row("ws", 128, 128, 1, 512, 512, 6127),
    Row("ws", 128, 128, 64, 384, 384, 4013),
    Row("ws", 64, 32, 100, 300, 200, 10319),
    Row("ws", 64, 32, 300, 100, 200, 7327),
    Row("ws", 64, 32, 7, 1000, 33, 5279),
    Row("ws", 32, 128, 100, 300, 200, 6089),
    Row("ws", 32, 128, 1, 512, 512, 12223),
    Row("os", 128, 128, 128, 128, 128, 381),
    Row("os", 128, 128, 256, 256, 256, 2039),
    Row("os", 128, 128, 100, 300, 200, 1361),
    Row("os", 128, 128, 300, 100, 200, 1361),
    Row("os", 64, 32, 100, 300, 200, 5879),
    Row("os", 64, 32, 300, 100, 200, 5879),
    Row("os", 64, 32, 7, 1000, 33, 4063),
    Row("os", 32, 128, 100, 300, 200, 4295),
    Row("os", 32, 128, 1, 512, 512, 2679),
    Row("is", 128, 128, 128, 128, 128, 509),
    Row("is", 128, 128, 100, 300, 200, 1363),
    Row("is", 128, 128, 300, 100, 200, 2891),
    Row("is", 128, 128, 1, 512, 512, 3575),
    Row("is", 64, 32, 100, 300, 200, 7327),
    Row("is", 64, 32, 300, 100, 200, 10319),
    Row("is", 64, 32, 7, 1000, 33, 1157),
    Row("is", 32, 128, 100, 300, 200, 3429),
    Row("is", 32, 128, 1, 512, 512, 11231),
)
"""Runs of SCALE-Sim 3.0.0 with GEMM topologies (its M is our tokens, N our outputs, K the inner dimension)."""

COMPUTED = (
    Row("ws", 128, 128, 1024, 4096, 4096, 1439743),
    Row("ws", 128, 128, 256, 12288, 4096, 1959935),
)
"""From its closed form only."""

SIZES = (1, 7, 32, 100, 129, 300)
SHAPES = ((8, 8), (16, 64), (64, 16), (128, 128), (32, 3))

MODELS = {"7b-tp4": (4096, 4), "13b-tp4": (5120, 4), "30b-tp4": (7168, 4), "175b-tp8": (12288, 8)}
"""Embedding and tensor parallelism of GPT-3 variants."""

LAW = {
    "7b-tp4": {128: 60_800, 256: 121_600, 512: 243_200},
    "13b-tp4": {128: 91_360, 256: 182_720, 512: 365_440},
    "30b-tp4": {128: 170_912, 256: 341_824, 512: 683_648},
    "175b-tp8": {128: 249_408, 256: 498_816, 512: 997_632},
}
"""Cycles of the four GEMMs of a block by tokens: for each GEMM Nb Kb (16 Mb + 112), in blocks of 128.

They hold where features are not cut into tiles. On the published scratchpad FC2 of 175b-tp8 is, and loads its
activations twice.
"""

DRAINED_LAW = {128: 75_672, 256: 151_344, 512: 302_688}
"""The same of its branch without PIM, 7b-tp4: for each GEMM Nb Kb (16 Mb + 255)."""

START, DRAINED_START = 255 + 270 - 128, 128
"""What each GEMM pays once: the first preload with fill and drain, less what the law counts for it."""


def closed_form(row: Row) -> int:
    """SCALE-Sim's cycles: folds * (cycles of a fold) - 1."""
    across = -(-(row.m if row.dataflow == "is" else row.n) // row.columns)
    if row.dataflow == "os":
        return -(-row.m // row.rows) * across * (row.k + row.rows + row.columns - 2) - 1
    stream = row.n if row.dataflow == "is" else row.m
    return -(-row.k // row.rows) * across * (stream + 2 * row.rows + row.columns - 2) - 1


def one_array(row: Row, double_buffered: bool) -> SystolicArrays:
    """A single array of the row's shape."""
    return SystolicArrays(
        count=1,
        rows=row.rows,
        columns=row.columns,
        dataflow=DATAFLOWS[row.dataflow],  # pyright: ignore[reportArgumentType]
        double_buffered=double_buffered,
    )


def lowered(gemm: Gemm, arrays: SystolicArrays) -> tuple[Records, Dataflow]:
    """Steps of a GEMM on these arrays, for a scratchpad without end."""
    system = load_system("neupims-authors" if arrays.folded else "npu-only")
    npu = cast(NpuSpec, system.processor)
    pad = npu.scratchpad.model_copy(update={"bytes": ENDLESS, "accumulator_bytes": ENDLESS})
    npu = npu.model_copy(update={"scratchpad": pad, "arrays": arrays})
    tiles = choose_tiling(gemm, Target(npu, system.policy, PlacedStorage(), 1.0, cost_of(arrays)), bias=False)
    return tiles.steps, tiles.dataflow


def fold_by_fold(row: Row) -> int:
    """Number of the last cycle when each fold waits for the end of the one before."""
    arrays = one_array(row, double_buffered=False)
    steps, dataflow = lowered(Gemm(row.m, row.k, row.n), arrays)
    timing, state, end = array_timing(steps, arrays, dataflow), ArrayState(), 0
    leaving = arrays.rows if dataflow == "output_stationary" else 0
    edges = [*np.flatnonzero(steps["preload"]).tolist(), len(steps)]
    for first, last in pairwise(edges):
        ready = np.full(last - first, end, np.int64)
        end = int(issue(timing, slice(first, last), ready, state, arrays)[-1]) - leaving
    return end - 1


def overlap_holds(row: Row) -> bool:
    """Whether folds that overlap take no less than their streams or loads alone, and no more than one by one."""
    arrays = one_array(row, double_buffered=True)
    steps, dataflow = lowered(Gemm(row.m, row.k, row.n), arrays)
    cycles = cost(steps, arrays, dataflow)
    leaving = arrays.rows if dataflow == "output_stationary" else 0
    return max(steps["stream"].sum(), steps["preload"].sum()) <= cycles <= fold_by_fold(row) + 1 + leaving


def _all_sizes(dataflow: str) -> Iterator[Row]:
    for (rows, columns), m, n, k in product(SHAPES, SIZES, SIZES[::2], SIZES[1::2]):
        yield Row(dataflow, rows, columns, m, n, k, 0)


def _scale_sim(dataflow: str) -> Iterator[Check]:
    note = "counted to the last MAC: the results' way out is not in theirs" if dataflow == "os" else ""
    for kind, rows in ((f"{SCALE_SIM}, measured", MEASURED), (f"{SCALE_SIM}, closed form", COMPUTED)):
        for row in rows:
            if row.dataflow == dataflow:
                name = f"systolic.{dataflow}.{row.rows}x{row.columns}.m{row.m}-n{row.n}-k{row.k}"
                yield Check(name, kind, fold_by_fold(row), row.cycles, "cycles", 0, note)


def _closed_forms(dataflow: str) -> Iterator[Check]:
    rows = list(_all_sizes(dataflow))
    equal = sum(fold_by_fold(row) == closed_form(row) for row in rows)
    name = f"systolic.{dataflow}.all-sizes"
    yield Check(name, f"{SCALE_SIM}, closed form", equal, len(rows), "sizes", 0, "sizes and shapes with equal cycles")
    within = sum(overlap_holds(row) for row in rows)
    note = "sizes whose double-buffered cycles lie between streams or loads alone and folds one by one"
    yield Check(f"systolic.{dataflow}.overlapped", "bounds", within, len(rows), "sizes", 0, note)


def gemms_of(model: str, tokens: int) -> list[Gemm]:
    """QKV, projection and the two layers of the feed-forward network on one device."""
    width, devices = MODELS[model]
    shapes = ((width, 3 * width // devices), (width // devices, width), (width, 4 * width // devices))
    return [Gemm(tokens, inner, outputs) for inner, outputs in (*shapes, (4 * width // devices, width))]


def law_cycles(model: str, tokens: int, drained: bool) -> int:
    """Cycles of the GEMMs of a block on the folded arrays, less what each pays once."""
    arrays = cast(NpuSpec, load_system("neupims-authors").processor).arrays
    if drained:
        arrays = arrays.model_copy(update={"preload": "drained", "starts_in_past": False})
    once = DRAINED_START if drained else START
    return sum(
        cost(steps, arrays, flow) - once for steps, flow in (lowered(g, arrays) for g in gemms_of(model, tokens))
    )


def _laws() -> Iterator[Check]:
    source = "NeuPIMs simulator, issue rules: Nb Kb (16 Mb + 112) for each GEMM"
    for model, tokens in product(LAW, (128, 256, 512)):
        ours, name = law_cycles(model, tokens, drained=False), f"systolic.published.{model}.n{tokens}"
        yield Check(name, source, ours, LAW[model][tokens], "cycles", 0)
    source = "NeuPIMs simulator, branch npu-only, issue rules: Nb Kb (16 Mb + 255) for each GEMM"
    for tokens, theirs in DRAINED_LAW.items():
        name = f"systolic.published-npu-only.7b-tp4.n{tokens}"
        yield Check(name, source, law_cycles("7b-tp4", tokens, drained=True), theirs, "cycles", 0)


def _measure(dataflow: str) -> Iterable[Check]:
    yield from _scale_sim(dataflow)
    yield from _closed_forms(dataflow)


def _case(dataflow: str) -> Case:
    def measure(_: References) -> Iterable[Check]:
        return _measure(dataflow)

    return Case(f"systolic.{dataflow}", SECTION, measure)


CASES = (
    *(_case(dataflow) for dataflow in DATAFLOWS),
    Case("systolic.published", SECTION, lambda _: _laws()),
)
