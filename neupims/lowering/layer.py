"""The operator groups of a decoder block, and what stands before and behind the blocks, for some tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neupims.isa.outline import Operators
from neupims.isa.work import LinkWork, NpuWork, PimWork
from neupims.lowering.collective import all_reduce
from neupims.lowering.decoder import Shard
from neupims.lowering.gemm import Operands, lower_gemm
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import KvRows, QkvRows
from neupims.lowering.memory_map import Linear
from neupims.lowering.pim_attention import PimAttention, lower_pim_attention
from neupims.lowering.placement import LinearCache, Placement
from neupims.lowering.places import Place, TableRows
from neupims.lowering.storage import CounterStorage
from neupims.lowering.stream_attention import StreamAttention, lower_stream_attention
from neupims.lowering.target import Target
from neupims.lowering.tiling import Gemm
from neupims.lowering.vector import CHOSEN, Rows, lower_embedding, lower_rows, lower_sampling
from neupims.request import Batch

Program = tuple[NpuWork | LinkWork, ...]
HASH = 2654435761
"""Knuth's multiplicative hash, which spreads the made-up tokens of a batch over the vocabulary."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens first to end - 1 of the batch, which a sub-batch works on; `tag` tells its operators apart."""

    first: int
    end: int
    tag: str = ""

    @property
    def count(self) -> int:
        """Number of tokens."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Device:
    """One device: its share of the model, where everything lies, and what it can do."""

    shard: Shard
    placement: Placement
    target: Target
    macs_per_bank: int
    """Multiply-accumulates of a bank in one PIM_MAC."""


def qkv_part(device: Device, layer: int, tokens: Tokens) -> Program:
    """First norm and QKV GEMM."""
    places, acts = device.placement.region.layers[layer], device.placement.region.activations
    return (
        norm(device, _name(layer, "norm1", tokens), tokens, acts.residual, places.norm1),
        linear(device, _name(layer, "qkv", tokens), tokens, acts.normed, places.qkv, qkv_place(device, layer)),
    )


def qkv_place(device: Device, layer: int) -> Place:
    """Where q, K and V of the new tokens go: to the rows of their requests, or to the activations."""
    cache, target = device.placement.cache, device.target
    if isinstance(cache, KvRows) and not isinstance(target.storage, CounterStorage):
        return QkvRows(cache, layer, target.policy.value_write == "token")
    return device.placement.region.activations.qkv


def ffn_part(device: Device, layer: int, tokens: Tokens) -> Program:
    """Projection, residual, second norm, FC1, GELU, FC2, residual, with the all-reduces of both halves."""
    places, acts = device.placement.region.layers[layer], device.placement.region.activations
    return (
        linear(device, _name(layer, "projection", tokens), tokens, acts.context, places.projection, acts.branch),
        *_reduce(device, _name(layer, "all_reduce1", tokens), tokens),
        _add(device, _name(layer, "residual1", tokens), tokens),
        norm(device, _name(layer, "norm2", tokens), tokens, acts.residual, places.norm2),
        linear(device, _name(layer, "fc1", tokens), tokens, acts.normed, places.fc1, acts.hidden),
        _gelu(device, _name(layer, "gelu", tokens), tokens),
        linear(device, _name(layer, "fc2", tokens), tokens, acts.active, places.fc2, acts.branch),
        *_reduce(device, _name(layer, "all_reduce2", tokens), tokens),
        _add(device, _name(layer, "residual2", tokens), tokens),
    )


PARTS: dict[Operators, Callable[[Device, int, Tokens], Program]] = {"qkv": qkv_part, "ffn": ffn_part}
"""Operator groups that always run on the NPU."""


def pim_attention(device: Device, cache: KvRows, layer: int, tokens: Tokens, batch: Batch) -> PimWork:
    """Decode attention in the banks, for the requests `batch` of the tokens."""
    attention = PimAttention(cache, device.placement.region.activations.context, device.macs_per_bank)
    return lower_pim_attention(
        _name(layer, "attention", tokens), batch, tokens.first, layer, attention, device.target
    )


def stream_attention(device: Device, cache: LinearCache, layer: int, tokens: Tokens) -> NpuWork:
    """Decode attention on the NPU."""
    acts, shard = device.placement.region.activations, device.shard
    attention = StreamAttention(
        heads=shard.heads,
        head_dim=shard.head_dim,
        qkv=acts.qkv,
        keys=cache.keys(layer),
        values=cache.values(layer),
        context=acts.context,
        lengths=cache.lengths,
        first_row=cache.first_row,
    )
    name = _name(layer, "attention", tokens)
    return lower_stream_attention(name, (tokens.first, tokens.end), attention, device.target)


def embedding_part(device: Device, tokens: Tokens, positions: Integers) -> Program:
    """Rows of the token table (each device holds a share of the vocabulary) and of the position table."""
    head, shard = device.placement.region.head, device.shard
    chosen = np.arange(tokens.first, tokens.end) * HASH % (shard.vocabulary * device.target.devices)
    here = np.where(chosen < shard.vocabulary, chosen, -1)
    tables: list[tuple[Place, Integers]] = [(TableRows(head.embedding), here)]
    if shard.positions:
        tables.append((head.positions, positions % shard.positions))
    rows = Rows(tokens.first, tokens.end, shard.width)
    residual = device.placement.region.activations.residual
    return (
        lower_embedding("embedding", rows, tables, residual, device.target),
        *_reduce(device, "embedding.all_reduce", tokens),
    )


def head_part(device: Device, tokens: Tokens, source: Place) -> Program:
    """Last norm of the rows of `source`, LM head over this device's vocabulary, and sampling."""
    region, shard, target = device.placement.region, device.shard, device.target
    acts, head = region.activations, region.head
    gemm = Gemm(tokens.count, shard.width, shard.vocabulary)
    operands = Operands(acts.normed, head.embedding, None, acts.logits, tokens.first)
    rows = Rows(tokens.first, tokens.end, shard.vocabulary)
    return (
        norm(device, "last_norm", tokens, source, head.norm),
        lower_gemm("lm_head", gemm, operands, target),
        lower_sampling("sampling", rows, acts.logits, acts.chosen, target),
        *all_reduce("sampling.all_reduce", tokens.count, CHOSEN, target),
    )


def norm(device: Device, name: str, tokens: Tokens, source: Place, parameters: Place) -> NpuWork:
    """Layer norm of each token."""
    rows, normed = Rows(tokens.first, tokens.end, device.shard.width), device.placement.region.activations.normed
    return lower_rows(name, "layer_norm", rows, [source], normed, device.target, parameters)


def linear(device: Device, name: str, tokens: Tokens, source: Place, weights: Linear, out: Place) -> NpuWork:
    """Linear layer with a bias."""
    gemm = Gemm(tokens.count, weights.w.inner, weights.w.outputs)
    return lower_gemm(name, gemm, Operands(source, weights.w, weights.bias, out, tokens.first), device.target)


def _add(device: Device, name: str, tokens: Tokens) -> NpuWork:
    acts = device.placement.region.activations
    rows = Rows(tokens.first, tokens.end, device.shard.width)
    return lower_rows(name, "add", rows, [acts.residual, acts.branch], acts.residual, device.target)


def _gelu(device: Device, name: str, tokens: Tokens) -> NpuWork:
    acts = device.placement.region.activations
    rows = Rows(tokens.first, tokens.end, device.shard.ffn)
    return lower_rows(name, "gelu", rows, [acts.hidden], acts.active, device.target)


def _reduce(device: Device, name: str, tokens: Tokens) -> Program:
    return all_reduce(name, tokens.count, device.shard.width, device.target)


def _name(layer: int, operator: str, tokens: Tokens) -> str:
    return f"layer{layer}.{operator}{tokens.tag}"
