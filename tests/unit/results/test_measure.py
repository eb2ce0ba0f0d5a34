"""From spans and counts of devices to the record of a run."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neupims.hardware.load import load_system
from neupims.hardware.system import SystemSpec
from neupims.isa.commands import Command
from neupims.request import Request
from neupims.results.energy import Activity, energy_of, processor_energy_mj
from neupims.results.measure import Job, measure
from neupims.results.record import Run

US = 1_000_000
CHANNELS = 2
COUNTS = {Command.ACT: 3, Command.RD: 40, Command.WR: 7, Command.PIM_MAC: 5, Command.PIM_READ: 1, Command.PIM_GEMV: 2}
MAC_STEPS, BUSY = 37, 300
"""Per channel: PIM_MACs with those of the composite commands; cycles with PIM work."""


def operator(unit: str, macs: int, read: int = 0, written: int = 0) -> Any:
    work = dict(macs=macs, other_ops=macs // 10, bytes_read=read, bytes_written=written)
    return SimpleNamespace(name=f"x.{unit}", kind="gemm", unit=unit, start_ps=0, end_ps=US, busy_ps=US, **work)


def counts() -> Any:
    commands = np.zeros((CHANNELS, len(Command)), np.int64)
    for command, count in COUNTS.items():
        commands[:, command] = count
    per_channel = {"macs": np.full(CHANNELS, MAC_STEPS), "pim_busy": np.array([0, 2 * BUSY])}
    return SimpleNamespace(commands=commands, **per_channel)


def stage(start: int, end: int, repeats: int, operators: list[Any], memory: Any = None) -> Any:
    times = dict(start_ps=start, end_ps=end, duration_ps=end - start)
    return SimpleNamespace(name="A", repeats=repeats, operators=operators, counts=memory, **times)


def outcome(*stages: Any) -> Any:
    duration = sum(s.repeats * s.duration_ps for s in stages)
    return SimpleNamespace(stages=stages, iteration_ps=duration, commands=100, run=40, reused=0)


def run_of(system: SystemSpec, *results: Any) -> Run:
    batch = (Request(0, 5, 0), Request(1, 9, 1), Request(2, 2, 1))
    settings = dict(tp=4, pp=len(results), layers=3, interleaving="off", phase="decode", version="1", engine="fast")
    job = Job(system=system, hardware_digest="d", model="m", variant=None, batch=batch, **settings)
    return measure(job, results, 0.5)


@pytest.fixture
def neupims() -> SystemSpec:
    return load_system("neupims", [f"memory.organization.channels={CHANNELS}"])


@pytest.fixture
def run(neupims: SystemSpec) -> Run:
    work = [operator("array", 10**6, 1000, 500), operator("pim", 10**4), operator("link", 0, 64, 64)]
    once, thrice = stage(0, 2 * US, 1, work[:1]), stage(2 * US, 6 * US, 3, work, counts())
    return run_of(neupims, outcome(once, thrice))


def test_stages_count_as_often_as_they_stand(run: Run) -> None:
    assert run.iteration_ps == (2 + 3 * 4) * US
    assert run.tokens_per_s == pytest.approx(3 / 14e-6)
    assert run.commands == {command.name: 3 * CHANNELS * count for command, count in COUNTS.items()}


def test_utilization_is_work_over_peak(run: Run, neupims: SystemSpec) -> None:
    npu, memory, pim = neupims.processor, neupims.memory, neupims.pim
    assert npu.kind == "npu"
    assert memory is not None
    assert pim is not None
    seconds, arrays, org = 14e-6, npu.arrays, memory.organization
    peak = arrays.count * arrays.rows * arrays.columns * npu.clock_ghz * 1e9
    assert run.utilization.npu == pytest.approx(4 * 10**6 / (peak * seconds))
    pim_peak = CHANNELS * org.banks * pim.macs_per_bank * memory.clock_ghz * 1e9 * 2 / org.burst_length
    assert run.utilization.pim == pytest.approx(3 * 10**4 / (pim_peak * seconds))
    moved = 3 * CHANNELS * (40 + 7 + 1 + 2) * org.burst_bytes
    assert run.utilization.bandwidth == pytest.approx(moved / (memory.bandwidth_gb_s * 1e9 * seconds))
    assert run.pim_busy == pytest.approx(3 * BUSY / (seconds * memory.clock_ghz * 1e9))


def test_a_stage_has_its_own_shares(run: Run) -> None:
    first, second = run.stages
    assert first.utilization is not None
    assert second.utilization is not None
    assert first.utilization.npu == pytest.approx(2 * second.utilization.npu)
    assert (first.utilization.pim, first.utilization.bandwidth) == (0, 0)


def test_energy_follows_from_the_counts(run: Run, neupims: SystemSpec) -> None:
    activity = Activity(
        duration_ps=14 * US,
        commands=run.commands,
        gemv_macs=3 * CHANNELS * (MAC_STEPS - COUNTS[Command.PIM_MAC]),
        macs=4 * 10**6,
        vector_ops=4 * 10**5 + 3 * 10**3,
        scratchpad_bytes=2 * 4 * 1500,
        link_bytes=3 * 64,
    )
    energy, by_command = energy_of(activity, neupims)
    assert run.energy == energy
    assert run.dram_energy_mj == by_command
    assert run.processor_energy_mj == processor_energy_mj(activity, neupims)
    assert sum(run.processor_energy_mj.values()) == energy.npu
    assert run.area_overhead == neupims.pim.second_row_buffer_area > 0


def test_micro_batches_follow_each_other(neupims: SystemSpec) -> None:
    part = outcome(stage(0, 2 * US, 5, [operator("array", 7)]))
    run = run_of(neupims, part, part)
    assert run.iteration_ps == 2 * 5 * 2 * US
    assert [(s.start_ps, s.end_ps) for s in run.stages] == [(0, 2 * US), (2 * US, 4 * US)]
    assert [(o.start_ps, o.end_ps) for o in run.operators] == [(0, US), (2 * US, 3 * US)]


def test_channels_hold_the_tokens_of_their_requests(run: Run) -> None:
    assert run.channel_tokens == (5, 11)


def test_a_roofline_has_no_memory_to_count() -> None:
    gpu = load_system("gpu-a100")
    work = [operator("gpu", 10**6, 3000, 1000), operator("link", 0, 64, 64)]
    run = run_of(gpu, outcome(stage(0, US, 2, work)))
    assert gpu.processor.kind == "gpu"
    assert (run.commands, run.pim_busy, run.channel_tokens, run.dram_energy_mj) == ({}, None, (), {})
    assert run.utilization.bandwidth == pytest.approx(4000 / (gpu.processor.bandwidth_gb_s * 1e9 * 1e-6))
    assert run.utilization.npu == pytest.approx(2 * 10**6 / (gpu.processor.peak_tflops * 1e12 * 1e-6))
    assert run.energy.link == pytest.approx(2 * 64 * 8 * gpu.link.energy_pj_per_bit / 1e9)
