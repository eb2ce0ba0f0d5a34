"""The operator groups of a decoder block, and what stands before and behind the blocks, for some tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neupims.isa.outline import Operators
from neupims.isa.work import LinkWork, NpuWork, PimWork
from neupims.lowering.chain_attention import lower_chain_attention, lower_reshaping
from neupims.lowering.collective import all_reduce
from neupims.lowering.decoder import Shard
from neupims.lowering.gemm import Operands, lower_gemm
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import KvRows, QkvRows
from neupims.lowering.memory_map import Activations, LayerPlaces, Linear
from neupims.lowering.pim_attention import PimAttention, lower_pim_attention
from neupims.lowering.placement import LinearCache, Placement
from neupims.lowering.places import Columns, Divided, Place, TableRows
from neupims.lowering.storage import CounterStorage
from neupims.lowering.stream_attention import StreamAttention, lower_stream_attention
from neupims.lowering.target import Target
from neupims.lowering.tiling import Gemm
from neupims.lowering.vector import CHOSEN, NORM_ROWS, Rows, lower_embedding, lower_rows, lower_sampling
from neupims.request import Batch

Program = tuple[NpuWork | LinkWork, ...]
HASH = 2654435761
"""Knuth's multiplicative hash, which spreads the made-up tokens of a batch over the vocabulary."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens first to end - 1 of the batch, which a sub-batch works on; `tag` begins the names of its operators."""

    first: int
    end: int
    tag: str = ""

    @property
    def count(self) -> int:
        """Number of tokens."""
        return self.end - self.first

    def rows(self, elements: int) -> Rows:
        """The tokens as rows of `elements` numbers."""
        return Rows(self.first, self.end, elements)


@dataclass(frozen=True, slots=True)
class Device:
    """One device: its share of the model, where everything lies, and what it can do."""

    shard: Shard
    placement: Placement
    target: Target
    macs_per_bank: int
    """Multiply-accumulates of a bank in one PIM_MAC."""

    @property
    def activations(self) -> Activations:
        """Activations of the batch."""
        return self.placement.region.activations

    def norm(self, name: str, tokens: Tokens, source: Place, parameters: Place) -> NpuWork:
        """Norm of each token, to `activations.normed`."""
        kind, out, rows = self.shard.norm, self.activations.normed, tokens.rows(self.shard.width)
        return lower_rows(name, kind, rows, [source], out, self.target, (parameters, NORM_ROWS[kind]))

    def linear(self, name: str, tokens: Tokens, source: Place, weights: Linear, out: Place) -> NpuWork:
        """Linear layer."""
        gemm = Gemm(tokens.count, weights.w.inner, weights.w.outputs)
        return lower_gemm(name, gemm, Operands(source, weights.w, weights.bias, out, tokens.first), self.target)

    def all_reduce(self, name: str, tokens: Tokens) -> Program:
        """Sum of [tokens, width] over the devices."""
        return all_reduce(name, tokens.count, self.shard.width, self.target)


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder block on one device for some tokens."""

    device: Device
    index: int
    tokens: Tokens

    @property
    def places(self) -> LayerPlaces:
        """Parameters of the block."""
        return self.device.placement.region.layers[self.index]

    def name(self, operator: str) -> str:
        """Name of an operator, as in the graph."""
        return f"{self.tokens.tag}layer{self.index}.{operator}"

    def norm(self, operator: str, parameters: Place) -> NpuWork:
        """Norm of the residual stream."""
        return self.device.norm(self.name(operator), self.tokens, self.device.activations.residual, parameters)

    def linear(self, operator: str, source: Place, weights: Linear, out: Place) -> NpuWork:
        """Linear layer."""
        return self.device.linear(self.name(operator), self.tokens, source, weights, out)

    def residual(self, scope: str) -> Program:
        """All-reduce of a branch, and its addition to the residual stream."""
        device, acts = self.device, self.device.activations
        inputs, rows = [acts.residual, acts.branch], self.tokens.rows(device.shard.width)
        return (
            *device.all_reduce(self.name(f"{scope}.all_reduce"), self.tokens),
            lower_rows(self.name(f"{scope}.residual"), "add", rows, inputs, acts.residual, device.target),
        )

    def active(self, kind: str, inputs: list[Place]) -> NpuWork:
        """Activation function between the layers of the feed-forward network."""
        out, rows = self.device.activations.active, self.tokens.rows(self.device.shard.ffn)
        return lower_rows(self.name(f"ffn.{kind}"), kind, rows, inputs, out, self.device.target)

    def rotary(self, out: Place) -> Program:
        """q and k turned by their positions, if they are; the angles of a token are taken to be on chip."""
        device, shard = self.device, self.device.shard
        if not shard.rotary:
            return ()
        rows, name = self.tokens.rows(shard.attention_width + shard.kv_width), self.name("attention.rotary")
        return (lower_rows(name, "rotary", rows, [device.activations.qkv], out, device.target),)


def qkv_part(layer: Layer) -> Program:
    """First norm, QKV GEMM and rotary positions. What is to be turned stays in the activations before."""
    device, shard = layer.device, layer.device.shard
    out = made = qkv_place(device, layer.index)
    if shard.rotary and out is not device.activations.qkv:
        made = Divided(device.activations.qkv, out, shard.attention_width + shard.kv_width)
    return (
        layer.norm("attention.norm", layer.places.norm1),
        layer.linear("attention.qkv", device.activations.normed, layer.places.qkv, made),
        *layer.rotary(out),
    )


def qkv_place(device: Device, layer: int) -> Place:
    """Where q, K and V of the new tokens go: to the rows of their requests, or to the activations."""
    cache, target = device.placement.cache, device.target
    if isinstance(cache, KvRows) and not isinstance(target.storage, CounterStorage):
        return QkvRows(cache, layer, target.policy.value_write == "token")
    return device.activations.qkv


def ffn_part(layer: Layer) -> Program:
    """Projection and its residual, second norm, feed-forward network and its residual."""
    places, acts = layer.places, layer.device.activations
    hidden = _gated if layer.device.shard.gated else _plain
    return (
        layer.linear("attention.projection", acts.context, places.projection, acts.branch),
        *layer.residual("attention"),
        layer.norm("ffn.norm", places.norm2),
        *hidden(layer, places, acts),
        *layer.residual("ffn"),
    )


def _plain(layer: Layer, places: LayerPlaces, acts: Activations) -> Program:
    return (
        layer.linear("ffn.fc1", acts.normed, places.fc1, acts.hidden),
        layer.active("gelu", [acts.hidden]),
        layer.linear("ffn.fc2", acts.active, places.fc2, acts.branch),
    )


def _gated(layer: Layer, places: LayerPlaces, acts: Activations) -> Program:
    return (
        layer.linear("ffn.gate_up", acts.normed, places.fc1, acts.hidden),
        layer.active("swiglu", [acts.hidden, Columns(acts.hidden, layer.device.shard.ffn)]),
        layer.linear("ffn.down", acts.active, places.fc2, acts.branch),
    )


PARTS: dict[Operators, Callable[[Layer], Program]] = {"qkv": qkv_part, "ffn": ffn_part}
"""Operator groups that always run on the NPU."""


def pim_attention(layer: Layer, cache: KvRows, batch: Batch) -> PimWork:
    """Decode attention in the banks, for the requests `batch` of the layer's tokens."""
    device = layer.device
    attention = PimAttention(cache, device.activations.context, device.macs_per_bank)
    name = layer.name("attention")
    return lower_pim_attention(name, batch, layer.tokens.first, layer.index, attention, device.target)


def stream_attention(layer: Layer, cache: LinearCache) -> Program:
    """Decode attention on the NPU, all arrays at a time."""
    span = (layer.tokens.first, layer.tokens.end)
    return (lower_stream_attention(layer.name("attention"), span, _streams(layer, cache), layer.device.target),)


def chain_attention(layer: Layer, cache: LinearCache) -> Program:
    """Decode attention on the NPU, head after head; each request's tensors are split before it and joined behind it."""
    tokens, target = layer.tokens, layer.device.target
    name, span = layer.name("attention"), (tokens.first, tokens.end)
    attention = lower_chain_attention(name, span, _streams(layer, cache), target)
    if not target.npu.reshape_cycles:
        return (attention,)
    pieces = 1 + tokens.count
    return (
        lower_reshaping(layer.name("attention.split"), pieces, target.npu),
        attention,
        lower_reshaping(layer.name("attention.join"), pieces, target.npu),
    )


NPU_ATTENTION: dict[str, Callable[[Layer, LinearCache], Program]] = {
    "stream": stream_attention,
    "chain": chain_attention,
}
"""By policy.attention."""


def _streams(layer: Layer, cache: LinearCache) -> StreamAttention:
    acts, shard = layer.device.activations, layer.device.shard
    return StreamAttention(
        heads=shard.heads,
        head_dim=shard.head_dim,
        fresh=((acts.qkv, shard.qkv_width),),
        keys=cache.keys(layer.index),
        values=cache.values(layer.index),
        context=acts.context,
        lengths=cache.lengths,
        first_row=cache.first_row,
        group=shard.group,
    )


def embedding_part(device: Device, tokens: Tokens, positions: Integers) -> Program:
    """Rows of the token table (each device holds a share of the vocabulary) and of the position table."""
    head, shard = device.placement.region.head, device.shard
    chosen = np.arange(tokens.first, tokens.end) * HASH % (shard.vocabulary * device.target.devices)
    here = np.where(chosen < shard.vocabulary, chosen, -1)
    tables: list[tuple[Place, Integers]] = [(TableRows(head.embedding), here)]
    if shard.positions:
        tables.append((head.positions, positions % shard.positions))
    rows, out = tokens.rows(shard.width), device.activations.residual
    return (
        lower_embedding("embedding", rows, tables, out, device.target),
        *device.all_reduce("embedding.all_reduce", tokens),
    )


def head_part(device: Device, tokens: Tokens, source: Place) -> Program:
    """Last norm of the rows of `source`, LM head over this device's vocabulary, and sampling."""
    acts, head, shard = device.activations, device.placement.region.head, device.shard
    weights = Linear(head.lm_head, None)
    rows = tokens.rows(shard.vocabulary)
    return (
        device.norm("final_norm", tokens, source, head.norm),
        device.linear("lm_head", tokens, acts.normed, weights, acts.logits),
        lower_sampling("sampling", rows, acts.logits, acts.chosen, device.target),
        *all_reduce("sampling.all_reduce", tokens.count, CHOSEN, device.target),
    )
