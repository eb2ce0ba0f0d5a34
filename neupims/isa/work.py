"""What may be asked of a device: operators lowered to loads, compute steps and stores.

All are frozen records of arrays. Addresses are already rows and columns of channels (`isa.memory`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neupims.isa.counter import RunningCounter
from neupims.isa.memory import RUN
from neupims.isa.run_source import GivenRuns, RunSource

Records = NDArray[Any]  # structured arrays

STEP = np.dtype(
    [
        ("loads", np.int32),  # this many of the first loads must have arrived
        ("stream", np.int32),  # array: vectors streamed through each array; vector unit: elements of one row
        ("preload", np.int32),  # array: rows of stationary operand to load first, 0 keeps the present one
        ("rows", np.int32),  # vector unit: rows of this step, spread over the units; see also NpuWork.chain
        ("frees", np.int64),  # scratchpad bytes that are free once the step has ended
    ]
)
"""One step of an operator on the arrays (all arrays in lockstep) or on the vector units."""

Dataflow = Literal["weight_stationary", "activation_stationary", "output_stationary"]
Unit = Literal["array", "vector"]


@dataclass(frozen=True, slots=True)
class Loads:
    """Blocks fetched into the scratchpad, in the order in which they are wanted."""

    source: RunSource = field(default_factory=GivenRuns)
    """Gives the `runs`."""
    bytes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Bytes of each load."""
    early: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """True where the data do not depend on earlier operators (weights, KV cache)."""
    after: NDArray[np.int64] | None = None
    """For each load a step whose stores must have been acknowledged before it leaves, -1 for none (ascending)."""

    @property
    def runs(self) -> Records:
        """RUN, sorted by block; `block` is the index of the load, 0 to n - 1. They may be listed anew each time."""
        return self.source.runs


@dataclass(frozen=True, slots=True)
class Accumulation:
    """Where partial sums gather, for stores that do not wait for the last of them (published simulator).

    A store leaves, in order, one per cycle, as soon as its accumulator has been filled and no step that adds to it is
    under way.
    """

    of_step: NDArray[np.int64]
    """Accumulator of each step of the operator."""
    filled_by: NDArray[np.int64]
    """For each store the load that fills its accumulator (a bias), -1 where only steps do."""
    behind: NDArray[np.int64]
    """For each store a step that must have ended as well, -1 for none."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Blocks written back, each after a step."""

    runs: Records = field(default_factory=lambda: np.empty(0, RUN))
    """RUN, sorted by block; `block` is the index of the store, 0 to n - 1."""
    bytes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    step: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    """Step whose result is stored (ascending)."""
    early: Accumulation | None = None
    """If given, stores need not wait for their step."""


@dataclass(frozen=True, slots=True)
class NpuWork:
    """One operator on the NPU: loads, steps in order, stores."""

    name: str
    kind: str
    """gemm, attention, layer_norm, softmax, gelu, add, embedding."""
    unit: Unit
    steps: Records
    loads: Loads
    stores: Stores
    dataflow: Dataflow = "weight_stationary"
    turns: int = 1
    """Rows of a vector operator that one unit takes one after the other, as if they were one."""
    chain: bool = False
    """Steps of an array operator with `rows` take `stream` cycles of a vector unit, one after the other."""
    macs: int = 0
    other_ops: int = 0
    after: tuple[str, ...] = ()
    """Works of the other program that must have ended before this one begins; see `Stage`."""


@dataclass(frozen=True, slots=True)
class LinkWork:
    """A collective between the devices of a tensor-parallel group."""

    name: str
    kind: str
    """all_reduce."""
    bytes: int
    """Bytes of the tensor on each device."""
    devices: int
    after: tuple[str, ...] = ()
    """Works of the other program that must have ended before this one begins; see `Stage`."""


@dataclass(frozen=True, slots=True)
class RooflineWork:
    """One operator on a processor that is timed as a roofline."""

    name: str
    kind: str
    """As in NpuWork."""
    macs: int
    bytes_read: int
    bytes_written: int
    """Between memory and chip."""
    other_ops: int = 0


@dataclass(frozen=True, slots=True)
class PimRequest:
    """Decode attention of one request, or of a part of its context, in the banks of one channel."""

    request: int
    channel: int
    length: int
    """Context length in tokens; of a part, its own."""
    logit: Records
    """INSTRUCTIONs of K^T q; result blocks are 0 to heads - 1, one for each head."""
    attend: Records
    """INSTRUCTIONs of S V; result blocks are one for each head, or for each tile of each head (`tiles_apart`).

    A gate is a block of `scores`: the first instruction waits for block 0; where heads write theirs apart, the first of
    each head may wait for its own.
    """
    scores: Records
    """RUNs that write the softmax results to the rows from which PIM_GWRITE reads them.

    All are block 0 and leave together, or block i holds those of head i, which leave when it is done.
    """
    output: Records
    """RUNs that write the attention output for the projection; blocks as in `scores`, or one for each result block."""
    continues: bool = False
    """Whether it is a further part of the request before it: they share one softmax, and what they attend to is added
    up to the output, which the first of them writes."""


@dataclass(frozen=True, slots=True)
class PimWork:
    """Decode attention of a sub-batch: all requests, each in its own channel."""

    name: str
    heads: int
    head_dim: int
    requests: tuple[PimRequest, ...]
    """In the order of the batch; inside a channel this is the order of execution."""
    macs: int = 0
    tiles_apart: int = 1
    """Result blocks of a head in the attend programs: one, or as many as it has tiles of features."""
    after: tuple[str, ...] = ()
    """Works of the other program that must have ended before this one begins; see `Stage`."""


@dataclass(frozen=True, slots=True)
class PimMatrix:
    """A matrix that lies in the banks of all channels, times some vectors."""

    name: str
    kind: str
    """gemm, as the same operator on the arrays."""
    vectors: tuple[Records, ...]
    """INSTRUCTIONs of each vector; result blocks are 0 to channels - 1, one for each channel."""
    channels: int
    """Channels in which the matrix lies; each reports one block for each vector."""
    sums: int
    """Additions of partial results, a burst each, for each block."""
    output: tuple[Records, ...]
    """RUNs that write the result of each vector; all are block 0."""
    macs: int = 0
    after: tuple[str, ...] = ()
    """As in NpuWork."""


AnyWork = NpuWork | LinkWork | PimWork | PimMatrix


@dataclass(frozen=True, slots=True)
class Stage:
    """Two programs that start together; the stage ends when both have ended.

    Each runs its works in order. A work begins when the one before it has ended and so have those of the other program
    that it names in `after`, what they did being seen as at the end of a stage; only its early loads may leave before.
    """

    name: str
    npu: tuple[NpuWork | LinkWork, ...] = ()
    pim: tuple[PimWork | PimMatrix, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages of one iteration, in order, with how often each stands in the whole of it."""

    stages: Sequence[Stage]
    repeats: tuple[int, ...]
    """The iteration takes sum(repeats[i] * duration(stages[i])); see the extrapolation in docs/design.md."""
    counter: RunningCounter | None = None
    """If given, requests take their addresses from it when they reach the memory; the RUNs only tell their number."""
    barriers: tuple[bool, ...] | None = None
    """For each stage, whether it begins when the one before has ended (None: all do).

    Without a barrier the programs of the stage before go on with its works, which may name works of all stages since
    the last barrier in `after`. Such a stage lasts from the end of the one before to the end of its last work.
    """

    def groups(self) -> tuple[range, ...]:
        """The numbers of the stages between one barrier and the next."""
        count = len(self.stages)
        begins = [index for index in range(count) if not index or self.barriers is None or self.barriers[index]]
        return tuple(map(range, begins, [*begins[1:], count]))
