"""Processors: a systolic-array NPU, and a GPU as a roofline."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from neupims.hardware.base import ClockGhz, Spec


class SystolicArrays(Spec):
    """Several systolic arrays with a tile of their own each, or folded into one."""

    count: PositiveInt
    rows: PositiveInt
    columns: PositiveInt
    dataflow: Literal["weight_stationary", "activation_stationary", "output_stationary", "fastest"]
    """Operand that stays in the array; `fastest` takes for each GEMM the one that ends first."""
    folded: bool = False
    """Whether `count` arrays are one array that streams `count` times faster (published simulator)."""
    double_buffered: bool = True
    """Whether the next stationary block is loaded behind the current one."""
    starts_in_past: bool = False
    """Whether a block may start before its data came, after a stall (published simulator)."""
    preload: Literal["hidden", "drained"] = "hidden"
    """Folded arrays: a stationary block is loaded behind the stream, or not before all results have left."""
    vector_preload: PositiveInt | None = None
    """Cycles in which idle arrays load a single vector, where attention runs as a chain; none: `rows`."""


class VectorUnits(Spec):
    """SIMD units for norms, softmax, activations and residuals; latencies in cycles of the NPU clock."""

    count: PositiveInt
    lanes: PositiveInt
    add: PositiveInt = 1
    multiply: PositiveInt = 1
    exponential: PositiveInt = 1
    gelu: PositiveInt = 1
    tree_step: PositiveInt = 1
    scalar_add: PositiveInt = 1
    scalar_multiply: PositiveInt = 1
    scalar_sqrt: PositiveInt = 1
    counts: Literal["elements", "published"] = "elements"
    """Element counts as they are, or lost (norm, add, gelu) and taken in bytes (softmax) as published."""
    order: Literal["ready", "program"] = "ready"
    """Rows start when their data are there; or, as published, one per cycle and none before those in front of it."""


class Scratchpad(Spec):
    """On-chip memory; half of it is filled while the other half is used."""

    bytes: PositiveInt
    accumulator_bytes: PositiveInt


class NpuEnergy(Spec):
    """Energy per operation and static power."""

    mac_pj: PositiveFloat
    vector_op_pj: PositiveFloat
    scratchpad_pj_per_byte: PositiveFloat
    static_w: float = Field(ge=0)


class NpuSpec(Spec):
    """A systolic-array NPU."""

    kind: Literal["npu"] = "npu"
    clock_ghz: ClockGhz
    element_bytes: PositiveInt = 2
    arrays: SystolicArrays
    vector: VectorUnits
    scratchpad: Scratchpad
    interconnect_cycles: NonNegativeInt = 1
    """Cycles of the NPU clock between core and memory controller, each way."""
    operator_gap_cycles: NonNegativeInt = 0
    """Cycles from the end of an operator to the first request of the next."""
    stage_gap_cycles: NonNegativeInt = 0
    """Cycles from the end of a stage to the start of the next."""
    prefetch: Literal["stage", "operator"] = "stage"
    """How far ahead weights are fetched: over the operators of a stage, or inside one operator."""
    loads_per_cycle: PositiveInt | None = None
    """Loads that leave for memory in one cycle, at most; none sets no limit."""
    reshape_cycles: NonNegativeInt = 0
    """Cycles of each split, reshape and join of the tensors of a request around attention that runs as a chain."""
    energy: NpuEnergy


class GpuEnergy(Spec):
    """Energy of a GPU as a whole."""

    mac_pj: PositiveFloat
    dram_pj_per_byte: PositiveFloat
    static_w: float = Field(ge=0)


class GpuSpec(Spec):
    """A GPU as a roofline: peak rates, the share of them that is reached, and a launch time."""

    kind: Literal["gpu"] = "gpu"
    element_bytes: PositiveInt = 2
    peak_tflops: PositiveFloat
    bandwidth_gb_s: PositiveFloat
    memory_bytes: PositiveInt
    gemm_efficiency: float = Field(gt=0, le=1)
    """Share of the peak reached by large GEMMs."""
    stream_efficiency: float = Field(gt=0, le=1)
    """Share of the bandwidth reached by streaming kernels."""
    attention_efficiency: float = Field(gt=0, le=1)
    """Share of the bandwidth reached by decode attention."""
    launch_us: float = Field(ge=0)
    """Time from one kernel's end to the next one's start."""
    energy: GpuEnergy
