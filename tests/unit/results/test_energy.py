from typing import Any

import pytest

from neupims.hardware.link import LinkSpec
from neupims.hardware.memory import DramEnergy, MemorySpec, MemoryTiming, Organization
from neupims.hardware.npu import GpuEnergy, GpuSpec, NpuEnergy, NpuSpec, Scratchpad, SystolicArrays, VectorUnits
from neupims.hardware.pim import PimSpec
from neupims.hardware.system import SystemSpec
from neupims.results.energy import BACKGROUND, Activity, command_pj, dram_energy_mj, energy_of, standby_mw

TIMING = dict(
    t_cl_ns=14, t_cwl_ns=4, t_rcd_rd_ns=14, t_rcd_wr_ns=14, t_rp_ns=14, t_ras_ns=34, t_rrd_s_ns=4, t_rrd_l_ns=6,
    t_faw_ns=30, t_wr_ns=16, t_ccd_s_ns=1, t_ccd_l_ns=2, t_wtr_s_ns=6, t_wtr_l_ns=8, t_rtp_ns=5, t_rtrs_ns=2,
    t_rfc_ns=260, t_refi_ns=3900,
)  # fmt: skip
CURRENTS = DramEnergy(
    vdd_v=1.2, idd0_ma=65, idd2n_ma=40, idd3n_ma=55, idd4r_ma=390, idd4w_ma=500, idd5ab_ma=250
)  # fmt: skip
SHAPE = Organization(
    channels=2, ranks=2, bank_groups=4, banks_per_group=4, rows=64, row_bytes=1024, burst_length=4, bus_bits=128
)
MEMORY = MemorySpec(organization=SHAPE, clock_ghz=1.0, timing=MemoryTiming(**TIMING), energy=CURRENTS)
NPU = NpuSpec(
    clock_ghz=1.0,
    arrays=SystolicArrays(count=1, rows=8, columns=8, dataflow="weight_stationary"),
    vector=VectorUnits(count=1, lanes=8),
    scratchpad=Scratchpad(bytes=4096, accumulator_bytes=4096),
    energy=NpuEnergy(mac_pj=0.5, vector_op_pj=2.0, scratchpad_pj_per_byte=0.25, static_w=3.0),
)
GPU = GpuSpec(
    peak_tflops=312,
    bandwidth_gb_s=1555,
    memory_bytes=40 * 2**30,
    gemm_efficiency=0.7,
    stream_efficiency=0.85,
    attention_efficiency=0.5,
    launch_us=5,
    energy=GpuEnergy(mac_pj=0.6, dram_pj_per_byte=30.0, static_w=50.0),
)
LINK = LinkSpec(bandwidth_gb_s=64, latency_us=1, energy_pj_per_bit=5)
MS = 10**9


def system(row_buffers: str | None = None, **changes: Any) -> SystemSpec:
    pim = row_buffers and PimSpec(
        row_buffers=row_buffers, composite_gemv=True, macs_per_bank=16, vector_buffer_bytes=1024, gwrite_ns=96
    )
    return SystemSpec(**dict(name="x", title="X", processor=NPU, memory=MEMORY, pim=pim or None, link=LINK) | changes)


def test_commands_cost_what_the_published_currents_give():
    costs = {name: round(pj, 6) for name, pj in command_pj(MEMORY).items()}
    assert costs == {
        "ACT": 828, "RD": 804, "WR": 1068, "REF": 60_840,
        "PIM_GWRITE": 12_864, "PIM_ACT": 3_312, "PIM_MAC": 3_216, "PIM_READ": 804,
    }  # fmt: skip


def test_a_faster_clock_shortens_the_burst_alone():
    slow, fast = command_pj(MEMORY), command_pj(MEMORY.model_copy(update={"clock_ghz": 2.0}))
    assert fast["RD"] == slow["RD"] / 2
    assert fast["ACT"] == slow["ACT"]


def test_standby_of_a_second_row_buffer_is_charged():
    ranks = SHAPE.channels * SHAPE.ranks
    assert standby_mw(system()) == standby_mw(system("single")) == pytest.approx(ranks * 66)
    assert standby_mw(system("dual")) == pytest.approx(2 * ranks * 66)
    assert standby_mw(system(memory=None, processor=GPU)) == 0


def test_a_composite_command_costs_its_macs_and_one_read():
    composite = Activity(0, {"PIM_GEMV": 10}, gemv_macs=320)
    separate = Activity(0, {"PIM_MAC": 320, "PIM_READ": 10})
    assert dram_energy_mj(composite, system("dual")) == dram_energy_mj(separate, system("dual"))


def test_commands_without_energy_do_not_appear():
    counts = {"ACT": 0, "PRE": 5, "PIM_PRE": 5, "PIM_HEADER": 5}
    assert dram_energy_mj(Activity(MS, counts), system("dual")).keys() == {BACKGROUND}


def test_a_roofline_has_no_dram_commands():
    with pytest.raises(ValueError, match=r"^x has no simulated memory$"):
        dram_energy_mj(Activity(MS, {}), system(memory=None, processor=GPU))


def test_dram_and_pim_share_the_energy_of_the_memory():
    activity = Activity(MS, {"ACT": 1000, "REF": 2, "PIM_ACT": 100, "PIM_GEMV": 10}, gemv_macs=60)
    energy, dram = energy_of(activity, system("dual"))
    assert energy.pim == pytest.approx(dram["PIM_ACT"] + dram["PIM_MAC"] + dram["PIM_READ"])
    assert energy.dram == pytest.approx(dram["ACT"] + dram["REF"] + dram[BACKGROUND])
    assert energy.pim + energy.dram == pytest.approx(sum(dram.values()))


def test_an_npu_pays_for_macs_vector_work_scratchpad_and_time():
    activity = Activity(2 * MS, {}, macs=10**9, vector_ops=10**9, scratchpad_bytes=10**9)
    energy, _ = energy_of(activity, system())
    e = NPU.energy
    dynamic_mj = e.mac_pj + e.vector_op_pj + e.scratchpad_pj_per_byte
    assert energy.npu == pytest.approx(dynamic_mj + e.static_w * 2)
    assert energy.total == pytest.approx(energy.npu + energy.dram)


def test_a_gpu_pays_by_the_byte():
    activity = Activity(MS, {}, macs=10**9, streamed_bytes=10**9)
    energy, dram = energy_of(activity, system(memory=None, processor=GPU))
    assert dram == {}
    assert energy.dram == pytest.approx(GPU.energy.dram_pj_per_byte)
    assert energy.npu == pytest.approx(GPU.energy.mac_pj + GPU.energy.static_w)


def test_a_link_pays_by_the_bit():
    energy, _ = energy_of(Activity(0, {}, link_bytes=10**9), system())
    assert energy.link == pytest.approx(8 * LINK.energy_pj_per_bit)
