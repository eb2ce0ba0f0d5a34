"""Energy: what was counted, times what one of each costs.

DRAM commands follow from the currents of one rank as data sheets define them: mA times V is mW, and
mW times ns is pJ. PIM commands are multiples of ordinary ones, as the authors of Newton (MICRO 2020)
and NeuPIMs (ASPLOS 2024) take them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from neupims.hardware.memory import MemorySpec
from neupims.hardware.system import SystemSpec
from neupims.results.fields import Fields
from neupims.units import PS_PER_NS

PJ_PER_MJ = 1e9
MW_PER_W = 1e3

PIM_MULTIPLES: Mapping[str, tuple[float, str]] = {
    "PIM_GWRITE": (16, "RD"),
    "PIM_ACT": (4, "ACT"),
    "PIM_MAC": (4, "RD"),
    "PIM_READ": (1, "RD"),
}
"""Each PIM command as a multiple of an ordinary one: a row in half-bursts' worth of reads, four banks, a
column in all banks (Newton measures four times a read), one burst."""

BACKGROUND = "BACKGROUND"
"""Standby of all ranks, all the time."""


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one device over one iteration, in mJ."""

    dram: float = 0.0
    """Ordinary commands, refresh and standby."""
    pim: float = 0.0
    """PIM commands."""
    npu: float = 0.0
    """Arrays, vector units and scratchpad, or the GPU; their static power included."""
    link: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.dram + self.pim + self.npu + self.link

    def to_json(self) -> dict[str, Any]:
        """As the run record has it."""
        return {"total": self.total, "dram": self.dram, "pim": self.pim, "npu": self.npu, "link": self.link}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From the run record; the total follows from the parts."""
        return cls(fields.number("dram"), fields.number("pim"), fields.number("npu"), fields.number("link"))


@dataclass(frozen=True, slots=True)
class Activity:
    """What one device did in one iteration, as counts."""

    duration_ps: int
    commands: Mapping[str, int]
    """DRAM and PIM commands over all channels, by name."""
    gemv_macs: int = 0
    """PIM_MACs inside the PIM_GEMVs, over all channels."""
    macs: int = 0
    """Multiply-accumulates of the arrays, or of the GPU."""
    vector_ops: int = 0
    scratchpad_bytes: int = 0
    """Bytes written to and read from the scratchpad."""
    link_bytes: int = 0
    """Bytes that the device sent to its peers."""
    streamed_bytes: int = 0
    """Bytes that a GPU moved to and from its memory."""


def energy_of(activity: Activity, system: SystemSpec) -> tuple[Energy, dict[str, float]]:
    """Energy of one device, and that of its DRAM by command (empty for a roofline processor)."""
    dram = dram_energy_mj(activity, system) if system.memory else {}
    pim = sum(energy for name, energy in dram.items() if name in PIM_MULTIPLES)
    processor, memory = system.processor, sum(dram.values()) - pim
    if processor.kind == "gpu":
        memory = activity.streamed_bytes * processor.energy.dram_pj_per_byte / PJ_PER_MJ
    chip = sum(processor_energy_mj(activity, system).values())
    link = activity.link_bytes * 8 * system.link.energy_pj_per_bit / PJ_PER_MJ
    return Energy(dram=memory, pim=pim, npu=chip, link=link), dram


def processor_energy_mj(activity: Activity, system: SystemSpec) -> dict[str, float]:
    """Energy of the NPU or the GPU of one device in mJ: `mac`, `vector`, `scratchpad` and `static`.

    The vector operations and on-chip memories of a GPU are part of its cost of a multiply-accumulate.
    """
    processor = system.processor
    static = processor.energy.static_w * MW_PER_W * activity.duration_ps / PS_PER_NS / PJ_PER_MJ
    dynamic = {"mac": activity.macs * processor.energy.mac_pj / PJ_PER_MJ}
    if processor.kind != "gpu":
        e = processor.energy
        dynamic["vector"] = activity.vector_ops * e.vector_op_pj / PJ_PER_MJ
        dynamic["scratchpad"] = activity.scratchpad_bytes * e.scratchpad_pj_per_byte / PJ_PER_MJ
    return dynamic | {"static": static}


def command_pj(memory: MemorySpec) -> dict[str, float]:
    """Energy of one command in pJ; PRE is part of ACT, headers and PIM precharges are free.

    ACT: VDD (IDD0 tRC - IDD3N tRAS - IDD2N tRP); RD, WR: VDD (IDD4 - IDD3N) tBURST;
    REF: VDD (IDD5AB - IDD3N) tRFC (JEDEC's current definitions, as DRAMPower uses them).
    """
    e, t = memory.energy, memory.timing
    burst_ns = memory.organization.burst_length / 2 / memory.clock_ghz
    row_cycle_ns = t.t_ras_ns + t.t_rp_ns
    plain = {
        "ACT": e.vdd_v * (e.idd0_ma * row_cycle_ns - e.idd3n_ma * t.t_ras_ns - e.idd2n_ma * t.t_rp_ns),
        "RD": e.vdd_v * (e.idd4r_ma - e.idd3n_ma) * burst_ns,
        "WR": e.vdd_v * (e.idd4w_ma - e.idd3n_ma) * burst_ns,
        "REF": e.vdd_v * (e.idd5ab_ma - e.idd3n_ma) * t.t_rfc_ns,
    }
    return plain | {name: times * plain[base] for name, (times, base) in PIM_MULTIPLES.items()}


def dram_energy_mj(activity: Activity, system: SystemSpec) -> dict[str, float]:
    """Energy of the DRAM of one device in mJ, by command, and its standby as BACKGROUND.

    A PIM_GEMV counts as its PIM_MACs and one PIM_READ. Commands without energy do not appear.
    Raises ValueError if the system has no simulated memory.
    """
    if system.memory is None:
        raise ValueError(f"{system.name} has no simulated memory")
    counts = dict(activity.commands)
    counts["PIM_MAC"] = counts.get("PIM_MAC", 0) + activity.gemv_macs
    counts["PIM_READ"] = counts.get("PIM_READ", 0) + counts.get("PIM_GEMV", 0)
    costs = command_pj(system.memory)
    by_command = {name: counts[name] * pj / PJ_PER_MJ for name, pj in costs.items() if counts.get(name)}
    return by_command | {BACKGROUND: standby_mw(system) * activity.duration_ps / PS_PER_NS / PJ_PER_MJ}


def standby_mw(system: SystemSpec) -> float:
    """Active standby, VDD IDD3N, of all ranks in mW; a second row buffer costs it a second time."""
    memory = system.memory
    if memory is None:
        return 0.0
    org, pairs = memory.organization, 2 if system.pim and system.pim.row_buffers == "dual" else 1
    return pairs * org.channels * org.ranks * memory.energy.vdd_v * memory.energy.idd3n_ma
