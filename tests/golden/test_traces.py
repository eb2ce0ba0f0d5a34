"""Command traces of the published simulator, cycle by cycle, on both engines."""

from itertools import pairwise

import pytest

SYSTEMS = {"dual": "neupims-authors", "single": "npu-pim-authors"}
GROUPS = (0, 16, 4, 20, 8, 24, 12, 28)
"""First banks of the bank groups in the order in which PIM_ACT opens them: ranks take turns."""

ENGINES = pytest.mark.parametrize("engine", ["fast", "reference"])


def opened(start):
    """The eight PIM_ACTs of a tile: a rank opens one group every tFAW = 30 cycles."""
    return [f"PIM_ACT {start + 30 * (i // 2) + i % 2} b{bank}" for i, bank in enumerate(GROUPS)]


def closed(name, start, banks=range(32)):
    return [f"{name} {start + i} b{bank}" for i, bank in enumerate(banks)]


def gemvs(*cycles):
    return [f"PIM_GEMV {cycle}" for cycle in cycles]


def steps(start, groups=4, macs=8):
    """MACs every two cycles, and their PIM_READ two later; groups follow each other without a pause."""
    ends = [f"PIM_READ {start + g * (2 * macs + 2) + 2 * macs}" for g in range(groups)]
    each = [[f"PIM_MAC {start + g * (2 * macs + 2) + 2 * i}" for i in range(macs)] for g in range(groups)]
    return [line for line, end in zip(each, ends, strict=True) for line in [*line, end]]


def traced(dram, kind, engine, instructions, until, start=10):
    """Commands and results of a program that is there from cycle `start` on."""
    memory = dram.world(SYSTEMS[kind]).build(engine)
    memory.advance(start)
    dram.submit_program(memory, instructions)
    _, cycles = memory.advance(until)
    return dram.listing(memory.trace()), cycles.tolist()


@ENGINES
def test_logit_tiles_with_dual_row_buffers(dram, engine):
    tiles = dram.program(dram.gwrite(), *[dram.tile(row, 4, 8) for row in (100, 101, 102)])
    trace, results = traced(dram, "dual", engine, tiles, 800)
    assert trace == [
        *("ACT 11 b0", "PIM_GWRITE 25 b0"),
        *("PIM_HEADER 121", *opened(122), *gemvs(227, 245, 263, 281)),
        *(*closed("PIM_PRE", 286), "PIM_HEADER 318", *opened(319), *gemvs(424, 442, 460, 478)),
        *(*closed("PIM_PRE", 483), "PIM_HEADER 515", *opened(516), *gemvs(621, 639, 657, 675)),
    ]
    assert results[-1] == 691


@ENGINES
def test_logit_tiles_with_one_row_buffer(dram, engine):
    tiles = dram.program(dram.gwrite(), *[dram.tile(row, 4, 8) for row in (100, 101, 102)])
    trace, results = traced(dram, "single", engine, tiles, 800)
    assert trace == [
        *("ACT 11 b0", "PIM_GWRITE 25 b0"),
        *("PRE 121 b0", "PIM_HEADER 122", *opened(123), *steps(228)),
        *(*closed("PRE", 303), "PIM_HEADER 335", *opened(336), *steps(441)),
        *(*closed("PRE", 516), "PIM_HEADER 548", *opened(549), *steps(654)),
    ]
    assert results[-1] == 654 + 4 * 18 - 2 + 16


@ENGINES
def test_attend_tiles_of_two_heads(dram, engine):
    head = [dram.gwrite(), *[dram.tile(0, 1, 32)] * 4]
    instructions = dram.program(*head, *head)
    instructions["row"][instructions["kind"] == 1] = range(100, 108)
    trace, results = traced(dram, "dual", engine, instructions, 1400)
    kinds = ("PIM_GWRITE", "PIM_GEMV")
    assert [line for line in trace if line.startswith(kinds)] == [
        *("PIM_GWRITE 25 b0", *gemvs(227, 370, 513, 656)),
        *("PIM_GWRITE 658 b0", *gemvs(892, 1035, 1178, 1321)),
    ]
    assert results[-1] == 1337


@ENGINES
def test_refresh_with_dual_row_buffers(dram, engine):
    tiles = dram.program(dram.gwrite(), *[dram.tile(row, 4, 8) for row in range(100, 120)])
    trace, _ = traced(dram, "dual", engine, tiles, 2545)
    assert trace[trace.index("PIM_GEMV 1660") :] == [
        "PIM_GEMV 1660",
        *("PRE 1950 b0", *closed("PIM_PRE", 1951, range(16)), "REF 1980 b0"),
        *(*closed("PIM_PRE", 1981, range(16, 32)), "PIM_HEADER 1997"),
        *(f"PIM_ACT {1998 + 30 * i} b{16 + 4 * i}" for i in range(4)),
        *(f"PIM_ACT {2240 + 30 * i} b{4 * i}" for i in range(4)),
        *gemvs(2344, 2362, 2380, 2398),
        *(*closed("PIM_PRE", 2403), "PIM_HEADER 2435", *opened(2436), *gemvs(2541)),
    ]


@ENGINES
def test_refresh_with_one_row_buffer(dram, engine):
    tiles = dram.program(dram.gwrite(), *[dram.tile(row, 4, 8) for row in range(100, 120)])
    trace, _ = traced(dram, "single", engine, tiles, 2360)
    assert trace[trace.index("PIM_READ 1789") :] == [
        "PIM_READ 1789",
        *(*closed("PRE", 1950, range(16)), "REF 1979 b0"),
        *(*closed("PRE", 1980, range(16, 32)), "PIM_HEADER 1996"),
        *(f"PIM_ACT {1997 + 30 * i} b{16 + 4 * i}" for i in range(4)),
        *(f"PIM_ACT {2239 + 30 * i} b{4 * i}" for i in range(4)),
        *steps(2343, groups=1),
    ]


@ENGINES
@pytest.mark.parametrize(("groups", "macs"), [(4, 8), (2, 8), (1, 32), (3, 16)])
def test_period_of_a_tile(dram, engine, groups, macs):
    """From the closed forms of the published simulator's traces: 143 and 141 cycles plus the groups."""
    tiles = dram.program(*[dram.tile(row, groups, macs) for row in (100, 101, 102)])
    periods = {"dual": 143 + (groups - 1) * 2 * (max(macs, 6) + 1), "single": 141 + groups * (2 * macs + 2)}
    for kind, period in periods.items():
        trace, _ = traced(dram, kind, engine, tiles, 1200)
        headers = [int(line.split()[1]) for line in trace if line.startswith("PIM_HEADER")]
        assert [b - a for a, b in pairwise(headers)] == [period, period]
