"""From what devices did to the record of a run: totals over the iteration, shares of peaks, energy.

The rooms below speak of a simulated device in their own records; here they are read by attribute, so
that `results` does not depend on `machine`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from neupims.hardware.system import SystemSpec
from neupims.isa.commands import Command
from neupims.request import Batch
from neupims.results.energy import Activity, energy_of, processor_energy_mj
from neupims.results.record import Effort, RequestSummary, Run
from neupims.results.spans import OperatorSpan, StageSpan, Utilization
from neupims.units import PS_PER_NS, PS_PER_S


class DeviceOutcome(Protocol):
    """A simulated plan: stages with operators and memory counts."""

    @property
    def stages(self) -> Sequence[Any]:
        """Stages with name, start_ps, end_ps, duration_ps, repeats, operators and counts."""
        ...

    @property
    def iteration_ps(self) -> int:
        """Time of the whole iteration."""
        ...

    @property
    def commands(self) -> int:
        """Commands of the simulated stages."""
        ...

    @property
    def run(self) -> int:
        """Those of them that an engine ran."""
        ...

    @property
    def reused(self) -> int:
        """Those of them that were known before."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What was simulated."""

    system: SystemSpec
    hardware_digest: str
    model: str
    variant: str | None
    batch: Batch
    tp: int
    pp: int
    layers: int | None
    interleaving: str
    phase: str
    version: str
    engine: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the iteration of one device."""

    duration_ps: int
    macs: dict[str, int]
    """By unit."""
    other_ops: int
    bytes: dict[str, int]
    """By unit: read and written; of a link, sent."""
    commands: dict[str, int]
    mac_steps: int
    pim_busy_cycles: float
    """Mean over channels."""


def measure(job: Job, results: Sequence[DeviceOutcome], wall_s: float) -> Run:
    """The record of an iteration that consists of the micro-batches in `results`."""
    duration = sum(result.iteration_ps for result in results)
    stages = [stage for result in results for stage in result.stages]
    totals = _totals(stages, duration)
    activity = _activity(totals)
    energy, by_command = energy_of(activity, job.system)
    return Run(
        system=job.system.name,
        hardware_digest=job.hardware_digest,
        model=job.model,
        variant=job.variant,
        batch=len(job.batch),
        tp=job.tp,
        pp=job.pp,
        iteration_ps=duration,
        tokens_per_s=len(job.batch) * PS_PER_S / duration,
        utilization=_utilization(job.system, totals),
        energy=energy,
        stages=tuple(_stage_spans(job.system, results)),
        operators=tuple(_operator_spans(results)),
        commands=totals.commands,
        wall_s=wall_s,
        version=job.version,
        layers=job.layers,
        interleaving=job.interleaving,
        phase=job.phase,
        requests=RequestSummary.of(job.batch),
        dram_energy_mj=by_command,
        processor_energy_mj=processor_energy_mj(activity, job.system),
        area_overhead=_area_overhead(job.system),
        channel_tokens=_channel_tokens(job),
        pim_busy=_busy(job.system, totals),
        effort=_effort(job.engine, results),
    )


def _area_overhead(system: SystemSpec) -> float | None:
    if system.pim is None:
        return None
    return system.pim.second_row_buffer_area if system.pim.row_buffers == "dual" else 0.0


def _effort(engine: str, results: Sequence[DeviceOutcome]) -> Effort:
    names = ("commands", "run", "reused")
    return Effort(engine, *(sum(getattr(result, name) for result in results) for name in names))


def _totals(stages: Sequence[Any], duration: int) -> Totals:
    macs, moved, commands = Counter[str](), Counter[str](), Counter[str]()
    other_ops, mac_steps, busy = 0, 0, 0.0
    for stage in stages:
        for operator in stage.operators:
            macs[operator.unit] += stage.repeats * operator.macs
            moved[operator.unit] += stage.repeats * _moved(operator)
            other_ops += stage.repeats * operator.other_ops
        if stage.counts is not None:
            for command, count in zip(Command, stage.counts.commands.sum(axis=0).tolist(), strict=True):
                commands[command.name] += stage.repeats * count
            mac_steps += stage.repeats * int(stage.counts.macs.sum())
            busy += stage.repeats * float(stage.counts.pim_busy.mean())
    used = {name: count for name, count in commands.items() if count}
    return Totals(duration, dict(macs), other_ops, dict(moved), used, mac_steps, busy)


def _moved(operator: Any) -> int:
    return operator.bytes_written if operator.unit == "link" else operator.bytes_read + operator.bytes_written


def _activity(totals: Totals) -> Activity:
    moved = {unit: size for unit, size in totals.bytes.items() if unit not in ("link", "gpu")}
    return Activity(
        duration_ps=totals.duration_ps,
        commands=totals.commands,
        gemv_macs=totals.mac_steps - totals.commands.get("PIM_MAC", 0),
        macs=sum(count for unit, count in totals.macs.items() if unit != "pim"),
        vector_ops=totals.other_ops,
        scratchpad_bytes=2 * sum(moved.values()),
        link_bytes=totals.bytes.get("link", 0),
        streamed_bytes=totals.bytes.get("gpu", 0),
    )


def _utilization(system: SystemSpec, totals: Totals) -> Utilization:
    macs = sum(count for unit, count in totals.macs.items() if unit != "pim")
    seconds = totals.duration_ps / PS_PER_S
    if seconds == 0:
        return Utilization(0.0, 0.0, 0.0)
    pim = totals.macs.get("pim", 0) / (pim_peak_macs(system) * seconds) if system.pim else 0.0
    return Utilization(
        macs / (peak_macs(system) * seconds), pim, _bus_bytes(system, totals) / (bandwidth_bytes(system) * seconds)
    )


def peak_macs(system: SystemSpec) -> float:
    """MACs per second of the arrays, or of the GPU."""
    processor = system.processor
    if processor.kind == "gpu":
        return processor.peak_tflops * 1e12 / 2
    arrays = processor.arrays
    return arrays.count * arrays.rows * arrays.columns * processor.clock_ghz * 1e9


def pim_peak_macs(system: SystemSpec) -> float:
    """MACs per second of all PIM units: one PIM_MAC of all banks per burst time (two cycles at burst length 4)."""
    memory, pim = system.memory, system.pim
    assert memory is not None
    assert pim is not None
    org = memory.organization
    steps = memory.clock_ghz * 1e9 / (org.burst_length / 2)
    return org.channels * org.banks * pim.macs_per_bank * steps


def bandwidth_bytes(system: SystemSpec) -> float:
    """Bytes per second of the memory interface of a device."""
    processor = system.processor
    if processor.kind == "gpu":
        return processor.bandwidth_gb_s * 1e9
    assert system.memory is not None
    return system.memory.bandwidth_gb_s * 1e9


def _bus_bytes(system: SystemSpec, totals: Totals) -> int:
    """Bytes on the external buses: reads, writes and PIM results are one burst each."""
    if system.memory is None:
        return totals.bytes.get("gpu", 0)
    bursts = sum(totals.commands.get(name, 0) for name in ("RD", "WR", "PIM_READ", "PIM_GEMV"))
    return bursts * system.memory.organization.burst_bytes


def _busy(system: SystemSpec, totals: Totals) -> float | None:
    if system.pim is None or system.memory is None:
        return None
    return totals.pim_busy_cycles / (totals.duration_ps / PS_PER_NS * system.memory.clock_ghz)


def _channel_tokens(job: Job) -> tuple[int, ...]:
    if job.system.policy.attention != "pim" or job.system.memory is None:
        return ()
    tokens = [0] * job.system.memory.organization.channels
    for request in job.batch:
        for part in request.parts:
            tokens[part.channel] += part.tokens
        if not request.parts and request.channel is not None:
            tokens[request.channel] += request.length
    return tuple(tokens)


def _offsets(results: Sequence[DeviceOutcome]) -> Iterator[tuple[DeviceOutcome, int]]:
    """Micro-batches one after the other, as they were simulated."""
    start = 0
    for result in results:
        yield result, start
        start += result.stages[-1].end_ps


def _stage_spans(system: SystemSpec, results: Sequence[DeviceOutcome]) -> Iterator[StageSpan]:
    for result, offset in _offsets(results):
        for stage in result.stages:
            once = _totals([_Once(stage)], stage.duration_ps)
            shares = _utilization(system, once)
            yield StageSpan(stage.name, offset + stage.start_ps, offset + stage.end_ps, stage.repeats, shares)


class _Once:
    """A stage as if it stood once in the iteration."""

    repeats = 1

    def __init__(self, stage: Any) -> None:
        self.operators, self.counts = stage.operators, stage.counts


def _operator_spans(results: Sequence[DeviceOutcome]) -> Iterator[OperatorSpan]:
    for result, offset in _offsets(results):
        for stage in result.stages:
            for operator in stage.operators:
                yield OperatorSpan(
                    name=operator.name,
                    unit=operator.unit,
                    start_ps=offset + operator.start_ps,
                    end_ps=offset + operator.end_ps,
                    macs=operator.macs,
                    bytes_read=operator.bytes_read,
                    bytes_written=operator.bytes_written,
                    kind=operator.kind,
                    busy_ps=operator.busy_ps,
                )
