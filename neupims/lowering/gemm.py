"""A GEMM on the systolic arrays: its dataflow, its tiles, and where they lie."""

from dataclasses import dataclass, replace

import numpy as np

from neupims.isa.work import Dataflow, NpuWork
from neupims.lowering.dataflows import DATAFLOWS, budget, nest, shortage
from neupims.lowering.places import Integers, Place
from neupims.lowering.published import early_stores, folded_nest
from neupims.lowering.storage import Access, loads, stores
from neupims.lowering.target import Target
from neupims.lowering.tiling import BIAS, Gemm, Tiling, W, X, tiling


@dataclass(frozen=True, slots=True)
class Operands:
    """Where the matrices of a GEMM lie; `first_token` is the row of x and out that is token 0."""

    x: Place
    w: Place
    bias: Place | None
    out: Place
    first_token: int = 0


def lower_gemm(name: str, gemm: Gemm, operands: Operands, target: Target) -> NpuWork:
    """out[tokens, outputs] = x[tokens, inner] w[inner, outputs] + bias."""
    tiles, sums = choose_tiling(gemm, target, operands.bias is not None), None
    if target.npu.arrays.folded and target.policy.stores == "published":
        sums = early_stores(folded_nest(gemm, target.npu.arrays, budget(target.npu), False), tiles)
    fetched = _fetched(tiles, operands)
    stored = Access(operands.out, _shifted(tiles.stored, operands.first_token), np.arange(len(tiles.stored)))
    early = tiles.operand != X
    return NpuWork(
        name=name,
        kind="gemm",
        unit="array",
        steps=tiles.steps,
        loads=loads(target.storage, fetched, early, target.element_bytes),
        stores=replace(stores(target.storage, [stored], tiles.store_steps, target.element_bytes), early=sums),
        dataflow=tiles.dataflow,
        macs=gemm.macs,
        other_ops=gemm.tokens * gemm.outputs * (operands.bias is not None),
    )


def choose_tiling(gemm: Gemm, target: Target, bias: bool = True) -> Tiling:
    """Tiles of the system's dataflow; `fastest` takes the one that ends first, the earlier named on ties.

    Raises:
        CapacityError: the scratchpad does not hold one token; for `fastest`, in no dataflow.
    """
    arrays = target.npu.arrays
    if arrays.folded:
        tiles = folded_nest(gemm, arrays, budget(target.npu), target.policy.stores == "all")
        return tiling("activation_stationary", tiles, target.element_bytes, bias, order=(BIAS, W, X))
    if arrays.dataflow != "fastest":
        return _tiling(arrays.dataflow, gemm, target, bias)
    fitting: list[Dataflow] = [flow for flow in DATAFLOWS if not shortage(flow, gemm, arrays, budget(target.npu))]
    options = [_tiling(dataflow, gemm, target, bias) for dataflow in fitting or list(DATAFLOWS)]
    return min(options, key=lambda option: estimated_cycles(option, target))


def estimated_cycles(tiles: Tiling, target: Target) -> float:
    """Time of a GEMM whose loads overlap its steps perfectly: the longer of the two."""
    load = tiles.loaded_bytes(target.element_bytes) / target.bytes_per_cycle
    return max(load, target.cost(tiles.steps, tiles.dataflow))


def _tiling(dataflow: Dataflow, gemm: Gemm, target: Target, bias: bool) -> Tiling:
    loops = nest(dataflow, gemm, target.npu.arrays, budget(target.npu))
    return tiling(dataflow, loops, target.element_bytes, bias)


def _fetched(tiles: Tiling, operands: Operands) -> list[Access]:
    places = ((X, operands.x), (W, operands.w), (BIAS, operands.bias))
    accesses: list[Access] = []
    for code, place in places:
        chosen = np.flatnonzero(tiles.operand == code)
        if place is not None:
            shift = operands.first_token if code == X else 0
            accesses.append(Access(place, _shifted(tiles.loaded[chosen], shift), chosen))
    return accesses


def _shifted(rects: Integers, rows: int) -> Integers:
    return rects + np.array([rows, rows, 0, 0])
