"""Real addresses: weights of every layer, embedding, activations, and the KV cache above them.

The lowest rows of all banks and channels form a linear region. It holds, each from the start of a row
in channel 0: for every layer its norms, weights and biases; embedding, positions and last norm; one set
of activations for the batch; without PIM, the KV cache. With PIM, vectors, K and V take whole rows above.
"""

from dataclasses import dataclass

from neupims.hardware.memory import MemorySpec
from neupims.hardware.npu import SystolicArrays
from neupims.isa.address import AddressMap
from neupims.lowering.decoder import Shard
from neupims.lowering.geometry import KvGeometry
from neupims.lowering.places import Panels, RowMajor, WeightBlocks, panels, panels_bytes, round_up
from neupims.lowering.vector import CHOSEN, NORM_ROWS


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights and bias of one linear layer."""

    w: WeightBlocks
    bias: RowMajor | None


@dataclass(frozen=True, slots=True)
class LayerPlaces:
    """Parameters of one decoder block."""

    norm1: RowMajor
    qkv: Linear
    projection: Linear
    norm2: RowMajor
    fc1: Linear
    """Or gate and up, side by side, of a gated network."""
    fc2: Linear
    """Or down."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Activations of a whole batch, [tokens, features] each; a sub-batch is a range of tokens."""

    residual: Panels
    normed: Panels
    qkv: Panels
    context: Panels
    """Attention output."""
    branch: Panels
    """What is added to the residual: output of the projection or of fc2."""
    hidden: Panels
    """Output of fc1."""
    active: Panels
    """After the activation function."""
    logits: Panels
    chosen: RowMajor
    """Next tokens and their scores."""


@dataclass(frozen=True, slots=True)
class HeadPlaces:
    """Parameters outside the decoder blocks; a tied LM head is the embedding itself."""

    embedding: WeightBlocks
    lm_head: WeightBlocks
    positions: RowMajor
    norm: RowMajor


@dataclass(slots=True)
class Allocator:
    """Hands out the linear region from the bottom."""

    address: AddressMap
    arrays: SystolicArrays
    element_bytes: int
    align: int
    cursor: int = 0

    def take(self, size: int) -> int:
        """First byte of the next `size` bytes."""
        base = self.cursor
        self.cursor = round_up(base + size, self.align)
        return base

    def rows(self, rows: int, width: int) -> RowMajor:
        """A matrix stored row after row."""
        return RowMajor(self.address, self.take(rows * width * self.element_bytes), width, self.element_bytes)

    def weights(self, inner: int, outputs: int) -> WeightBlocks:
        """Weights in blocks of an array."""
        base = self.take(inner * outputs * self.element_bytes)
        arrays = self.arrays
        return WeightBlocks(
            self.address, base, inner, outputs, arrays.rows, arrays.columns, arrays.count, self.element_bytes
        )

    def linear(self, inner: int, outputs: int, bias: bool) -> Linear:
        """Weights, and a bias if there is one."""
        return Linear(self.weights(inner, outputs), self.rows(1, outputs) if bias else None)

    def activations(self, tokens: int, features: int) -> Panels:
        """Activations in panels as wide as an array is high."""
        made = panels(self.address, self.cursor, (tokens, features), self.arrays.rows, self.element_bytes)
        self.take(panels_bytes(made))
        return made


@dataclass(frozen=True, slots=True)
class LinearRegion:
    """Everything that is read and written by its linear address, but the KV cache."""

    layers: tuple[LayerPlaces, ...]
    head: HeadPlaces
    activations: Activations
    weight_bytes: int
    activation_bytes: int

    @property
    def bytes(self) -> int:
        """Size, and first byte after the region."""
        return self.weight_bytes + self.activation_bytes


def linear_region(shard: Shard, tokens: int, arrays: SystolicArrays, address: AddressMap, align: int) -> LinearRegion:
    """Place parameters of all layers and the activations of `tokens` tokens."""
    space = Allocator(address, arrays, shard.element_bytes, align)
    layers = tuple(_layer(shard, space) for _ in range(shard.layers))
    embedding = space.weights(shard.width, shard.vocabulary)
    lm_head = embedding if shard.tied else space.weights(shard.width, shard.vocabulary)
    head = HeadPlaces(embedding, lm_head, space.rows(shard.positions, shard.width), _norm(shard, space))
    weights = space.cursor
    activations = _activations(shard, tokens, space)
    return LinearRegion(layers, head, activations, weights, space.cursor - weights)


def _norm(shard: Shard, space: Allocator) -> RowMajor:
    return space.rows(NORM_ROWS[shard.norm], shard.width)


def _layer(shard: Shard, space: Allocator) -> LayerPlaces:
    return LayerPlaces(
        norm1=_norm(shard, space),
        qkv=space.linear(shard.width, shard.qkv_width, shard.bias),
        projection=space.linear(shard.attention_width, shard.width, shard.bias),
        norm2=_norm(shard, space),
        fc1=space.linear(shard.width, shard.hidden_width, shard.bias),
        fc2=space.linear(shard.ffn, shard.width, shard.bias),
    )


def _activations(shard: Shard, tokens: int, space: Allocator) -> Activations:
    return Activations(
        residual=space.activations(tokens, shard.width),
        normed=space.activations(tokens, shard.width),
        qkv=space.activations(tokens, shard.qkv_width),
        context=space.activations(tokens, shard.attention_width),
        branch=space.activations(tokens, shard.width),
        hidden=space.activations(tokens, shard.hidden_width),
        active=space.activations(tokens, shard.ffn),
        logits=space.activations(tokens, shard.vocabulary),
        chosen=space.rows(tokens, CHOSEN),
    )


def address_map(memory: MemorySpec, rows: int | None = None) -> AddressMap:
    """Address map of a memory, or of its lowest `rows` rows in all banks."""
    org = memory.organization
    sizes = {
        "row": org.rows if rows is None else rows,
        "rank": org.ranks,
        "group": org.bank_groups,
        "bank": org.banks_per_group,
        "column": org.bursts_per_row,
        "channel": org.channels,
    }
    return AddressMap(tuple((name, sizes[name]) for name in memory.address_map), org.burst_bytes)


def kv_geometry(shard: Shard, memory: MemorySpec) -> KvGeometry:
    """Layout of keys and values in the banks of a channel."""
    org, size = memory.organization, shard.element_bytes
    row = (org.row_bytes, org.burst_bytes, org.banks)
    return KvGeometry(shard.kv_heads, shard.head_dim, size, *row, group=shard.group)


def stripe_row_bytes(memory: MemorySpec) -> int:
    """One row of one bank in every channel."""
    org = memory.organization
    return org.channels * org.row_bytes


def tile_row_bytes(memory: MemorySpec) -> int:
    """One row index in all banks of every channel."""
    return stripe_row_bytes(memory) * memory.organization.banks
