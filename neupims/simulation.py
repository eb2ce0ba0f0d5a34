"""Where all rooms meet: hardware, a model and a batch of requests become a run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from neupims import __version__
from neupims.device_runs import Progress, Tools, fastest, run_or_recall
from neupims.errors import ConfigError, ModelError
from neupims.graph import Model
from neupims.graph_runs import check_settings, last_plan, runs_as_graph, simulate_graph
from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.work import Plan
from neupims.lowering.capacity import ChannelRoom
from neupims.lowering.decoder import DecoderShape, read_decoder, shard
from neupims.lowering.placement import channel_room
from neupims.lowering.plan import lower_decode, npu_of
from neupims.lowering.roofline import lower_roofline
from neupims.machine.dram.memory import Engine
from neupims.machine.gpu import run_roofline
from neupims.machine.outcome import DeviceResult
from neupims.machine.systolic import cost_of
from neupims.request import Batch, Phase
from neupims.results.cache import ResultCache
from neupims.results.digest import digest
from neupims.results.measure import Job, measure
from neupims.results.record import Comparison, Run
from neupims.scheduling.channels import pack_channels
from neupims.scheduling.estimate import COSTS, AttentionShape, Estimate, attention_estimate
from neupims.scheduling.split import Split
from neupims.scheduling.stages import execution_mode, stages
from neupims.scheduling.subbatch import split_batch

Interleaving = Literal["on", "off", "auto"]


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model runs on a system."""

    tp: int = 1
    pp: int = 1
    layers: int | None = None
    """Run so many decoder blocks alone; None runs the whole model."""
    periods: int = 1
    """Layers, or passages from one to the next, that are simulated to stand for the others."""
    interleaving: Interleaving | None = None
    """None leaves it to the system's policy."""
    unroll: bool = False
    """Simulate every layer instead of repeating some."""
    engine: Engine = "fast"


def simulate(
    system: SystemSpec,
    model: Model,
    batch: Batch,
    *,
    tp: int = 1,
    pp: int = 1,
    layers: int | None = None,
    periods: int = 1,
    interleaving: Interleaving | None = None,
    phase: Phase | None = None,
    unroll: bool = False,
    engine: Engine = "fast",
    progress: Progress | None = None,
    cache: ResultCache | None = None,
) -> Run:
    """One decode iteration of `model` over `batch`, or one pass of a model of another sort, on `tp * pp` devices.

    With pipeline parallelism the batch is cut into `pp` micro-batches, which follow each other through the
    stages; an iteration is the time in which a device has served all of them. What `cache` knows of the same
    plan on the same hardware is not simulated again.

    Raises:
        NeupimsError: the model cannot be divided or lowered, or the batch does not fit.
    """
    began = time.perf_counter()
    setting = Setting(tp, pp, layers, periods, interleaving, unroll, engine)
    if runs_as_graph(system, model, batch, phase):
        check_settings(system, model, tp, layers, periods, unroll)
        return simulate_graph(system, model, batch, interleaving, engine, Tools(progress, cache), pp, phase)
    packed = _packed(system, _shape(model, setting), batch, setting)
    parts = _micro_batches(packed, pp)
    known = ResultCache() if cache is None and pp > 1 else cache
    tools = Tools(progress, known)
    outcomes = [_fastest(system, model, part, _others(packed, part), setting, tools) for part in parts]
    job = Job(
        system=system,
        hardware_digest=digest(system.model_dump(mode="json")),
        model=model.name,
        variant=model.variant,
        batch=packed,
        tp=tp,
        pp=pp,
        layers=layers,
        interleaving=outcomes[0][0],
        phase="decode",
        version=__version__,
        engine=engine,
    )
    return measure(job, [result for _, result in outcomes], time.perf_counter() - began)


def compare(
    systems: Sequence[SystemSpec],
    model: Model,
    batch: Batch,
    *,
    tp: int = 1,
    pp: int = 1,
    layers: int | None = None,
    periods: int = 1,
    interleaving: Interleaving | None = None,
    phase: Phase | None = None,
    engine: Engine = "fast",
    progress: Progress | None = None,
    cache: ResultCache | None = None,
) -> Comparison:
    """`simulate` for each system in turn. `interleaving` is asked of the systems whose attention runs in PIM."""
    runs: list[Run] = []
    for number, system in enumerate(systems):
        report = None if progress is None else _share(progress, system.name, number, len(systems))
        wanted = interleaving if system.policy.attention == "pim" else None
        parallel: dict[str, Any] = {"tp": tp, "pp": pp, "layers": layers, "periods": periods, "phase": phase}
        setting: dict[str, Any] = {"interleaving": wanted, "engine": engine}
        runs.append(simulate(system, model, batch, progress=report, cache=cache, **parallel, **setting))
    return Comparison(tuple(runs))


def plan(
    system: SystemSpec,
    model: Model,
    batch: Batch,
    *,
    tp: int = 1,
    pp: int = 1,
    layers: int | None = None,
    periods: int = 1,
    interleaving: Interleaving | None = None,
    phase: Phase | None = None,
) -> Plan:
    """The plan of one device, of the first micro-batch. Raises ConfigError for a roofline processor."""
    setting = Setting(tp, pp, layers, periods, interleaving)
    if runs_as_graph(system, model, batch, phase):
        check_settings(system, model, tp, layers, periods, False)
        return last_plan(system, model, batch, interleaving, pp, phase)
    packed = _packed(system, _shape(model, setting), batch, setting)
    first = _micro_batches(packed, pp)[0]
    return _plan(system, model, first, _others(packed, first), setting)


def _share(progress: Progress, name: str, number: int, count: int) -> Progress:
    return lambda text, fraction: progress(f"{name}: {text}", (number + fraction) / count)


def _shape(model: Model, setting: Setting) -> DecoderShape:
    """Dimensions of the model, whatever the batch, cut to the wanted number of layers."""
    shape = read_decoder(model.smallest)
    if setting.layers is None:
        return shape
    if not 1 <= setting.layers <= shape.layers:
        raise ModelError(f"--layers {setting.layers}: {model.name} has 1 to {shape.layers} layers")
    return replace(shape, layers=setting.layers)


def _micro_batches(batch: Batch, pp: int) -> list[Batch]:
    """Every pp-th request, so that all channels stay in use."""
    if pp > len(batch):
        raise ModelError(f"--pp {pp} cuts a batch of {len(batch)} requests into empty parts; use at most {len(batch)}")
    return [batch[number::pp] for number in range(pp)]


def _others(batch: Batch, part: Batch) -> Batch:
    """Requests of the other micro-batches, whose KV cache lies on the same devices."""
    ids = {request.id for request in part}
    return tuple(request for request in batch if request.id not in ids)


def _estimate(system: SystemSpec, shape: DecoderShape, tp: int) -> Estimate:
    """Latency of a request's attention, as the channel packing sees it; its length where there is no PIM."""
    if system.pim is None or system.memory is None:
        return lambda length: length
    org, size = system.memory.organization, shape.element_bytes
    attention = AttentionShape(shape.kv_heads // tp, shape.head_dim, org.row_bytes // size, org.banks, shape.group)
    return attention_estimate(attention, COSTS[system.policy.estimate](attention, system.memory, system.pim))


def _packed(system: SystemSpec, shape: DecoderShape, batch: Batch, setting: Setting) -> Batch:
    if system.policy.attention != "pim" or system.memory is None:
        return batch
    channels, estimate = system.memory.organization.channels, _estimate(system, shape, setting.tp)
    room = _room(system, shape, len(batch), setting)
    above, banks = system.policy.split_requests, system.memory.organization.banks
    split = None if above is None else Split(above, banks)
    return pack_channels(system.policy.channel_packing, batch, channels, estimate, room, split)


def _room(system: SystemSpec, shape: DecoderShape, requests: int, setting: Setting) -> ChannelRoom | None:
    """Room of a channel for the KV cache; the published simulator does not look at it."""
    if system.policy.addresses != "placed":
        return None
    npu, memory = npu_of(system)
    return channel_room(shard(shape, setting.tp, setting.pp), requests, npu, memory)


def _modes(system: SystemSpec, requests: int, setting: Setting) -> tuple[str, ...]:
    """Ways to run a batch, `on` or `off` for interleaving; two of them where the faster one is to be taken."""
    if system.processor.kind == "gpu":
        return ("off",)
    policy, wanted = system.policy, setting.interleaving or system.policy.interleaving
    mode = "on" if execution_mode(wanted, requests, policy.interleaving_from) == "interleaved" else "off"
    if mode == "on" and system.pim and system.pim.row_buffers == "single" and not system.pim.ordered_writes:
        raise ConfigError(
            f"{system.name}: the published controller with one row buffer locks up when NPU and PIM traffic overlap; "
            f"use --interleaving off, or --set pim.ordered_writes=true"
        )
    open_choice = mode == "on" and wanted == "auto" and policy.interleaving_auto == "faster"
    return ("off", "on") if open_choice else (mode,)


def _fastest(
    system: SystemSpec, model: Model, batch: Batch, waiting: Batch, setting: Setting, tools: Tools
) -> tuple[str, DeviceResult]:
    """The mode that takes the least time, and what it does; the effort is that of all modes."""
    modes = _modes(system, len(batch), setting)
    return fastest(
        {mode: _run(system, model, batch, waiting, replace(setting, interleaving=mode), tools) for mode in modes}
    )


def _plan(system: SystemSpec, model: Model, batch: Batch, waiting: Batch, setting: Setting) -> Plan:
    shape = _shape(model, setting)
    mode = "interleaved" if _modes(system, len(batch), setting)[-1] == "on" else "serial"
    estimate = _estimate(system, shape, setting.tp)
    count = system.policy.sub_batch_count if mode == "interleaved" else 1
    parts = split_batch(system.policy.sub_batches, batch, estimate, count)
    layers, barriers = -(-shape.layers // setting.pp), system.policy.stage_barriers
    written = layers if setting.unroll else setting.periods
    outline = stages(mode, layers, written, barriers=barriers, sub_batches=len(parts))
    npu, _ = npu_of(system)
    head = None if setting.layers is None else False
    cost, parallel = cost_of(npu.arrays), {"tp": setting.tp, "pp": setting.pp}
    return lower_decode(shape, system, parts, outline, cost, head=head, waiting=waiting, **parallel)


def _run(
    system: SystemSpec, model: Model, batch: Batch, waiting: Batch, setting: Setting, tools: Tools
) -> DeviceResult:
    if not isinstance(system.processor, NpuSpec) or system.memory is None:
        return _roofline(system, model, batch, waiting, setting)
    return run_or_recall(_plan(system, model, batch, waiting, setting), system, setting.engine, tools)


def _roofline(system: SystemSpec, model: Model, batch: Batch, waiting: Batch, setting: Setting) -> DeviceResult:
    processor, policy = system.processor, system.policy
    assert processor.kind == "gpu"
    works, repeats = lower_roofline(
        _shape(model, setting),
        batch,
        processor.memory_bytes,
        waiting=waiting,
        tp=setting.tp,
        pp=setting.pp,
        head=policy.head and setting.layers is None,
        all_reduce=policy.all_reduce,
    )
    return run_roofline(works, processor, system.link, repeats)
