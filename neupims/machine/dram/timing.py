"""Timing parameters of a memory in clock cycles, under the names that the rules use."""

from collections.abc import Mapping

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.units import cycles

Timing = Mapping[str, int]

NAMES = {
    "tCL": "t_cl_ns",
    "tCWL": "t_cwl_ns",
    "tRCD": "t_rcd_rd_ns",
    "tRCDWR": "t_rcd_wr_ns",
    "tRP": "t_rp_ns",
    "tRAS": "t_ras_ns",
    "tRRD_S": "t_rrd_s_ns",
    "tRRD_L": "t_rrd_l_ns",
    "tFAW": "t_faw_ns",
    "tWR": "t_wr_ns",
    "tCCD_S": "t_ccd_s_ns",
    "tCCD_L": "t_ccd_l_ns",
    "tWTR_S": "t_wtr_s_ns",
    "tWTR_L": "t_wtr_l_ns",
    "tRTP": "t_rtp_ns",
    "tRTRS": "t_rtrs_ns",
    "tRFC": "t_rfc_ns",
    "tREFI": "t_refi_ns",
}


def build_timing(memory: MemorySpec, pim: PimSpec | None) -> Timing:
    """Cycles of each parameter, with the derived ones.

    tBURST: data bus time of a burst (two beats per cycle). tRC = tRAS + tRP. tRTW: read to write
    turnaround of the bus. tCCDR, tCCDO: column gap inside a bank group and across groups. tMAC: pace
    of MAC steps. tREFTICK: distance of refreshes when ranks take turns. nTREE: MACs that fill the
    adder tree. tTREE: first MAC to PIM_READ.
    """
    t = {name: cycles(getattr(memory.timing, key), memory.clock_ghz) for name, key in NAMES.items()}
    t["tBURST"] = memory.organization.burst_length // 2
    t["tRC"] = t["tRAS"] + t["tRP"]
    t["tRTW"] = t["tCL"] + t["tBURST"] - t["tCWL"] + t["tRTRS"]
    t["tCCDR"] = max(t["tBURST"], t["tCCD_L"] if memory.organization.bank_groups > 1 else t["tCCD_S"])
    t["tCCDO"] = max(t["tBURST"], t["tCCD_S"])
    t["tMAC"] = t["tCCDO"]
    t["tREFTICK"] = t["tREFI"] // memory.organization.ranks
    if pim is not None:
        t["tGWRITE"] = cycles(pim.gwrite_ns, memory.clock_ghz)
        t["nTREE"] = pim.adder_tree_macs
        t["tTREE"] = pim.adder_tree_macs * (t["tMAC"] if pim.gemv_end == "last_mac" else t["tCCD_S"])
    return t
