"""A tiny machine and a tiny model: 4 channels of 8 banks, rows of 128 numbers, arrays of 16 x 16."""

from collections.abc import Callable, Sequence

import pytest

from neupims.hardware.load import load_system
from neupims.hardware.system import SystemSpec
from neupims.isa.verify import Bounds
from neupims.isa.work import Dataflow, Records
from neupims.lowering.decoder import DecoderShape
from neupims.request import Batch, Request

TINY = (
    "memory.organization.channels=4",
    "memory.organization.bank_groups=2",
    "memory.organization.banks_per_group=2",
    "memory.organization.rows=2048",
    "memory.organization.row_bytes=256",
    "processor.arrays.count=4",
    "processor.arrays.rows=16",
    "processor.arrays.columns=16",
    "processor.vector.count=4",
    "processor.vector.lanes=16",
    "processor.scratchpad.bytes=1000000",
    "processor.scratchpad.accumulator_bytes=1000000",
)
TINY_PIM = (*TINY, "pim.vector_buffer_bytes=256")

Systems = Callable[..., SystemSpec]
Batches = Callable[[Sequence[int]], Batch]


@pytest.fixture
def tiny() -> Systems:
    """A tiny version of a system, by name, with more overrides behind."""

    def make(name: str = "neupims", *overrides: str) -> SystemSpec:
        has_pim = load_system(name).pim is not None
        return load_system(name, (*(TINY_PIM if has_pim else TINY), *overrides))

    return make


@pytest.fixture
def shape() -> DecoderShape:
    """Two layers of 8 heads of 32: keys take two rows."""
    return DecoderShape(width=256, heads=8, head_dim=32, ffn=1024, layers=2, vocabulary=200, positions=300)


@pytest.fixture
def llama() -> DecoderShape:
    """Two layers whose 8 query heads of 32 share 4 heads of keys and values, which take one row."""
    return DecoderShape(
        *(256, 8, 32, 512, 2, 200),
        bias=False,
        tied=False,
        group=2,
        norm="rms_norm",
        rotary=True,
        gated=True,
    )


@pytest.fixture(params=["gpt3", "llama"])
def decoder(request: pytest.FixtureRequest, shape: DecoderShape, llama: DecoderShape) -> DecoderShape:
    """Each family in turn."""
    return {"gpt3": shape, "llama": llama}[request.param]


@pytest.fixture
def batch_of() -> Batches:
    """Requests of the given lengths, in channels 0, 1, 2, 3, 0, ..."""

    def make(lengths: Sequence[int]) -> Batch:
        return tuple(Request(index, length, index % 4) for index, length in enumerate(lengths))

    return make


@pytest.fixture
def bounds() -> Callable[[SystemSpec], Bounds]:
    """What a plan for a system may use."""

    def make(system: SystemSpec) -> Bounds:
        assert system.memory is not None
        org = system.memory.organization
        return Bounds(org.channels, org.banks, org.rows, org.bursts_per_row, org.burst_bytes)

    return make


@pytest.fixture
def cost() -> Callable[[Records, Dataflow], int]:
    """Steps one after the other, each as long as the longer of preload and stream."""

    def cycles(steps: Records, dataflow: Dataflow) -> int:
        return int(sum(max(stream, preload) for stream, preload in zip(steps["stream"], steps["preload"], strict=True)))

    return cycles
