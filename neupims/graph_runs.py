"""Any model on any system: what `simulation` does with graphs that are no stacks of GPT or Llama decoder blocks.

A graph runs on one device, operator by operator. With PIM, attention over a cache and products of weights with a few
vectors run in the banks; interleaved, two halves of the batch take turns on NPU and PIM as a list scheduler puts them.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from neupims import __version__
from neupims.device_runs import Tools, fastest, run_or_recall
from neupims.errors import ModelError
from neupims.graph import Graph, Model
from neupims.graph.share import pipeline_share
from neupims.hardware.npu import GpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.work import Plan
from neupims.lowering.decoder import read_decoder
from neupims.lowering.operators.banks import TileTimes
from neupims.lowering.operators.gpu import lower_roofline_graph
from neupims.lowering.operators.groups import grouped
from neupims.lowering.operators.once import once
from neupims.lowering.operators.outline import Chain, Turn, chain, plan_of
from neupims.lowering.operators.plan import Lowered, Sample, lower_graph, serial_plan
from neupims.lowering.plan import npu_of
from neupims.machine.dram.memory import Engine
from neupims.machine.gpu import run_roofline
from neupims.machine.outcome import DeviceResult
from neupims.machine.systolic import cost_of
from neupims.request import Batch, Phase
from neupims.results.digest import digest
from neupims.results.measure import Job, measure
from neupims.results.record import Run
from neupims.scheduling.channels import pack_channels
from neupims.scheduling.estimate import COSTS, AttentionShape, Estimate, attention_estimate, timing_costs
from neupims.scheduling.rounds import Round, Task, repeated, rounds
from neupims.scheduling.stages import execution_mode
from neupims.scheduling.subbatch import split_batch

Interleaving = Literal["on", "off", "auto"]


@dataclass(frozen=True, slots=True)
class GraphJob:
    """A model over a batch, on one of `pp` devices that share its layers."""

    system: SystemSpec
    model: Model
    batch: Batch
    waiting: Batch = ()
    """Requests of other micro-batches, whose states lie on the same device."""
    pp: int = 1
    phase: Phase | None = None

    def sample(self, part: Batch) -> Sample:
        """The device's share of the graph over some of the requests."""
        return Sample(pipeline_share(self.model.trace([request.length for request in part], self.phase), self.pp), part)


def is_decoder(model: Model, batch: Batch) -> bool:
    """Whether a decode step of the model is a stack of decoder blocks of the GPT-3 or Llama family.

    Raises:
        ModelError: the model cannot decode the batch, as of contexts longer than it knows.
    """
    if model.passes != "decode":
        return False
    graph = model.decode([request.length for request in batch])
    try:
        read_decoder(graph)
    except ModelError:
        return False
    return True


def simulate_graph(
    system: SystemSpec,
    model: Model,
    batch: Batch,
    interleaving: Interleaving | None,
    engine: Engine,
    tools: Tools,
    pp: int = 1,
    phase: Phase | None = None,
) -> Run:
    """One pass of `model` over `batch`, that of `phase` or its usual one, on `pp` devices that share the layers.

    As in `simulate`, the batch is cut into `pp` micro-batches, and an iteration is the time in which a device has
    served all of them.

    Raises:
        NeupimsError: the model or the batch does not fit.
    """
    began = time.perf_counter()
    jobs = micro_batches(GraphJob(system, model, batch, pp=pp, phase=phase))
    outcomes = [_fastest(job, interleaving, engine, tools) for job in jobs]
    record = Job(
        system=system,
        hardware_digest=digest(system.model_dump(mode="json")),
        model=model.name,
        variant=model.variant,
        batch=tuple(request for job in jobs for request in job.batch),
        tp=1,
        pp=pp,
        layers=None,
        interleaving=outcomes[0][0],
        phase=phase or model.passes,
        version=__version__,
        engine=engine,
    )
    return measure(record, [result for _, result in outcomes], time.perf_counter() - began)


def micro_batches(job: GraphJob) -> list[GraphJob]:
    """Every pp-th request, each with a channel where it needs one."""
    pp = job.pp
    if pp > len(job.batch):
        raise ModelError(
            f"--pp {pp} cuts a batch of {len(job.batch)} requests into empty parts; use at most {len(job.batch)}"
        )
    packed = packed_batch(replace(job, pp=1))
    parts = [packed[number::pp] for number in range(pp)]
    others = [tuple(request for other in parts if other is not part for request in other) for part in parts]
    return [replace(job, batch=part, waiting=waiting) for part, waiting in zip(parts, others, strict=True)]


def _fastest(
    job: GraphJob, interleaving: Interleaving | None, engine: Engine, tools: Tools
) -> tuple[str, DeviceResult]:
    if isinstance(job.system.processor, GpuSpec):
        return "off", run_graph_roofline(job, job.system.processor)
    plans = {mode: graph_plan(job, mode) for mode in modes(job, interleaving)}
    return fastest({mode: run_or_recall(plan, job.system, engine, tools) for mode, plan in plans.items()})


def last_plan(
    system: SystemSpec, model: Model, batch: Batch, interleaving: Interleaving | None, pp: int, phase: Phase | None
) -> Plan:
    """The plan of the first micro-batch in the last mode that `simulate_graph` would try."""
    job = micro_batches(GraphJob(system, model, batch, pp=pp, phase=phase))[0]
    return graph_plan(job, modes(job, interleaving)[-1])


def modes(job: GraphJob, interleaving: Interleaving | None) -> tuple[str, ...]:
    """`off`, `on`, or both, of which the faster is to be taken; nothing is interleaved that uses one engine only."""
    policy, requests = job.system.policy, len(job.batch)
    wanted = interleaving or policy.interleaving
    if execution_mode(wanted, requests, policy.interleaving_from) == "serial" or not uses_both(job):
        return ("off",)
    return ("off", "on") if wanted == "auto" and policy.interleaving_auto == "faster" else ("on",)


def runs_as_graph(system: SystemSpec, model: Model, batch: Batch, phase: Phase | None) -> bool:
    """Whether a model runs operator by operator: all but decode steps of decoders with no weights in the banks."""
    if phase not in (None, "decode"):
        return True
    return not is_decoder(model, batch) or system.policy.placement in ("auto", "pim")


def check_settings(system: SystemSpec, model: Model, tp: int, layers: int | None, periods: int, unroll: bool) -> None:
    """ModelError for what a graph cannot be divided or cut by."""
    asked = {"--tp": tp > 1, "--layers": layers is not None, "--periods": periods > 1, "unroll": unroll}
    wrong = ", ".join(name for name, given in asked.items() if given)
    if wrong:
        placed = f", unless policy.placement is {system.policy.placement}" if system.policy.placement else ""
        raise ModelError(
            f"{model.name}: {wrong}: only decoders of the GPT-3 and Llama families are divided or cut like this"
            f"{placed}; other models are divided by --pp: leave it out"
        )


def packed_batch(job: GraphJob) -> Batch:
    """The batch with a channel for each request, if attention over a cache runs in PIM."""
    system = job.system
    if system.policy.attention != "pim" or system.memory is None or not _cached(job.sample(job.batch).graph):
        return job.batch
    channels = system.memory.organization.channels
    return pack_channels(system.policy.channel_packing, job.batch, channels, _estimate(job), None)


def _cached(graph: Graph) -> bool:
    return any(group.cached for group in grouped(once(graph)))


def _estimate(job: GraphJob) -> Estimate:
    """Latency of a request's attention, as the channel packing sees it: that of the first attention of the graph."""
    memory, pim = job.system.memory, job.system.pim
    logits = [item.op for item in once(job.sample(job.batch).graph) if item.op.kind == "logit" and item.op.states]
    if memory is None or pim is None or not logits:
        return lambda length: length
    org, first = memory.organization, logits[0]
    size = first.states[0].bytes // first.states[0].elements
    heads, group = first.number("kv_heads"), first.number("heads") // first.number("kv_heads")
    shape = AttentionShape(heads, first.number("head_dim"), org.row_bytes // size, org.banks, group)
    return attention_estimate(shape, COSTS[job.system.policy.estimate](shape, memory, pim))


def tile_times(system: SystemSpec) -> TileTimes | None:
    """GWRITE and full tile of a matrix in the banks, from the timing of the memory."""
    memory, pim = system.memory, system.pim
    if memory is None or pim is None:
        return None
    org = memory.organization
    row = org.row_bytes // system.processor.element_bytes
    costs = timing_costs(AttentionShape(1, row, row, org.banks), memory, pim)
    return TileTimes(costs.gwrite, costs.attend_tile)


def graph_plan(job: GraphJob, mode: str) -> Plan:
    """The plan of a graph on a system with an NPU: `off`, or `on` for interleaved halves.

    Raises:
        ConfigError, CapacityError: as `lower_graph`.
    """
    parts: Sequence[Batch] = (job.batch,)
    if mode == "on":
        parts = split_batch(job.system.policy.sub_batches, job.batch, _estimate(job))
    lowered = _lowered(job, parts)
    return serial_plan(lowered) if mode == "off" else plan_of(lowered, interleaved(lowered))


def _lowered(job: GraphJob, parts: Sequence[Batch]) -> Lowered:
    npu, _ = npu_of(job.system)
    samples = [job.sample(part) for part in parts]
    waiting = job.sample(job.waiting) if job.waiting else None
    return lower_graph(samples, job.system, cost_of(npu.arrays), tile_times(job.system), waiting)


def uses_both(job: GraphJob) -> bool:
    """Whether some block of the graph works on both engines, so that halves can be interleaved."""
    return any(part.engine == "pim" for part in _lowered(job, [job.batch]).segments)


def interleaved(lowered: Lowered) -> list[Turn]:
    """Segments of both halves as a list scheduler puts them on NPU and PIM, equal rounds together."""
    steps = list(chain(lowered.segments))
    tasks = [task for half in range(len(lowered.halves)) for task in _tasks(steps, half)]
    made = repeated(tasks, rounds(tasks))
    return [Turn(tuple((half, number) for half, number in _labels(tasks, one)), one.repeats) for one in made]


def _labels(tasks: Sequence[Task], one: Round) -> Iterator[tuple[int, ...]]:
    return (tasks[index].label for _, taken in one.tasks for index in taken)


def _tasks(steps: Sequence[Chain], half: int) -> list[Task]:
    """A half's way through the graph: each step after the one before it."""
    first = half * len(steps)
    return [
        Task(
            label=(half, step.segment.number),
            engine=step.segment.engine,
            after=(first + index - 1,) if index else (),
            priority=(index, half),
            repeats=step.repeats,
        )
        for index, step in enumerate(steps)
    ]


def run_graph_roofline(job: GraphJob, gpu: GpuSpec) -> DeviceResult:
    """The graph on a processor that is timed as a roofline. CapacityError if it does not fit."""
    waiting = job.sample(job.waiting).graph.state_bytes if job.waiting else 0
    stages, repeats = lower_roofline_graph(job.sample(job.batch).graph, gpu.memory_bytes, waiting)
    return run_roofline(stages, gpu, job.system.link, repeats)
