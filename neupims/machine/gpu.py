"""A GPU as a roofline: each operator takes the longer of its arithmetic and its traffic, and a launch."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil

from neupims.hardware.link import LinkSpec
from neupims.hardware.npu import GpuSpec
from neupims.isa.work import LinkWork, RooflineWork
from neupims.machine.link import link_bytes, link_ps
from neupims.machine.outcome import DeviceResult, OperatorSpan, StageSpan

PS_PER_US = 1_000_000

RooflineStage = tuple[str, Sequence[RooflineWork | LinkWork]]
"""Name and operators of a stage."""


def work_ps(work: RooflineWork, gpu: GpuSpec) -> int:
    """max(2 macs / (peak * share), bytes / (bandwidth * share)) + launch, in picoseconds.

    The shares are `gemm_efficiency` of the peak, and of the bandwidth `attention_efficiency` for
    attention and `stream_efficiency` for everything else.
    """
    share = gpu.attention_efficiency if work.kind == "attention" else gpu.stream_efficiency
    arithmetic = 2 * work.macs / (_exact(gpu.peak_tflops) * _exact(gpu.gemm_efficiency))
    traffic = 1000 * (work.bytes_read + work.bytes_written) / (_exact(gpu.bandwidth_gb_s) * _exact(share))
    return ceil(max(arithmetic, traffic) + _exact(gpu.launch_us) * PS_PER_US)


def _exact(value: float) -> Fraction:
    return Fraction(str(value))


def run_roofline(stages: Sequence[RooflineStage], gpu: GpuSpec, link: LinkSpec, repeats: Sequence[int]) -> DeviceResult:
    """Operators one after the other; stage i stands `repeats[i]` times in the iteration."""
    spans: list[StageSpan] = []
    start = 0
    for (name, works), times in zip(stages, repeats, strict=True):
        operators = tuple(_spans(works, start, gpu, link))
        end = operators[-1].end_ps if operators else start
        spans.append(StageSpan(name, start, end, times, operators))
        start = end
    return DeviceResult(tuple(spans))


def _spans(
    works: Sequence[RooflineWork | LinkWork], start: int, gpu: GpuSpec, link: LinkSpec
) -> Iterator[OperatorSpan]:
    for work in works:
        span = _collective(work, start, link) if isinstance(work, LinkWork) else _operator(work, start, gpu)
        yield span
        start = span.end_ps


def _operator(work: RooflineWork, start: int, gpu: GpuSpec) -> OperatorSpan:
    end = start + work_ps(work, gpu)
    counts = (work.macs, work.other_ops, work.bytes_read, work.bytes_written)
    return OperatorSpan(work.name, work.kind, "gpu", start, end, *counts, end - start)


def _collective(work: LinkWork, start: int, link: LinkSpec) -> OperatorSpan:
    end, sent = start + link_ps(work, link), link_bytes(work)
    return OperatorSpan(work.name, work.kind, "link", start, end, 0, 0, sent, sent, end - start)
