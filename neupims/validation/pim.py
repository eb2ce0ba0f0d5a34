"""PIM tiles of one channel: closed forms of their period, and programs and traces of the published simulator.

The tables are sections 3.8 to 3.10 of the measurements of the published NeuPIMs simulator (repository
casys-kaist/NeuPIMs, its DRAM library driven alone). Under the authors' profiles everything is equal, cycle by
cycle. The clean profiles differ by rule, not by error, so they have closed forms of their own.
"""

from collections.abc import Iterator
from itertools import pairwise

from neupims.isa.commands import Command
from neupims.validation.channel import (
    Bench,
    attention,
    bench,
    bursts,
    finish,
    gwrite,
    issued,
    pim_makespan,
    program,
    submit_program,
    submit_runs,
    tile,
    traced,
)
from neupims.validation.check import Case, Check, References

LIBRARY = "NeuPIMs DRAM library"
SYSTEMS = {"dual": "neupims-authors", "single": "npu-pim-authors"}
PARTS = ("logit", "attend", "both")

FOUR_REQUESTS = {
    ("dual", 32): (2717, 27709, 30495),
    ("dual", 64): (4850, 27709, 32703),
    ("dual", 300): (22111, 27709, 50138),
    ("dual", 512): (35563, 27709, 63238),
    ("dual", 513): (37710, 55295, 93181),
    ("dual", 1024): (71057, 55295, 126539),
    ("dual", 2048): (142045, 110560, 253909),
    ("single", 32): (3103, 30534, 33863),
    ("single", 300): (23207, 35547, 58207),
    ("single", 512): (36857, 41423, 78887),
    ("single", 1024): (72842, 82787, 155475),
    ("single", 2048): (143681, 166223, 310730),
}
"""Section 3.9: four equal requests of a length, 8 heads of 128: cycles of K^T q, of S V, and of both by turns."""

OTHER_HEADS = {10: 66118, 12: 75174, 14: 90917}
"""Section 3.9: four requests of 300, both parts, dual, for other numbers of heads."""

BESIDE_READS = {"logit": 22129, "attend": 30514, "both": 53076}
"""Section 3.9: four requests of 300, dual, while reads are offered in every cycle."""

READ_SHARE = 0.789
"""Section 3.9: share of the peak that those reads reach, 0.787 to 0.791."""

TIMELINE = {
    "dual": {
        "last-result": 1660,
        "REF": 1980,
        "header": 1997,
        "PIM_ACT": 1998,
        "first-result": 2344,
        "next-header": 2435,
    },
    "single": {"last-result": 1789, "REF": 1979, "header": 1996, "PIM_ACT": 1997, "first-result": 2359},
}
"""Section 3.10: logit tiles of 4 groups of 8 MACs that come without end, across the first refresh."""

SHAPES = ((4, 8), (2, 8), (1, 32), (3, 16), (8, 4))
"""Result groups of a tile, and the MACs of each."""


# Closed forms ---------------------------------------------------------------------------------------


def tile_period(made: Bench, groups: int, macs: int) -> int:
    """Cycles from header to header of tiles that follow each other, from the rules.

    Closing bank by bank, the header, activations tFAW apart with the ranks a cycle apart, tRCD, the groups, and
    tRTP. Published composite commands let go of their banks as if they had no MACs: the last group is free.
    """
    assert made.pim is not None
    t, org = made.timing, made.memory.organization
    fixed = org.banks + 1 + t["tFAW"] * (org.bank_groups - 1) + org.ranks - 1 + t["tRCD"] + t["tRTP"]
    if not made.pim.composite_gemv:
        return fixed + groups * (max(macs * t["tMAC"], t["tTREE"]) + t["tMAC"]) - t["tMAC"]
    counted = groups - 1 if made.pim.gemv_end == "issue" else groups
    return fixed + counted * t["tMAC"] * (max(macs, t["nTREE"]) + 1)


def gwrite_share(made: Bench) -> int:
    """What a GWRITE adds to the period of the tile behind it.

    One row buffer: its row has to be opened again. Two: it stays open, so that the GWRITE takes the place of the
    tRTP behind the last command, tCCDO after the issue of a published composite command.
    """
    assert made.pim is not None
    t = made.timing
    if made.pim.row_buffers == "single":
        return t["tRP"] + t["tRCD"] + t["tGWRITE"]
    return t["tGWRITE"] - t["tRTP"] + (t["tCCDO"] if made.pim.gemv_end == "issue" else 0)


def _no_refresh(system: str) -> Bench:
    return bench(system, "memory.controller.refresh=off")


def _periods(_: References) -> Iterator[Check]:
    for system in ("neupims-authors", "npu-pim-authors", "neupims", "npu-pim"):
        made = _no_refresh(system)
        for groups, macs in SHAPES:
            tiles = program(*[tile(row, groups, macs) for row in (100, 101, 102)])
            first, second = pairwise(issued(traced(made, None, tiles, 2000), Command.PIM_HEADER))
            period = tile_period(made, groups, macs)
            for number, (a, b) in enumerate((first, second)):
                name = f"pim.period.{system}.{groups}x{macs}.{number}"
                yield Check(name, "closed form", b - a, period, "cycles", 0)


def _gwrites(_: References) -> Iterator[Check]:
    for system in ("neupims-authors", "npu-pim-authors", "neupims", "npu-pim"):
        made = _no_refresh(system)
        for groups, macs in ((4, 8), (1, 32)):
            steps = program(*[step for row in (100, 101, 102) for step in (gwrite(), tile(row, groups, macs))])
            headers = issued(traced(made, None, steps, 2500), Command.PIM_HEADER)
            ours = headers[2] - headers[1] - tile_period(made, groups, macs)
            name = f"pim.gwrite.{system}.{groups}x{macs}"
            yield Check(name, "closed form", ours, gwrite_share(made), "cycles", 0)


def _refreshes(_: References) -> Iterator[Check]:
    """Tiles in each refresh interval, dual, as published: one while a rank refreshes, then while the estimate fits."""
    made = bench("neupims-authors")
    t, org = made.timing, made.memory.organization
    per_rank, period = org.banks // org.ranks, tile_period(made, 4, 8)
    header = 2 * per_rank + t["tRP"] + 1
    ref = 1 + per_rank - 1 + t["tRP"]
    closed = ref + t["tRFC"] + t["tFAW"] * (org.bank_groups - 1) + t["tRCD"]
    second = closed + 3 * t["tMAC"] * 9 + t["tRTP"] + org.banks
    estimate = org.banks * t["tRTP"] + t["tFAW"] * 3 + t["tRCD"] + t["tCCDO"] * 32 + t["tCCDR"] * 3
    assert header < second
    tiles = 2 + (t["tREFTICK"] - estimate - 1 - second) // period
    steps = program(gwrite(), *[tile(row, 4, 8) for row in range(100, 300)])
    headers = issued(traced(made, None, steps, 12 * t["tREFTICK"]), Command.PIM_HEADER)
    ours = sum(2 * t["tREFTICK"] <= cycle < 12 * t["tREFTICK"] for cycle in headers) / 10
    yield Check("pim.refresh.tiles-per-interval", "closed form", ours, tiles, "tiles", 0)


# Against the published library ----------------------------------------------------------------------


def _programs(_: References) -> Iterator[Check]:
    for (kind, length), row in FOUR_REQUESTS.items():
        for part, cycles in zip(PARTS, row, strict=True):
            ours = pim_makespan(bench(SYSTEMS[kind]), attention(part, length))
            yield Check(f"pim.programs.{kind}.{part}.{length}", LIBRARY, ours, cycles, "cycles", 0)
    for heads, cycles in OTHER_HEADS.items():
        ours = pim_makespan(bench(SYSTEMS["dual"]), attention("both", 300, heads))
        yield Check(f"pim.programs.dual.both.300.heads-{heads}", LIBRARY, ours, cycles, "cycles", 0)


def _timeline(_: References) -> Iterator[Check]:
    steps = program(gwrite(), *[tile(row, 4, 8) for row in range(100, 120)])
    for kind, events in TIMELINE.items():
        trace = traced(bench(SYSTEMS[kind]), None, steps, 2600, start=10)
        result = Command.PIM_GEMV if kind == "dual" else Command.PIM_READ
        results, headers = issued(trace, result), issued(trace, Command.PIM_HEADER)
        refresh = issued(trace, Command.REF)[0]
        ours = {
            "last-result": max(cycle for cycle in results if cycle < refresh),
            "REF": refresh,
            "header": min(cycle for cycle in headers if cycle > refresh),
            "PIM_ACT": min(cycle for cycle in issued(trace, Command.PIM_ACT) if cycle > refresh),
            "first-result": min(cycle for cycle in results if cycle > refresh),
            "next-header": [cycle for cycle in headers if cycle > refresh][1],
        }
        for event, cycle in events.items():
            yield Check(f"pim.timeline.{kind}.{event}", LIBRARY, ours[event], cycle, "cycle", 0)


def _contention(_: References) -> Iterator[Check]:
    made = bench("neupims-authors", "memory.controller.accepts_per_cycle=1")
    for part, cycles in BESIDE_READS.items():
        memory = made.build(trace=True)
        steps = attention(part, 300)
        submit_runs(memory, bursts(made.memory, range(40_000)))
        first = submit_program(memory, steps)
        ours = int(finish(memory, range(first, first + int(steps["groups"].sum()))).max())
        reads = sum(cycle < ours for cycle in issued(memory.trace(), Command.RD))
        yield Check(f"pim.beside-reads.{part}.cycles", LIBRARY, ours, cycles, "cycles", 0)
        share = made.timing["tBURST"] * reads / ours
        note = "theirs is given as 0.787 to 0.791"
        yield Check(f"pim.beside-reads.{part}.read-share", LIBRARY, share, READ_SHARE, "of peak", 0.003, note)


FORMS, PUBLISHED = "PIM against closed forms", "PIM against the published DRAM library"
CASES = (
    Case("pim.period", FORMS, _periods),
    Case("pim.gwrite", FORMS, _gwrites),
    Case("pim.refresh", FORMS, _refreshes),
    Case("pim.programs", PUBLISHED, _programs),
    Case("pim.timeline", PUBLISHED, _timeline),
    Case("pim.beside-reads", PUBLISHED, _contention),
)
