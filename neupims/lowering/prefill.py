"""From prompts to a plan: all tokens of all prompts through the NPU, K and V to the cache."""

from dataclasses import replace

import numpy as np

from neupims.hardware.system import SystemSpec
from neupims.isa.work import Plan, Stage
from neupims.lowering.decoder import DecoderShape, shard
from neupims.lowering.geometry import Integers
from neupims.lowering.kv import KvRows
from neupims.lowering.layer import Device, Layer, Program, Tokens, embedding_part, ffn_part, head_part
from neupims.lowering.places import Gathered, rectangles
from neupims.lowering.plan import build_device
from neupims.lowering.prompt_attention import PromptAttention, PromptRows, lower_prompt_attention
from neupims.lowering.storage import Access
from neupims.lowering.target import Cost
from neupims.request import Batch


def lower_prefill(
    shape: DecoderShape,
    system: SystemSpec,
    prompts: Batch,
    cost: Cost,
    *,
    tp: int = 1,
    pp: int = 1,
    head: bool | None = None,
) -> Plan:
    """Plan that computes the first token of every prompt; `length` of a request is that of its prompt.

    One layer stands for all of them. Arguments and errors are those of `lower_decode`; attention runs on
    the NPU in every system, and in a PIM system K and V are written to their banks.
    """
    lengths = np.array([prompt.length for prompt in prompts], np.int64)
    part = shard(shape, tp, pp)
    device = build_device(part, system, prompts, int(lengths.sum()), cost, tp)
    stages, repeats = [Stage("P", npu=_block(device, lengths))], [part.layers]
    if system.policy.head if head is None else head:
        whole = Tokens(0, int(lengths.sum()))
        positions = np.arange(whole.end) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        newest = Gathered(device.activations.residual, np.cumsum(lengths) - 1)
        stages.insert(0, Stage("in", npu=embedding_part(device, whole, positions)))
        stages.append(Stage("out", npu=head_part(device, replace(whole, end=len(prompts)), newest)))
        repeats = [1, *repeats, 1]
    return Plan(tuple(stages), tuple(repeats))


def _block(device: Device, lengths: Integers) -> Program:
    acts, shape = device.activations, device.shard
    layer = Layer(device, 0, Tokens(0, int(lengths.sum())))
    cache, dims = _cache(device, lengths), (shape.heads, shape.head_dim)
    attention = PromptAttention(*dims, acts.qkv, acts.context, cache, lengths, shape.group)
    return (
        layer.norm("attention.norm", layer.places.norm1),
        layer.linear("attention.qkv", acts.normed, layer.places.qkv, acts.qkv),
        *layer.rotary(acts.qkv),
        lower_prompt_attention(layer.name("attention"), attention, device.target),
        *ffn_part(layer),
    )


def _cache(device: Device, lengths: Integers) -> tuple[Access, ...]:
    """K and V of each prompt, as one store."""
    cache, width, index = device.placement.cache, device.shard.kv_width, np.arange(len(lengths))
    if isinstance(cache, KvRows):
        return (Access(PromptRows(cache, 0), rectangles(index, index + 1, 0, 2 * lengths * width), index),)
    rows = rectangles(cache.first_row, cache.first_row + lengths, 0, width)
    return Access(cache.keys(0), rows, index), Access(cache.values(0), rows, index)
