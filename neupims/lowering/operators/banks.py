"""Matrices in the banks: which rows hold them, and the programs that multiply them with vectors.

Output o of a weight [inner, outputs] lies in bank o % banks of channel o // banks % channels; a row of a bank holds as
many of its inner numbers as fit. A tile row is one row in all banks: `banks` outputs times one chunk of the inner axis.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from neupims.graph import Operator
from neupims.graph.kinds import KINDS
from neupims.hardware.memory import Organization
from neupims.isa.memory import GWRITE, INSTRUCTION, TILE
from neupims.isa.work import STEP, Loads, NpuWork, PimMatrix, Records, Stores
from neupims.lowering.kv import pim_runs
from neupims.lowering.operators.arena import Arena
from neupims.lowering.operators.pieces import contiguous, load_all
from neupims.lowering.places import Integers


@dataclass(frozen=True, slots=True)
class BankMatrix:
    """A weight in the banks of all channels."""

    inner: int
    outputs: int
    org: Organization
    element_bytes: int
    row: int = 0
    """First tile row."""
    vectors: int = 0
    """First row of the vectors, in all channels."""

    @property
    def row_elements(self) -> int:
        """Numbers in one row of a bank."""
        return self.org.row_bytes // self.element_bytes

    @property
    def chunks(self) -> int:
        """Rows that hold the numbers of one output."""
        return ceil(self.inner / self.row_elements)

    @property
    def tiles(self) -> int:
        """Tile rows of one chunk in the fullest channel."""
        return ceil(self.outputs / (self.org.banks * self.org.channels))

    @property
    def rows(self) -> int:
        """Tile rows of the whole matrix in each channel."""
        return self.chunks * self.tiles

    @property
    def channels(self) -> int:
        """Channels that hold outputs."""
        return min(self.org.channels, ceil(self.outputs / self.org.banks))


def bank_matrix(op: Operator, org: Organization, element_bytes: int) -> BankMatrix:
    """The weight of a linear layer, without a place."""
    inner, outputs = op.weights[0].shape
    return BankMatrix(inner, outputs, org, element_bytes)


def vector_rows(matrix: BankMatrix, vectors: int) -> int:
    """Rows of each bank that hold the vectors, spread over the banks of a channel."""
    return ceil(vectors * matrix.chunks / matrix.org.banks)


@dataclass(frozen=True, slots=True)
class TileTimes:
    """DRAM cycles of a GWRITE, and of a tile whose rows are full."""

    gwrite: int
    tile: int


def matrix_cycles(matrix: BankMatrix, vectors: int, times: TileTimes) -> int:
    """Cycles of the DRAM clock, without refresh and other traffic."""
    return vectors * matrix.chunks * (times.gwrite + matrix.tiles * times.tile)


def lower_matrix(op: Operator, matrix: BankMatrix, arena: Arena, macs_per_bank: int) -> PimMatrix:
    """Programs of a linear layer: for each vector, for each chunk, a GWRITE and the tiles of the chunk."""
    product = KINDS[op.kind].products(op)[0]
    row = op.outputs[0].bytes // product.rows
    starts = arena.base(op.outputs[0]) + np.arange(product.rows) * row
    runs = arena.address.runs(starts, np.full(product.rows, row), True, np.arange(product.rows))
    output = np.split(runs, np.searchsorted(runs["block"], np.arange(1, product.rows)))
    for part in output:
        part["block"] = 0
    return PimMatrix(
        name=op.name,
        kind="gemm",
        vectors=tuple(_program(matrix, vector, macs_per_bank) for vector in range(product.rows)),
        channels=matrix.channels,
        sums=matrix.tiles * (matrix.chunks - 1) + (1 if len(op.weights) > 1 else 0) * matrix.tiles,
        output=tuple(output),
        macs=op.macs,
    )


def _program(matrix: BankMatrix, vector: int, macs_per_bank: int) -> Records:
    """Instructions of one vector, channel after channel; block c is the result of channel c."""
    tiles_in = _tiles(matrix)
    chunk, channel, entry = _entries(matrix, tiles_in)
    made = np.zeros(len(chunk), INSTRUCTION)
    gwrite = entry == 0
    source = vector * matrix.chunks + chunk
    length = np.minimum(matrix.row_elements, matrix.inner - chunk * matrix.row_elements)
    made["channel"], made["gate"] = channel, -1
    made["kind"] = np.where(gwrite, GWRITE, TILE)
    made["bank"] = np.where(gwrite, source % matrix.org.banks, 0)
    made["row"] = np.where(
        gwrite, matrix.vectors + source // matrix.org.banks, matrix.row + chunk * matrix.tiles + entry - 1
    )
    made["groups"] = np.where(gwrite, 0, 1)
    made["macs"] = np.where(gwrite, 0, -(-length // macs_per_bank))
    made["block"] = np.where(gwrite, -1, channel)
    return made


def _tiles(matrix: BankMatrix) -> Integers:
    """Tiles of one chunk in each channel that holds outputs."""
    whole_tiles, rest = divmod(ceil(matrix.outputs / matrix.org.banks), matrix.org.channels)
    return np.array([whole_tiles + (channel < rest) for channel in range(matrix.channels)])


def _entries(matrix: BankMatrix, tiles: Integers) -> tuple[Integers, Integers, Integers]:
    """Chunk, channel and entry (0 for the GWRITE, then tiles) of each instruction."""
    counts = np.tile(1 + tiles, matrix.chunks)
    owner = np.repeat(np.arange(len(counts)), counts)
    entry = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    chunk, channel = np.divmod(owner, len(tiles))
    order = np.lexsort((entry, chunk, channel))
    return chunk[order], channel[order], entry[order]


def lower_broadcast(op: Operator, matrix: BankMatrix, arena: Arena) -> NpuWork:
    """The input of a linear layer to the vector rows of every channel, from which PIM_GWRITE reads it."""
    x, product = op.inputs[0], KINDS[op.kind].products(op)[0]
    loads, _ = load_all(arena.address, [(contiguous(arena.base(x), x.bytes, product.rows), False)])
    steps = np.zeros(product.rows, STEP)
    steps["stream"], steps["rows"] = matrix.inner, 1
    steps["loads"], steps["frees"] = np.arange(1, product.rows + 1), loads.bytes
    return _broadcast(op, matrix, loads, steps)


def _broadcast(op: Operator, matrix: BankMatrix, loads: Loads, steps: Records) -> NpuWork:
    org = matrix.org
    vector, channel, chunk = (
        part.ravel()
        for part in np.meshgrid(
            np.arange(len(steps)), np.arange(matrix.channels), np.arange(matrix.chunks), indexing="ij"
        )
    )
    source = vector * matrix.chunks + chunk
    length = np.minimum(matrix.row_elements, matrix.inner - chunk * matrix.row_elements) * matrix.element_bytes
    runs = pim_runs(
        channel, source % org.banks, matrix.vectors + source // org.banks, 0, -(-length // org.burst_bytes), vector
    )
    size = np.full(len(steps), matrix.inner * matrix.element_bytes * matrix.channels)
    stores = Stores(runs, size, np.arange(len(steps), dtype=np.int32))
    return NpuWork(f"{op.name}.broadcast", "copy", "vector", steps, loads, stores)
