"""Commands of one simulated channel against closed forms over its timing parameters.

Each form is evaluated for several organisations and timings, so that a parameter that is not at work shows.
Latencies and gaps must be equal. Long streams end in a partly filled pipe and cross ranks and rows, which the
forms leave out; refreshes also find banks open and commands under way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from neupims.isa.commands import Command
from neupims.validation.channel import Bench, Records, bench, bursts, issued, makespan, traced
from neupims.validation.check import Case, Check, References

AGAINST = "closed form"
STREAM = 40_000
"""Bursts of a stream."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A memory under the name that its checks carry."""

    name: str
    overrides: tuple[str, ...]

    def bench(self, *more: str, refresh: bool = False) -> Bench:
        """The memory, with further settings; without refresh unless asked for."""
        policy = "rank_staggered" if refresh else "off"
        settings = (*self.overrides, *more, f"controller.refresh={policy}", "controller.accepts_per_cycle=1")
        return bench("npu-only", *(f"memory.{setting}" for setting in settings))


HBM2 = Variant("hbm2", ())
ONE_RANK = Variant("one-rank", ("organization.ranks=1", "timing.t_cl_ns=17", "timing.t_cwl_ns=7", "timing.t_rp_ns=16"))
SLOW_GROUP = Variant("slow-group", ("timing.t_ccd_s_ns=2", "timing.t_ccd_l_ns=4", "timing.t_wtr_l_ns=11"))
LONG_BURST = Variant(
    "long-burst",
    ("organization.ranks=1", "organization.burst_length=8", "timing.t_rcd_rd_ns=20", "timing.t_rtp_ns=9"),
)
VARIANTS = (HBM2, ONE_RANK, SLOW_GROUP, LONG_BURST)


def _exact(name: str, ours: float, theirs: float) -> Check:
    return Check(name, AGAINST, ours, theirs, "cycles", 0)


def _latency(_: References) -> Iterator[Check]:
    """One cycle to the bank queue, tRCD, tCL and the burst; the rest of the row at the pace of its bank group."""
    for variant in VARIANTS:
        made, t = variant.bench(), variant.bench().timing
        first = 1 + t["tRCD"] + t["tCL"] + t["tBURST"]
        row = first + (made.memory.organization.bursts_per_row - 1) * t["tCCDR"]
        whole = bursts(made.memory, range(made.memory.organization.bursts_per_row))
        yield _exact(f"dram.latency.burst.{variant.name}", makespan(made, whole[:1]), first)
        yield _exact(f"dram.latency.row.{variant.name}", makespan(made, whole), row)


# Streams --------------------------------------------------------------------------------------------


BUSY = "a RD or WR waits a cycle where an ACT or PRE takes the only command slot"
REFRESHED = "the form counts tRP + tRFC + tRCD for a refresh; banks close one by one, and open again by turns"

TOLERANCE = {False: 0.01, True: 0.015}
"""Of a stream, without and with refresh."""


def _pace(made: Bench, runs: Records, write: bool) -> float:
    """Cycles for each burst in the middle of a stream."""
    trace = traced(made, runs, None, 6 * len(runs) * made.timing["tBURST"] // 5)
    cycles = issued(trace, Command.WR if write else Command.RD)
    first, last = len(runs) // 10, len(runs) * 9 // 10
    return (cycles[last] - cycles[first]) / (last - first)


def _lost(made: Bench) -> float:
    """Share of the time that a rank is closed for its refreshes."""
    t = made.timing
    return (t["tRP"] + t["tRFC"] + t["tRCD"]) / t["tREFI"]


def _stream(kind: str, variant: Variant, refresh: bool) -> Check:
    """Bursts fill the data bus; a change of rank costs tRTRS to reads; a lone rank is closed while it is refreshed."""
    made = variant.bench(refresh=refresh)
    org, t, write = made.memory.organization, made.timing, kind == "write"
    between = 0 if write or org.ranks == 1 else t["tRTRS"] / (org.bursts_per_row * org.banks // org.ranks)
    pace = (t["tCCDO"] + between) / (1 - _lost(made) if refresh else 1)
    ours = _pace(made, bursts(made.memory, range(STREAM), write), write)
    name = f"dram.stream.{kind}.{'with' if refresh else 'no'}-refresh.{variant.name}"
    return Check(name, AGAINST, ours, pace, "cycles/burst", TOLERANCE[refresh], REFRESHED if refresh else BUSY)


def _streams(kind: str) -> Callable[[References], Iterator[Check]]:
    def measure(_: References) -> Iterator[Check]:
        for variant in VARIANTS:
            yield _stream(kind, variant, refresh=False)
        for variant in (ONE_RANK, LONG_BURST):
            yield _stream(kind, variant, refresh=True)

    return measure


def _staggered(_: References) -> Iterator[Check]:
    """Reads that stay in one of two ranks lose the refreshes of that rank, one in each tREFI."""
    for variant in (HBM2, SLOW_GROUP):
        made = variant.bench(refresh=True)
        t, org = made.timing, made.memory.organization
        place = np.arange(STREAM)
        share = org.bursts_per_row * org.banks // org.ranks
        inside = bursts(made.memory, place // share * org.ranks * share + place % share)
        name, pace = f"dram.refresh.one-of-two-ranks.{variant.name}", t["tCCDO"] / (1 - _lost(made))
        yield Check(name, AGAINST, _pace(made, inside, write=False), pace, "cycles/burst", TOLERANCE[True], REFRESHED)


# Random access --------------------------------------------------------------------------------------


def _activations(name: str, overrides: tuple[str, ...], gap: Callable[[Bench], float], tolerance: float) -> Check:
    """Reads of rows never seen before, in all banks by turns across bank groups: paced by activations."""
    made = Variant(name, overrides).bench()
    org = made.memory.organization
    count = 10_000
    place = np.arange(count)
    runs = bursts(made.memory, np.zeros(count, np.int64))
    groups = org.ranks * org.bank_groups
    runs["bank"] = place % groups * org.banks_per_group + place // groups % org.banks_per_group
    runs["row"] = place // org.banks
    return Check(f"dram.random.{name}", AGAINST, makespan(made, runs), count * gap(made), "cycles", tolerance, BUSY)


def _random(_: References) -> Iterator[Check]:
    one = "organization.ranks=1"
    yield _activations("tFAW", (one,), lambda made: made.timing["tFAW"] / 4, 0.005)
    yield _activations("tFAW-long", (one, "timing.t_faw_ns=50"), lambda made: made.timing["tFAW"] / 4, 0.005)
    yield _activations("tRRD_S", (one, "timing.t_faw_ns=16"), lambda made: made.timing["tRRD_S"], 0.01)
    slow = (one, "timing.t_faw_ns=16", "timing.t_rrd_s_ns=9", "timing.t_rrd_l_ns=9")
    yield _activations("tRRD_S-long", slow, lambda made: made.timing["tRRD_S"], 0.005)


def _one_bank(_: References) -> Iterator[Check]:
    """One row after the other in one bank: tRC, or opening, reading and closing where that is longer."""
    for variant in VARIANTS:
        made, t = variant.bench(), variant.bench().timing
        per_row = made.memory.organization.bursts_per_row
        for reads, label in ((1, "one-read"), (per_row, "whole-row")):
            rows = 500
            place = np.arange(rows * reads)
            runs = bursts(made.memory, place % reads)
            runs["row"] = place // reads
            row = max(t["tRC"], t["tRCD"] + (reads - 1) * t["tCCDR"] + t["tRTP"] + t["tRP"])
            last = (rows - 1) * row + 1 + t["tRCD"] + (reads - 1) * t["tCCDR"] + t["tCL"] + t["tBURST"]
            yield _exact(f"dram.random.one-bank.{label}.{variant.name}", makespan(made, runs), last)


# Bank groups and turnarounds ------------------------------------------------------------------------


def _groups(_: References) -> Iterator[Check]:
    """Open rows, one bank in each of the groups used: tCCD_L inside a group, tCCD_S across groups."""
    for variant in (HBM2, SLOW_GROUP, LONG_BURST):
        made, t = variant.bench("organization.ranks=1"), variant.bench().timing
        org = made.memory.organization
        for used, gap in ((1, t["tCCDR"]), (org.bank_groups, t["tCCDO"])):
            place = np.arange(used * org.bursts_per_row)
            runs = bursts(made.memory, place // used)
            runs["bank"] = place % used * org.banks_per_group
            reads = issued(traced(made, runs, None, 1000), Command.RD)
            label = "inside" if used == 1 else "across"
            settled = min(b - a for a, b in zip(reads[-7:-1], reads[-6:], strict=True))
            yield _exact(f"dram.groups.{label}.{variant.name}", settled, gap)


def _pairs(trace: Records, first: Command, then: Command, per_group: int, same_group: bool) -> int:
    """Shortest time from a `first` to a later `then`, in one bank group or in two of the same rank."""
    kept = [trace[trace["command"] == command] for command in (first, then)]
    before, after = (records[:, None] if number == 0 else records[None, :] for number, records in enumerate(kept))
    gaps = after["cycle"] - before["cycle"]
    together = before["bank"] // per_group == after["bank"] // per_group
    return int(gaps[(gaps > 0) & (together == same_group)].min())


def _turnarounds(_: References) -> Iterator[Check]:
    """The shortest distances that occur in 12,000 cycles of mixed traffic on few rows."""
    for variant in (HBM2, ONE_RANK, SLOW_GROUP, LONG_BURST):
        made = variant.bench("organization.ranks=1", "controller.write_buffer=4", "controller.drain_above=0")
        t, rng = made.timing, np.random.default_rng(0)
        runs = bursts(made.memory, np.zeros(6_000, np.int64), rng.random(6_000) < 0.5)
        runs["bank"] = rng.integers(0, 2, 6_000) * made.memory.organization.banks_per_group
        runs["column"] = np.arange(6_000) % made.memory.organization.bursts_per_row
        runs["row"] = np.arange(6_000) // 200
        trace = traced(made, runs, None, 12_000)
        per_group = made.memory.organization.banks_per_group
        forms = {
            ("read-write", Command.RD, Command.WR, True): t["tCL"] + t["tBURST"] - t["tCWL"] + t["tRTRS"],
            ("write-read-inside", Command.WR, Command.RD, True): t["tCWL"] + t["tBURST"] + t["tWTR_L"],
            ("write-read-across", Command.WR, Command.RD, False): t["tCWL"] + t["tBURST"] + t["tWTR_S"],
        }
        for (label, first, then, same), gap in forms.items():
            yield _exact(f"dram.turnaround.{label}.{variant.name}", _pairs(trace, first, then, per_group, same), gap)


SECTION = "DRAM against closed forms"
CASES = (
    Case("dram.latency", SECTION, _latency),
    Case("dram.stream.read", SECTION, _streams("read")),
    Case("dram.stream.write", SECTION, _streams("write")),
    Case("dram.refresh", SECTION, _staggered),
    Case("dram.random", SECTION, lambda found: (*_random(found), *_one_bank(found))),
    Case("dram.groups", SECTION, _groups),
    Case("dram.turnaround", SECTION, _turnarounds),
)
