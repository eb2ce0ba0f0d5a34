"""From an outline of stages to a plan: every operator of a decode iteration as work for one device."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from neupims.errors import ConfigError, ModelError
from neupims.hardware.memory import MemorySpec
from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.counter import RunningCounter
from neupims.isa.outline import Outline, Part, StageOutline
from neupims.isa.work import LinkWork, NpuWork, PimWork, Plan, Stage
from neupims.lowering.decoder import DecoderShape, Shard, beyond_gpt3, shard
from neupims.lowering.dependencies import Parts, parts_together, waits_for
from neupims.lowering.kv import KvRows
from neupims.lowering.layer import (
    NPU_ATTENTION,
    PARTS,
    Device,
    Layer,
    Tokens,
    embedding_part,
    head_part,
    pim_attention,
)
from neupims.lowering.memory_map import address_map
from neupims.lowering.on_demand import StagesOnDemand
from neupims.lowering.placement import place
from neupims.lowering.storage import CounterStorage, PlacedStorage, Storage
from neupims.lowering.target import Cost, Target
from neupims.request import Batch, Request

PUBLISHED_WRAP = 10
"""The running counter of addresses wraps after this many times E * E / TP bytes (spec 4.3)."""


def lower_decode(
    shape: DecoderShape,
    system: SystemSpec,
    sub_batches: Sequence[Batch],
    outline: Outline,
    cost: Cost,
    *,
    tp: int = 1,
    pp: int = 1,
    head: bool | None = None,
    waiting: Sequence[Request] = (),
) -> Plan:
    """Plan of one decode iteration on one device of a group of `tp`.

    Args:
        shape: The whole model; the capacity check counts layers / pp of its layers.
        system: A system with an NPU.
        sub_batches: One or more sub-batches, not empty; their requests have channels if attention runs in PIM.
        outline: Which parts run in which stage.
        cost: Cycles of STEPs on the arrays, for the choice of the dataflow.
        tp: Devices that share each layer.
        pp: Devices that share the layers.
        head: Whether embedding, LM head and sampling are added; None leaves it to the system's policy.
        waiting: Requests of other micro-batches, whose KV cache lies on the same devices.

    Raises:
        ModelError: the model cannot be divided like this, or the system follows the published simulator in what it
            does for models of the GPT-3 family alone.
        ConfigError: the system has no NPU.
        CapacityError: the batch does not fit.
    """
    if not all(sub_batches):
        raise ValueError("a sub-batch is empty")
    requests = [request for sub_batch in sub_batches for request in sub_batch]
    device = build_device(shard(shape, tp, pp), system, [*requests, *waiting], len(requests), cost, tp)
    counter = _shared_counter(device, len(sub_batches))
    if counter is not None:
        sizes_only = CounterStorage(replace(counter, hashed=False))
        device = replace(device, target=replace(device.target, storage=sizes_only))
    spans = _spans(sub_batches)
    together = parts_together(outline)
    lower = [
        partial(_stage, device, stage, parts, spans, sub_batches)
        for stage, parts in zip(outline, together, strict=True)
    ]
    repeats, barriers = [stage.repeats for stage in outline], [stage.barrier for stage in outline]
    if system.policy.head if head is None else head:
        lower = [partial(_first_stage, device, requests), *lower, partial(_last_stage, device, len(requests))]
        repeats, barriers = [1, *repeats, 1], [True, *barriers, True]
    storage = device.target.storage
    taken = storage.counter if isinstance(storage, CounterStorage) else None
    return Plan(StagesOnDemand(lower, taken), tuple(repeats), counter, None if all(barriers) else tuple(barriers))


def _first_stage(device: Device, requests: Sequence[Request]) -> Stage:
    positions = np.array([request.length - 1 for request in requests])
    return Stage("in", npu=embedding_part(device, Tokens(0, len(requests)), positions))


def _last_stage(device: Device, tokens: int) -> Stage:
    return Stage("out", npu=head_part(device, Tokens(0, tokens), device.activations.residual))


def _shared_counter(device: Device, programs: int) -> RunningCounter | None:
    """The counter at its start, if programs, or loads and stores, take from it in turns that only the run decides."""
    storage, target = device.target.storage, device.target
    in_turns = programs > 1 or target.npu.loads_per_cycle is not None
    if not in_turns or not isinstance(storage, CounterStorage):
        return None
    return replace(storage.counter, cursor=0)


def build_device(
    part: Shard, system: SystemSpec, requests: Sequence[Request], tokens: int, cost: Cost, tp: int
) -> Device:
    """Place a model's share, `tokens` tokens of activations and the cache of the requests."""
    npu, memory = npu_of(system)
    _require_published(part, system)
    if npu.element_bytes != part.element_bytes:
        raise ConfigError(
            f"{system.name}: processor.element_bytes is {npu.element_bytes}, but the model's numbers have "
            f"{part.element_bytes} bytes; set it to {part.element_bytes}"
        )
    kind = CACHES[system.policy.attention, system.policy.addresses]
    placement = place(part, requests, tokens, npu, memory, kind)
    rate = memory.bandwidth_gb_s / npu.clock_ghz
    target = Target(npu, system.policy, _storage(system, part, memory), rate, cost, tp)
    return Device(part, placement, target, system.pim.macs_per_bank if system.pim else 0)


def _require_published(part: Shard, system: SystemSpec) -> None:
    policy, beyond = system.policy, beyond_gpt3(part)
    follows = {"attention: chain": policy.attention == "chain", "addresses: counter": policy.addresses == "counter"}
    if beyond and any(follows.values()):
        setting = next(name for name, there in follows.items() if there)
        raise ModelError(
            f"{system.name}: policy.{setting} is as in the published simulator, which runs models such as gpt3-30b; "
            f"this one has {', '.join(beyond)}: choose a system such as neupims, npu-pim or npu-only"
        )


CACHES = {
    ("pim", "placed"): "banks",
    ("pim", "counter"): "published",
    ("stream", "placed"): "linear",
    ("stream", "counter"): "linear",
    ("chain", "placed"): "linear",
    ("chain", "counter"): "linear",
}
"""Where the KV cache lies, by policy.attention and policy.addresses."""


def npu_of(system: SystemSpec) -> tuple[NpuSpec, MemorySpec]:
    """The NPU and the simulated memory of a system; ConfigError if it has none."""
    if system.processor.kind != "npu" or system.memory is None:
        raise ConfigError(
            f"{system.name}: processor.kind: a plan is made for an npu, not for a {system.processor.kind}; "
            f"a {system.processor.kind} is timed as a roofline"
        )
    return system.processor, system.memory


def _storage(system: SystemSpec, part: Shard, memory: MemorySpec) -> Storage:
    if system.policy.addresses == "placed":
        return PlacedStorage()
    shared = part.attention_width if system.policy.counter_span == "share" else part.width
    wrap = PUBLISHED_WRAP * part.width * shared
    hashed = system.policy.counter_order == "hash"
    return CounterStorage(RunningCounter(address_map(memory), wrap, part.element_bytes, hashed))


def _spans(sub_batches: Sequence[Batch]) -> list[Tokens]:
    ends = np.cumsum([len(sub_batch) for sub_batch in sub_batches]).tolist()
    tags = [f"sb{index + 1}." if len(sub_batches) > 1 else "" for index in range(len(sub_batches))]
    return [Tokens(end - len(batch), end, tag) for end, batch, tag in zip(ends, sub_batches, tags, strict=True)]


def _stage(
    device: Device, outline: StageOutline, together: Parts, spans: list[Tokens], sub_batches: Sequence[Batch]
) -> Stage:
    cache, npu = device.placement.cache, list[NpuWork | LinkWork]()
    for part in outline.npu:
        layer = Layer(device, part.layer, spans[part.sub_batch])
        first, *others = PARTS[part.operators](layer)
        npu += [replace(first, after=waits_for(part, layer, together, cache)), *others]
    if isinstance(cache, KvRows):
        return Stage(outline.name, tuple(npu), _pim(device, cache, outline.attention, together, spans, sub_batches))
    layers = [Layer(device, part.layer, spans[part.sub_batch]) for part in outline.attention]
    lower = NPU_ATTENTION[device.target.policy.attention]
    return Stage(outline.name, (*npu, *(work for layer in layers for work in lower(layer, cache))))


def _pim(
    device: Device,
    cache: KvRows,
    parts: Sequence[Part],
    together: Parts,
    spans: list[Tokens],
    sub_batches: Sequence[Batch],
) -> tuple[PimWork, ...]:
    layers = [Layer(device, part.layer, spans[part.sub_batch]) for part in parts]
    works = [
        pim_attention(layer, cache, sub_batches[part.sub_batch]) for layer, part in zip(layers, parts, strict=True)
    ]
    return tuple(
        replace(work, after=waits_for(part, layer, together, cache))
        for work, layer, part in zip(works, layers, parts, strict=True)
    )
