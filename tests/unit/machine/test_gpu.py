"""The GPU roofline."""

from neupims.hardware.link import LinkSpec
from neupims.hardware.npu import GpuEnergy, GpuSpec
from neupims.isa.work import LinkWork, RooflineWork
from neupims.machine.gpu import run_roofline, work_ps
from neupims.machine.link import all_reduce_ps

GPU = GpuSpec(
    kind="gpu",
    peak_tflops=100,
    bandwidth_gb_s=1000,
    memory_bytes=1,
    gemm_efficiency=0.5,
    stream_efficiency=0.8,
    attention_efficiency=0.4,
    launch_us=2,
    energy=GpuEnergy(mac_pj=1, dram_pj_per_byte=1, static_w=1),
)
LINK = LinkSpec(bandwidth_gb_s=50, latency_us=0.5, energy_pj_per_bit=1)
LAUNCH = 2_000_000


def test_arithmetic_bound() -> None:
    work = RooflineWork("qkv", "gemm", macs=10**9, bytes_read=1000, bytes_written=1000)
    assert work_ps(work, GPU) == 2 * 10**9 // 50 + LAUNCH


def test_stream_bound() -> None:
    work = RooflineWork("norm", "layer_norm", macs=0, bytes_read=10**6, bytes_written=10**6)
    assert work_ps(work, GPU) == 2 * 10**6 * 1000 // 800 + LAUNCH


def test_attention_has_a_share_of_its_own() -> None:
    work = RooflineWork("attention", "attention", macs=1, bytes_read=10**6, bytes_written=0)
    assert work_ps(work, GPU) == 10**6 * 1000 // 400 + LAUNCH


def test_operators_and_stages_follow_each_other() -> None:
    gemm = RooflineWork("qkv", "gemm", 10**9, 1000, 1000)
    reduce = LinkWork("sum", "all_reduce", 4000, 4)
    result = run_roofline([("A", [gemm, reduce, gemm]), ("B", [gemm])], GPU, LINK, repeats=(3, 1))
    assert [(o.name, o.unit) for o in result.operators] == [
        ("qkv", "gpu"),
        ("sum", "link"),
        ("qkv", "gpu"),
        ("qkv", "gpu"),
    ]
    assert [o.end_ps for o in result.operators[:-1]] == [o.start_ps for o in result.operators[1:]]
    first, second = result.stages
    assert first.end_ps == second.start_ps
    assert first.duration_ps == 2 * work_ps(gemm, GPU) + all_reduce_ps(4000, 4, LINK)
    assert result.iteration_ps == 3 * first.duration_ps + work_ps(gemm, GPU)
    assert result.operators[0].macs == 10**9


def test_nothing_takes_no_time() -> None:
    assert run_roofline([("A", [])], GPU, LINK, repeats=(1,)).iteration_ps == 0
