"""The protocol checker: legal traces pass, and every rule is found broken one cycle too early."""

import numpy as np
import pytest

from neupims.hardware.memory import Controller, DramEnergy, MemorySpec, MemoryTiming, Organization
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.isa.memory import TRACE
from neupims.machine.dram.checker import Violation, check_trace

CURRENTS = {"vdd_v": 1.2, "idd0_ma": 65, "idd2n_ma": 40, "idd3n_ma": 55, "idd4r_ma": 390, "idd4w_ma": 500}
TIMING = {"cl": 14, "cwl": 4, "rcd_rd": 14, "rcd_wr": 14, "rp": 14, "ras": 34, "rrd_s": 4, "rrd_l": 6, "faw": 30}
TIMING |= {"wr": 16, "ccd_s": 1, "ccd_l": 2, "wtr_s": 6, "wtr_l": 8, "rtp": 5, "rtrs": 2, "rfc": 260, "refi": 3900}
PUBLISHED = {"gemv_end": "issue", "activation_window": "separate", "row_timing": "published"}
PUBLISHED |= {"column_gaps": "published", "deadline": "published"}
SINGLE = {"row_buffers": "single", "composite_gemv": False}
STEPWISE = {"composite_gemv": False}

REFI = 9 * TIMING["refi"]


def memory(refresh="rank_staggered", **timing):
    org = {"channels": 2, "ranks": 2, "bank_groups": 4, "banks_per_group": 4, "rows": 32768}
    return MemorySpec(
        organization=Organization(**org, row_bytes=1024, burst_length=4, bus_bits=128),
        clock_ghz=1.0,
        timing=MemoryTiming(**{f"t_{name}_ns": ns for name, ns in (TIMING | timing).items()}),
        controller=Controller(refresh=refresh),
        energy=DramEnergy(**CURRENTS, idd5ab_ma=250),
    )


def pim(**switches):
    default = {"row_buffers": "dual", "composite_gemv": True, "macs_per_bank": 16, "vector_buffer_bytes": 1024}
    return PimSpec(**(default | {"gwrite_ns": 96.0} | switches))


def parse(text, at=None):
    """`RD 14 b0 r5; PIM_GEMV ? n8` as TRACE records; ? stands for `at`."""
    records = []
    for words in (line.split() for line in text.split(";") if line.strip()):
        fields = {"b": -1, "r": -1, "n": 0, "c": 0} | {word[0]: int(word[1:]) for word in words[2:]}
        cycle = at if words[1] == "?" else int(words[1])
        records.append((cycle, fields["c"], Command[words[0]], fields["b"], fields["r"], fields["n"]))
    return np.array(records, TRACE)


def rules(text, switches, at=None, **timing):
    unit = None if switches is None else pim(**switches)
    return {violation.rule for violation in check_trace(parse(text, at), memory(**timing), unit)}


def act_groups(start, row, groups=range(8)):
    """PIM_ACTs of bank groups in turn, one per rank every 30 cycles."""
    order = [g for pair in range(4) for g in (pair, pair + 4) if g in groups]
    return ";".join(f"PIM_ACT {start + 30 * (g % 4) + g // 4} b{4 * g} r{row}" for g in order) + ";"


def each(name, start, banks, extra=""):
    return ";".join(f"{name} {start + i} b{bank} {extra}" for i, bank in enumerate(banks)) + ";"


OPEN = "PIM_HEADER 100 r7 n32;" + act_groups(101, 7)  # its first MAC may come at 206
LAST = "PIM_HEADER 100 r7 n1;" + act_groups(101, 7)
SPREAD = "ACT 0 b0 r5; ACT 1 b16 r5; ACT 6 b4 r5; ACT 12 b1 r5;"  # four banks to read and write beside the tile
BESIDE = SPREAD + OPEN
BY_ACT = act_groups(0, 7, range(7)) + ";".join(f"ACT {130 + 6 * i} b{28 + i} r7" for i in range(4))
BY_ACT += "; PIM_HEADER 149 r7 n1;"  # one bank group opened bank by bank, the last at 148
WITH_ALL = {"precharge_scope": "all"}
WITH_GROUP = {"precharge_scope": "bank_group"}

MEMORY_GATES = [
    ("ACT 0 b0 r5; RD ? b0 r5", 14, {"tRCD"}),
    ("ACT 0 b0 r5; WR ? b0 r5", 14, {"tRCD"}),
    ("ACT 0 b0 r5; PRE ? b0", 34, {"tRAS"}),
    ("ACT 0 b0 r5; PRE 34 b0; ACT ? b0 r6", 48, {"tRC", "tRP"}),
    ("ACT 0 b0 r5; PRE 50 b0; ACT ? b0 r6", 64, {"tRP"}),
    ("ACT 0 b0 r5; PRE 50 b0; REF ? b0", 64, {"tRP"}),
    ("ACT 0 b0 r5; ACT ? b1 r5", 6, {"tRRD_L"}),
    ("ACT 0 b0 r5; ACT ? b4 r5", 4, {"tRRD_S"}),
    ("ACT 0 b0 r5; ACT 4 b4 r5; ACT 8 b8 r5; ACT 12 b12 r5; ACT ? b1 r5", 30, {"tFAW"}),
    ("REF 0 b0; ACT ? b5 r5", 260, {"tRFC"}),
    ("REF 0 b16; REF ? b16", 260, {"tRFC"}),
    ("ACT 0 b0 r5; RD 20 b0 r5; RD ? b0 r5", 22, {"tCCD_L", "tCCD_S", "data bus"}),
    ("ACT 0 b0 r5; ACT 6 b1 r5; RD 20 b0 r5; RD ? b1 r5", 22, {"tCCD_L", "tCCD_S", "data bus"}),
    ("ACT 0 b0 r5; ACT 6 b4 r5; RD 20 b0 r5; RD ? b4 r5", 22, {"tCCD_S", "data bus"}),
    ("ACT 0 b0 r5; ACT 6 b16 r5; RD 20 b0 r5; RD ? b16 r5", 24, {"tRTRS"}),
    ("ACT 0 b0 r5; WR 20 b0 r5; WR ? b0 r5", 22, {"tCCD_L", "tCCD_S", "data bus"}),
    ("ACT 0 b0 r5; ACT 6 b4 r5; WR 20 b0 r5; WR ? b4 r5", 22, {"tCCD_S", "data bus"}),
    ("ACT 0 b0 r5; ACT 6 b16 r5; WR 20 b0 r5; WR ? b16 r5", 22, {"data bus"}),
    ("ACT 0 b0 r5; RD 20 b0 r5; WR ? b0 r5", 34, {"read to write"}),
    ("ACT 0 b0 r5; ACT 6 b16 r5; RD 20 b0 r5; WR ? b16 r5", 34, {"read to write"}),
    ("ACT 0 b0 r5; WR 20 b0 r5; RD ? b0 r5", 34, {"tWTR_L"}),
    ("ACT 0 b0 r5; ACT 6 b1 r5; WR 20 b0 r5; RD ? b1 r5", 34, {"tWTR_L"}),
    ("ACT 0 b0 r5; ACT 6 b4 r5; WR 20 b0 r5; RD ? b4 r5", 32, {"tWTR_S"}),
    ("ACT 0 b0 r5; ACT 6 b16 r5; WR 20 b0 r5; RD ? b16 r5", 21, {"one command per cycle"}),
    ("ACT 0 b0 r5; RD 40 b0 r5; PRE ? b0", 45, {"tRTP"}),
    ("ACT 0 b0 r5; WR 40 b0 r5; PRE ? b0", 62, {"tWR"}),
]

PIM_GATES = [
    # activations of the two kinds
    ({}, "ACT 0 b0 r5; PIM_ACT ? b4 r7", 30, {"tFAW"}),
    ({}, "ACT 0 b0 r5; ACT 6 b1 r5; ACT 12 b2 r5; PIM_ACT ? b4 r7", 42, {"tFAW"}),
    ({}, "PIM_ACT 0 b0 r7; ACT ? b4 r5", 30, {"tFAW"}),
    ({}, "PIM_ACT 0 b0 r7; PIM_ACT ? b4 r7", 30, {"tFAW"}),
    ({}, "PIM_ACT 0 b0 r7; PIM_ACT ? b16 r7", 1, {"one command per cycle"}),
    (PUBLISHED, "ACT 0 b0 r5; PIM_ACT ? b0 r7", 6, {"tRRD_L"}),
    (PUBLISHED, "ACT 0 b0 r5; PIM_ACT ? b4 r7", 4, {"tRRD_S"}),
    (PUBLISHED, "PIM_ACT 0 b0 r7; ACT ? b4 r5", 30, {"tFAW"}),
    (PUBLISHED, "PIM_ACT 0 b0 r7; PIM_ACT ? b4 r7", 30, {"tFAW"}),
    (PUBLISHED, "ACT 0 b0 r5; ACT 4 b4 r5; PIM_ACT 8 b8 r5; ACT 38 b1 r5; ACT 42 b5 r5; ACT ? b2 r5", 46, {"tRRD_S"}),
    (SINGLE, "ACT 0 b0 r5; PRE 34 b0; PIM_ACT ? b0 r7", 48, {"tRC", "tRP"}),
    # row timing of the PIM side
    ({}, "PIM_ACT 0 b0 r7; PIM_PRE ? b2", 34, {"tRAS"}),
    (WITH_GROUP, "PIM_ACT 0 b0 r7; PIM_PRE ? b0", 34, {"tRAS"}),
    (WITH_ALL, "PIM_ACT 0 b0 r7; PIM_ACT 30 b4 r7; PIM_PRE ?", 64, {"tRAS"}),
    (WITH_GROUP, "PIM_ACT 0 b0 r7; PIM_PRE 34 b0; PIM_ACT ? b0 r8", 48, {"tRC", "tRP"}),
    ({}, "PIM_ACT 0 b0 r7;" + each("PIM_PRE", 40, range(4)) + "PIM_ACT ? b0 r8", 57, {"tRP"}),
    (PUBLISHED, "PIM_ACT 0 b0 r7;" + each("PIM_PRE", 40, range(4)) + "PIM_ACT ? b0 r8", 54, {"tRP"}),
    (WITH_GROUP, "PIM_ACT 0 b0 r7; PIM_PRE 40 b0; REF ? b0", 54, {"tRP"}),
    (WITH_GROUP, "PIM_ACT 0 b0 r7; PIM_PRE 40 b0; REF ? b16", 41, {"one command per cycle"}),
    (  # a buffer that is closed already does not start to precharge again
        WITH_ALL,
        "PIM_ACT 0 b0 r7; PIM_PRE 40; PIM_ACT 45 b4 r7; PIM_PRE 79; PIM_ACT ? b0 r8",
        80,
        {"one command per cycle"},
    ),
    ({}, "REF 0 b0; PIM_ACT ? b4 r7", 260, {"tRFC"}),
    (SINGLE, "PIM_ACT 0 b0 r7; PRE ? b2", 34, {"tRAS"}),
    (SINGLE | PUBLISHED, "PIM_ACT 0 b0 r7; PRE ? b2", 1, {"one command per cycle"}),
    (SINGLE, "PIM_ACT 0 b0 r7;" + each("PRE", 40, range(4)) + "PIM_ACT ? b0 r8", 57, {"tRP"}),
    (SINGLE | PUBLISHED, "PIM_ACT 0 b0 r7;" + each("PRE", 34, range(4)) + "PIM_ACT ? b0 r8", 48, {"tRC"}),
    (SINGLE, "PIM_ACT 0 b0 r7;" + each("PRE", 34, range(4)) + "ACT ? b0 r8", 48, {"tRC", "tRP"}),
    (SINGLE, "PIM_ACT 0 b0 r7; RD ? b1 r7", 14, {"tRCD"}),
    (SINGLE, "PIM_ACT 0 b0 r7; WR ? b1 r7", 14, {"tRCD"}),
    (SINGLE, "PIM_ACT 0 b0 r7; PIM_GWRITE ? b1 r7", 14, {"tRCD"}),
    # reaching the MACs
    ({}, OPEN + "PIM_GEMV ? n8", 206, {"tRCD"}),
    (SINGLE, OPEN + "PIM_MAC ?", 206, {"tRCD"}),
    ({}, BESIDE + "RD 210 b0 r5; PIM_GEMV ? n8", 212, {"tCCD_S"}),
    ({}, BESIDE + "WR 210 b16 r5; PIM_GEMV ? n8", 224, {"tWTR_L"}),
    (PUBLISHED, BESIDE + "RD 210 b0 r5; PIM_GEMV ? n8", 212, {"tCCD_S", "data bus"}),
    (PUBLISHED, BESIDE + "WR 210 b0 r5; PIM_GEMV ? n8", 222, {"tWTR_S"}),
    (SINGLE | PUBLISHED, act_groups(0, 7) + "WR 150 b0 r7; PIM_HEADER 151 r7 n1; PIM_MAC ?", 164, {"tWTR_L"}),
    (SINGLE, BY_ACT + "PIM_MAC ?", 162, {"tRCD"}),
    (SINGLE | {"composite_gemv": True}, BY_ACT + "PIM_GEMV ? n1", 162, {"tRCD"}),
    (STEPWISE, BESIDE + "RD 210 b0 r5; PIM_MAC ?", 212, {"tCCD_S"}),
    (STEPWISE | PUBLISHED, BESIDE + "WR 210 b0 r5; PIM_MAC ?", 222, {"tWTR_S"}),
    # composite GEMV, banks busy until the last MAC
    ({}, OPEN + "PIM_GEMV 206 n8; PIM_GEMV ? n8", 224, {"gemv"}),
    ({}, OPEN + "PIM_GEMV 206 n2; PIM_GEMV ? n8", 220, {"gemv"}),
    ({}, LAST + "PIM_GEMV 230 n1; PIM_PRE ? b31", 249, {"tRTP"}),
    ({}, OPEN + "PIM_GEMV 230 n32; PIM_PRE ? b31", 301, {"tRTP"}),
    ({}, SPREAD + LAST + "PIM_GEMV 230 n1; PIM_GWRITE ? b0 r5", 244, {"gemv"}),
    ({}, SPREAD + LAST + "PIM_GEMV 230 n1; WR ? b0 r5", 256, {"read to write"}),
    ({}, SPREAD + OPEN + "PIM_GEMV 230 n8; RD ? b16 r5", 250, {"result bus"}),
    (WITH_ALL, OPEN + "PIM_GEMV 230 n32; PIM_PRE 301; PIM_ACT ? b0 r8", 315, {"tRP", "tRTP + tRP"}),
    # composite GEMV as published
    (PUBLISHED, OPEN + "PIM_GEMV 206 n8; PIM_GEMV ? n8", 224, {"gemv"}),
    (PUBLISHED, OPEN + "PIM_GEMV 230 n32; PIM_PRE ? b31", 235, {"tRTP"}),
    (PUBLISHED, SPREAD + LAST + "PIM_GEMV 230 n1; PIM_GWRITE ? b0 r5", 232, {"gemv"}),
    (PUBLISHED, BESIDE + "PIM_GEMV 230 n32; WR ? b0 r5", 244, {"read to write"}),
    (PUBLISHED, BESIDE + "PIM_GEMV 230 n32; RD ? b0 r5", 234, {"result bus"}),
    (PUBLISHED | WITH_ALL, OPEN + "PIM_GEMV 230 n32; PIM_PRE 235; PIM_ACT ? b0 r8", 249, {"tRP", "tRTP + tRP"}),
    (SINGLE | {"composite_gemv": True}, OPEN + "PIM_GEMV 230 n32; PRE ? b3", 301, {"tRTP"}),
    # step by step
    (SINGLE, OPEN + "PIM_MAC 206; PIM_MAC ?", 208, {"tCCD_S"}),
    (SINGLE, OPEN + "PIM_MAC 206; PIM_READ ?", 218, {"adder tree"}),
    (SINGLE | PUBLISHED, OPEN + "PIM_MAC 206; PIM_READ ?", 212, {"adder tree"}),
    (SINGLE | PUBLISHED, OPEN + "PIM_MAC 206; PIM_MAC 208; PIM_MAC 210; PIM_MAC 212; PIM_READ ?", 214, {"tCCD_S"}),
    (SINGLE, OPEN + "PIM_MAC 206; PIM_READ 218; PIM_MAC 220; PIM_READ ?", 232, {"adder tree"}),
    (SINGLE, OPEN + "PIM_MAC 206; PIM_READ 218; PIM_MAC ?", 220, {"tCCD_S"}),
    (SINGLE, OPEN + "PIM_MAC 206; PIM_READ 218; PIM_READ ?", 220, {"tCCD_S", "data bus"}),
    (SINGLE, OPEN + "PIM_MAC 240; PRE ? b0", 245, {"tRTP"}),
    (SINGLE, LAST + "PIM_MAC 206; PIM_READ 240; PRE ? b0", 245, {"tRTP"}),
    (SINGLE, LAST + "PIM_MAC 206; PIM_READ 240; WR ? b0 r7", 254, {"read to write"}),
    (SINGLE, LAST + "PIM_MAC 206; PIM_READ 240; RD ? b0 r7", 244, {"result bus"}),
    (SINGLE | PUBLISHED, LAST + "PIM_MAC 206; PIM_READ 240; RD ? b0 r7", 242, {"tCCD_S", "data bus"}),
    (SINGLE | PUBLISHED, LAST + "PIM_MAC 206; PIM_READ 240; RD ? b16 r7", 244, {"result bus"}),
    (SINGLE, LAST + "PIM_MAC 206; PIM_READ 240; PIM_GWRITE ? b0 r7", 242, {"tCCD_S"}),
    (
        SINGLE | PUBLISHED,
        LAST + "PIM_MAC 206; PIM_READ 240;" + each("PRE", 245, range(4)) + "PIM_ACT ? b0 r8",
        259,
        {"tRTP + tRP"},
    ),
    (STEPWISE, BESIDE + "PIM_MAC 210; RD ? b0 r5", 212, {"tCCD_S"}),
    (STEPWISE, BESIDE + "PIM_MAC 210; WR ? b0 r5", 224, {"read to write"}),
    (STEPWISE, OPEN + "PIM_MAC 230; PIM_PRE ? b0", 235, {"tRTP"}),
    (STEPWISE, LAST + "PIM_MAC 206; PIM_READ 240; PIM_PRE ? b0", 245, {"tRTP"}),
    (STEPWISE, BESIDE + "PIM_MAC 206; RD 230 b0 r5; PIM_READ ?", 234, {"result bus"}),
    (STEPWISE | PUBLISHED, BESIDE + "PIM_MAC 206; RD 230 b0 r5; PIM_READ ?", 232, {"data bus"}),
    # PIM_GWRITE
    ({}, "ACT 0 b0 r5; PIM_GWRITE ? b0 r5", 14, {"tRCD"}),
    ({}, SPREAD + "RD 30 b0 r5; PIM_GWRITE ? b0 r5", 32, {"tCCD_S"}),
    ({}, SPREAD + "WR 30 b0 r5; PIM_GWRITE ? b1 r5", 44, {"tWTR_L"}),
    ({}, SPREAD + "WR 30 b0 r5; PIM_GWRITE ? b4 r5", 42, {"tWTR_S"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; RD ? b0 r5", 126, {"gwrite"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; WR ? b0 r5", 126, {"gwrite"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; PRE ? b0", 126, {"gwrite"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; RD ? b1 r5", 32, {"tCCD_S"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; WR ? b4 r5", 44, {"read to write"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; WR ? b16 r5", 31, {"one command per cycle"}),
    ({}, SPREAD + "PIM_GWRITE 30 b0 r5; PIM_GWRITE ? b16 r5", 126, {"gwrite"}),
    ({}, SPREAD + act_groups(101, 7) + "PIM_GWRITE 195 b16 r5; PIM_HEADER 196 r7 n1; PIM_GEMV ? n1", 291, {"gwrite"}),
    (STEPWISE, SPREAD + act_groups(101, 7) + "PIM_GWRITE 195 b0 r5; PIM_HEADER 196 r7 n1; PIM_MAC ?", 291, {"gwrite"}),
    (STEPWISE, SPREAD + act_groups(101, 7) + "PIM_GWRITE 195 b0 r5; PIM_HEADER 196 r7 n1; PIM_READ ?", 291, {"gwrite"}),
]

STATES = [
    ({}, "RD 0 b0 r5", "row open"),
    ({}, "ACT 0 b0 r5; WR 14 b0 r6", "row open"),
    ({}, "PIM_GWRITE 0 b0 r5", "row open"),
    ({}, "ACT 0 b0 r5; ACT 48 b0 r6", "bank closed"),
    ({}, "PIM_ACT 0 b0 r5; PIM_ACT 48 b0 r6", "bank closed"),
    (SINGLE, "ACT 0 b2 r5; PIM_ACT 48 b0 r6", "bank closed"),
    ({}, "ACT 0 b0 r5; REF 48 b0", "bank closed"),
    ({}, "PIM_ACT 0 b16 r5; REF 48 b16", "bank closed"),
    ({}, "PRE 0 b0", "bank open"),
    ({}, "PIM_ACT 0 b0 r5; PRE 40 b0", "bank open"),
    ({}, "ACT 0 b0 r5; PIM_PRE 40 b0", "bank open"),
    (WITH_GROUP, "PIM_ACT 0 b0 r5; PIM_PRE 40 b4", "bank open"),
    (WITH_ALL, "PIM_PRE 40", "bank open"),
    ({}, "ACT 0 b1 r5; PIM_ACT 48 b0 r5", "row in one buffer"),
    ({}, "PIM_ACT 0 b0 r5; ACT 48 b3 r5", "row in one buffer"),
    ({}, "PIM_HEADER 100 r7 n32;" + act_groups(101, 7, range(7)) + "PIM_GEMV 300 n8", "row open"),
    ({}, "PIM_HEADER 100 r8 n32;" + act_groups(101, 7) + "PIM_GEMV 300 n8", "row open"),
    (SINGLE, OPEN + each("PRE", 240, [9]) + "PIM_MAC 300", "row open"),
    ({}, OPEN + each("PIM_PRE", 240, range(16)) + "PIM_GEMV 300 n8", "row open"),
    ({}, act_groups(0, 7) + "PIM_HEADER 200 r8 n32", "stale row"),
    ({}, act_groups(0, 7) + "PIM_GEMV 200 n1", "header"),
    ({}, LAST + "PIM_GEMV 206 n1; PIM_GEMV 300 n1", "header"),
    ({}, OPEN + "PIM_GEMV 206 n24; PIM_GEMV 300 n9", "header"),
    ({}, OPEN + "PIM_GEMV 206 n0", "header"),
    ({}, "PIM_HEADER 100 r7 n0", "header"),
    (SINGLE, LAST + "PIM_MAC 206; PIM_MAC 208", "header"),
    ({}, OPEN + "PIM_GEMV 206 n31; PIM_HEADER 300 r7 n1", "tile complete"),
    (SINGLE, LAST + "PIM_MAC 206; PIM_HEADER 300 r7 n1", "tile complete"),
    ({}, SPREAD + OPEN + "PIM_GWRITE 230 b0 r5", "tile complete"),
    (SINGLE, "ACT 0 b0 r5; PIM_HEADER 10 r5 n1; RD 20 b0 r5", "blocked mode"),
    (SINGLE, "ACT 0 b0 r5; PIM_HEADER 10 r5 n1; WR 20 b0 r5", "blocked mode"),
    (SINGLE, "PIM_HEADER 10 r5 n1; ACT 20 b0 r5", "blocked mode"),
    (SINGLE, LAST + "PIM_MAC 206;" + each("PRE", 240, [0]) + "ACT 300 b0 r7", "blocked mode"),
    ({}, "PIM_HEADER 10 r5 n1; PIM_ACT 20 b0 r5; REF 30 b16", "tile cut"),
    ({}, OPEN + "PIM_GEMV 206 n8;" + each("PIM_PRE", 240, range(16)) + "REF 300 b0", "tile cut"),
    (None, "PIM_GWRITE 0 b0 r5", "command set"),
    (SINGLE, "PIM_PRE 0 b0", "command set"),
    (SINGLE, "PIM_GEMV 0 n8", "command set"),
    ({}, "PIM_MAC 0", "command set"),
    ({}, "PIM_READ 0", "command set"),
    ({}, "ACT 0 b32 r5", "address"),
    ({}, "ACT 0 b0 r32768", "address"),
    ({}, "ACT 0 b0 r5 c2", "address"),
    ({}, "PIM_ACT 0 b1 r5", "address"),
    ({}, "REF 0 b8", "address"),
    ({}, "PIM_HEADER 0 b0 r5 n1", "address"),
    (WITH_GROUP, "PIM_ACT 0 b0 r5; PIM_PRE 40 b2", "address"),
    (WITH_ALL, "PIM_ACT 0 b0 r5; PIM_PRE 40 b0", "address"),
    ({}, "ACT 10 b0 r5; ACT 9 b16 r5", "order"),
]

LEGAL = [
    ({}, "PIM_HEADER 10 r5 n1; REF 30 b16"),  # a tile that has opened nothing yet
    (PUBLISHED, "PIM_HEADER 10 r5 n1; PIM_ACT 20 b0 r5; REF 30 b16"),  # its estimate may be too low
    ({}, SPREAD + OPEN + "PIM_GEMV 206 n8; RD 207 b0 r5; RD 218 b0 r5; RD 226 b0 r5"),  # reads beside the MACs
    ({}, LAST + "PIM_GEMV 206 n1; PIM_HEADER 207 r7 n1; PIM_GEMV 220 n1"),  # the row stays open
    (SINGLE, LAST + "PIM_MAC 206; PIM_READ 218; RD 222 b0 r7; RD 226 b16 r7"),  # after the tile, memory goes on
    ({}, "ACT 0 b0 r5 c0; ACT 0 b0 r5 c1; RD 14 b0 r5 c1; RD 14 b0 r5 c0"),  # channels are independent
    (WITH_ALL, "PIM_ACT 0 b0 r7; PIM_ACT 1 b16 r8; PIM_PRE 35; REF 49 b0; REF 50 b16"),
]


@pytest.mark.parametrize(("text", "earliest", "broken"), MEMORY_GATES)
def test_memory_gaps_are_tight_with_and_without_pim(text, earliest, broken):
    for switches in (None, {}, PUBLISHED, SINGLE):
        assert rules(text, switches, earliest) == set()
        assert rules(text, switches, earliest - 1) == broken


@pytest.mark.parametrize(("switches", "text", "earliest", "broken"), PIM_GATES)
def test_pim_gaps_are_tight(switches, text, earliest, broken):
    assert rules(text, switches, earliest) == set()
    assert rules(text, switches, earliest - 1) == broken


@pytest.mark.parametrize(("switches", "text", "broken"), STATES)
def test_illegal_states_are_found(switches, text, broken):
    assert broken in rules(text, switches)
    assert rules(text.rsplit(";", 1)[0] if ";" in text else "", switches) == set()


@pytest.mark.parametrize(("switches", "text"), LEGAL)
def test_what_no_rule_forbids_passes(switches, text):
    assert rules(text, switches) == set()


@pytest.mark.parametrize(("switches", "gate"), [({}, 6), (PUBLISHED, 6), (SINGLE, 48)])
def test_group_activation_keeps_row_to_row_distance_where_the_window_is_short(switches, gate):
    text = "PIM_ACT 0 b0 r7; PRE 34 b1; ACT ? b1 r5" if gate == 48 else "PIM_ACT 0 b0 r7; ACT ? b1 r5"
    assert rules(text, switches, gate, faw=2) == set()
    assert rules(text, switches, gate - 1, faw=2) == ({"tRC", "tRP"} if gate == 48 else {"tRRD_L"})


@pytest.mark.parametrize(
    ("switches", "gate", "broken"), [(SINGLE, 51, {"tRC", "tRP"}), (SINGLE | PUBLISHED, 48, {"tRC"})]
)
def test_published_group_activation_waits_for_one_bank_of_its_group(switches, gate, broken):
    text = each("ACT", 0, range(4), "r5") + each("PRE", 34, range(4)) + "PIM_ACT ? b0 r7"
    assert rules(text, switches, gate, rrd_s=1, rrd_l=1, faw=2) == set()
    assert rules(text, switches, gate - 1, rrd_s=1, rrd_l=1, faw=2) == broken


def test_published_group_activation_leaves_banks_open_that_have_its_row():
    text = "ACT 0 b0 r7; ACT 6 b1 r7; PIM_ACT 60 b0 r7"
    assert rules(text, SINGLE | PUBLISHED) == set()
    assert rules(text, SINGLE) == {"bank closed"}
    assert rules(text.replace("b1 r7", "b1 r8"), SINGLE | PUBLISHED) == {"bank closed"}
    every = each("ACT", 0, range(4), "r7")
    assert rules(every + "PIM_ACT 90 b0 r7", SINGLE | PUBLISHED, rrd_l=1, rrd_s=1, faw=2) == {"bank closed"}


CUT = OPEN + "PIM_MAC 206; PIM_MAC 208;" + each("PIM_PRE", 240, range(16)) + "REF 300 b0;"


def test_published_refresh_may_cut_a_tile():
    """What the cut leaves behind: a result without a row, and a row that memory opens before PIM does."""
    cut = STEPWISE | {"deadline": "published"}
    assert rules(CUT + "PIM_READ 310", cut) == set()
    assert rules(CUT + "PIM_MAC 310", cut) == {"row open"}
    assert rules(CUT + "ACT 560 b0 r7; PIM_ACT 600 b0 r7", cut) == set()
    assert rules(CUT.replace("REF 300 b0;", "") + "ACT 560 b0 r7; PIM_ACT 600 b0 r7", cut) == {"row in one buffer"}
    assert rules(CUT + "PIM_READ 310; ACT 560 b0 r7; PIM_ACT 600 b0 r7", STEPWISE) == {
        "tile cut",
        "row open",
        "row in one buffer",
    }


def one_group(text, switches, at=None, **organization):
    """Rules broken on a memory whose ranks have one bank group of four banks."""
    spec = memory()
    shape = spec.organization.model_dump() | {"bank_groups": 1} | organization
    return {
        v.rule
        for v in check_trace(
            parse(text, at), spec.model_copy(update={"organization": Organization(**shape)}), pim(**switches)
        )
    }


def test_a_rank_with_one_bank_group_has_none():
    """tCCD_S holds between all columns, and MACs as published, which pass over their own group, keep no gap."""
    reads = "ACT 0 b0 r5; RD 20 b0 r5; RD ? b0 r5"
    narrow = {"burst_length": 2, "row_bytes": 1024}
    assert one_group(reads, {}, 21, **narrow) == set()
    opened = "ACT 0 b4 r5; PIM_HEADER 100 r7 n8; PIM_ACT 101 b0 r7; PIM_ACT 102 b4 r7;"
    for before in ("RD 200 b4 r5", "WR 200 b4 r5"):
        text = f"{opened} {before}; PIM_GEMV 201 n8"
        assert one_group(text, {"column_gaps": "published", "gemv_end": "issue"}) == set()
        assert one_group(text, {}) & {"tCCD_S", "tWTR_L"}


def test_a_result_keeps_its_distance_from_reads_of_other_ranks():
    text = (
        "ACT 0 b4 r5; PIM_HEADER 100 r7 n1; PIM_ACT 101 b0 r7; PIM_ACT 102 b4 r7; PIM_MAC 206; RD 230 b4 r5; PIM_READ ?"
    )
    assert one_group(text, STEPWISE, 234) == set()
    assert one_group(text, STEPWISE, 233) == {"result bus"}
    alone = "ACT 0 b1 r5; PIM_HEADER 100 r7 n1; PIM_ACT 101 b0 r7; PIM_MAC 206; RD 230 b1 r5; PIM_READ ?"
    assert one_group(alone, STEPWISE, 232, ranks=1) == set()
    assert one_group(alone, STEPWISE, 231, ranks=1) == {"data bus"}


def test_gwrite_inside_a_tile_is_no_place_for_it_and_still_keeps_its_gap():
    text = BESIDE + "PIM_MAC 206; PIM_GWRITE ? b0 r5"
    assert rules(text, STEPWISE, 208) == {"tile complete"}
    assert rules(text, STEPWISE, 207) == {"tile complete", "tCCD_S"}


def test_each_timing_parameter_moves_its_own_gate():
    apart = {"rcd_rd": 11, "rcd_wr": 12, "ccd_l": 5, "ccd_s": 3, "wtr_s": 7, "wtr_l": 10, "rtrs": 4}
    gates = [MEMORY_GATES[i] for i in (0, 1, 11, 13, 14, 18, 20, 22)]
    earliest = [11, 12, 25, 23, 26, 36, 36, 33]
    for (text, _, broken), gate in zip(gates, earliest, strict=True):
        assert rules(text, {}, gate, **apart) == set()
        assert rules(text, {}, gate - 1, **apart) & broken


def test_refreshes_may_wait_nine_intervals_and_no_longer():
    for last, late in ((REFI, set()), (REFI + 1, {"tREFI"})):
        assert rules(f"REF 0 b0; REF 300 b16; REF {last} b0", {}) == late
        assert rules(f"REF 0 b0; REF 300 b16; REF 9000 b0; REF {last + 300} b16", {}) == late
        assert rules(f"ACT 0 b0 r5; RD {last} b0 r5", {}) == late
    assert rules(f"ACT 0 b0 r5; RD {REFI + 1} b0 r5", {}, refresh="off") == set()


@pytest.mark.parametrize(("switches", "least"), [({}, 1 + 3 * 30 + 14 + 2 * 32), (SINGLE, 1 + 3 * 30 + 14 + 2 * 32)])
def test_a_tile_fits_between_refreshes(switches, least):
    """Refreshes are due each 1950 cycles; a tile with open rows needs its MACs only."""
    due = TIMING["refi"] // 2
    assert rules("PIM_HEADER ? r7 n32", switches, due - least) == set()
    assert rules("PIM_HEADER ? r7 n32", switches, due - least + 1) == {"tile fits"}
    assert rules("PIM_HEADER ? r7 n32", switches, due) == set()
    assert rules("PIM_HEADER ? r7 n32", switches | {"deadline": "published"}, due - 1) == set()
    assert rules("PIM_HEADER ? r7 n32", switches, due - 1, refresh="off") == set()
    opened = act_groups(due - 400, 7) + "PIM_HEADER ? r7 n32"
    assert rules(opened, switches, due - 64) == set()
    assert rules(opened, switches, due - 63) == {"tile fits"}


def golden_tile(start, row, gemv_gap=18):
    """A published dual tile of 4 heads of 8 MACs: precharges 168 cycles after its header."""
    gemvs = ";".join(f"PIM_GEMV {start + 106 + gemv_gap * i} n8" for i in range(4))
    return f"PIM_HEADER {start} r{row} n32;" + act_groups(start + 1, row) + gemvs + ";"


def golden_dual():
    tiles = [golden_tile(start, row) for start, row in ((121, 1), (318, 2), (515, 3))]
    closings = [each("PIM_PRE", start, range(32)) for start in (286, 483)]
    return "ACT 11 b0 r0; PIM_GWRITE 25 b0 r0;" + tiles[0] + closings[0] + tiles[1] + closings[1] + tiles[2]


def golden_single():
    text = "ACT 11 b0 r0; PIM_GWRITE 25 b0 r0; PRE 121 b0;"
    for start, row in ((122, 1), (335, 2)):
        text += f"PIM_HEADER {start} r{row} n32;" + act_groups(start + 1, row)
        for head in range(start + 106, start + 106 + 72, 18):
            text += ";".join(f"PIM_MAC {head + 2 * i}" for i in range(8)) + f"; PIM_READ {head + 16};"
        text += each("PRE", start + 181, range(32))
    return text


def golden_refresh():
    """The published timeline across a refresh: one rank opens while the other refreshes."""
    closing = "PRE 1950 b0;" + each("PIM_PRE", 1951, range(16)) + "REF 1980 b0;" + each("PIM_PRE", 1981, range(16, 32))
    ranks = [
        ";".join(f"PIM_ACT {start + 30 * g} b{bank + 4 * g} r2" for g in range(4))
        for start, bank in ((1998, 16), (2240, 0))
    ]
    gemvs = ";".join(f"PIM_GEMV {cycle} n8" for cycle in (2344, 2362, 2380, 2398))
    before = "ACT 0 b0 r0; PIM_GWRITE 14 b0 r0;" + golden_tile(1500, 1)
    return before + closing + "PIM_HEADER 1997 r2 n32;" + ";".join(ranks) + ";" + gemvs


def test_published_traces_pass_under_published_switches_only():
    assert rules(golden_dual(), PUBLISHED) == rules(golden_single(), PUBLISHED | SINGLE) == set()
    assert rules(golden_dual(), {}) == {"tRTP"}
    assert rules(golden_single(), SINGLE) == {"tRP"}


@pytest.mark.parametrize("switches", [{}, PUBLISHED])
def test_the_published_timeline_across_a_refresh_passes(switches):
    assert rules(golden_refresh(), switches) == set()


@pytest.mark.parametrize("early", [1, 8, 9, 11, 12, 45, 46, 53, 57, 101])
def test_a_command_of_the_published_trace_cannot_come_a_cycle_sooner(early):
    trace = parse(golden_dual())
    trace["cycle"][early] -= 1
    assert check_trace(trace, memory(), pim(**PUBLISHED))


def test_a_violation_names_the_earlier_command_and_both_gaps():
    text = "ACT 0 b0 r5; RD 13 b0 r5"
    message = "RD of bank 0 at cycle 13 comes 13 cycles after ACT at cycle 0; tRCD asks for 14"
    assert check_trace(parse(text), memory(), None) == [Violation(13, 0, Command.RD, 0, "tRCD", message)]


def test_arrays_that_are_no_trace_are_refused():
    fields = "cycle, channel, command, bank, row, macs"
    with pytest.raises(ValueError, match=f"^a trace has the fields {fields}, not int64$"):
        check_trace(np.zeros(1, np.int64), memory(), None)
    strange = parse("ACT 0 b0 r5")
    strange["command"] = 12
    with pytest.raises(ValueError, match=r"^record 0: 12 is no command; commands are 0 to 11$"):
        check_trace(strange, memory(), None)
