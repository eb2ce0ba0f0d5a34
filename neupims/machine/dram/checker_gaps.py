"""Shortest gaps between pairs of commands: the table, row by row (JEDEC HBM; PIM gaps of the NeuPIMs simulator).

A row reads: rule, earlier event, later commands, scope, cycles. The scope says where the earlier event
must have happened to count: in the same `bank`, `group`, `rank`, in `other` ranks, or in the `channel`.
With `some`, the gap need only have passed since the events of one bank of the group.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.checker_terms import Clocks
from neupims.units import cycles

ACT, PRE, RD, WR, REF = Command.ACT, Command.PRE, Command.RD, Command.WR, Command.REF
GWRITE, HEADER, PIM_ACT, PIM_PRE = Command.PIM_GWRITE, Command.PIM_HEADER, Command.PIM_ACT, Command.PIM_PRE
MAC, READ, GEMV = Command.PIM_MAC, Command.PIM_READ, Command.PIM_GEMV

LAST_MAC, FIRST_MAC, FIRST_CLOSED = len(Command), len(Command) + 1, len(Command) + 2
"""Events that are no commands: end of a PIM_GEMV's MACs, first PIM_MAC of a result, first PIM_PRE in a group."""

EVENTS = (
    *(command.name for command in Command),
    "the last MAC of PIM_GEMV",
    "the first PIM_MAC of the result",
    "the first PIM_PRE in the bank group",
)
"""What to call an event in a sentence."""

Scope = Literal["bank", "some", "group", "rank", "other", "channel"]
Row = tuple[str, int, tuple[Command, ...], Scope, int]


class Gap(NamedTuple):
    """A command may come `cycles` after the last `event` in its `scope`, no sooner."""

    rule: str
    event: int
    scope: Scope
    cycles: int


def gaps(t: Clocks, pim: PimSpec | None, clock_ghz: float, grouped: bool) -> tuple[tuple[Gap, ...], ...]:
    """Gaps to check before each command, indexed by command; `grouped`: a rank has more than one bank group."""
    rows = [*_memory(t), *(_pim(t, pim, cycles(pim.gwrite_ns, clock_ghz), grouped) if pim else ())]
    return tuple(tuple(Gap(r, e, s, c) for r, e, later, s, c in rows if command in later) for command in Command)


def _memory(t: Clocks) -> Iterator[Row]:
    """Memory side (JEDEC; table of command distances)."""
    yield "tRCD", ACT, (RD, GWRITE), "bank", t.rcd_rd
    yield "tRCD", ACT, (WR,), "bank", t.rcd_wr
    yield "tRAS", ACT, (PRE,), "bank", t.ras
    yield "tRC", ACT, (ACT,), "bank", t.rc
    yield "tRRD_L", ACT, (ACT,), "group", t.rrd_l
    yield "tRRD_S", ACT, (ACT,), "rank", t.rrd_s
    yield "tRP", PRE, (ACT,), "bank", t.rp
    yield "tRP", PRE, (REF,), "rank", t.rp
    yield "tRFC", REF, (ACT, REF, PIM_ACT), "rank", t.rfc
    yield "tCCD_L", RD, (RD,), "group", max(t.burst, t.ccd_l)
    yield "tCCD_S", RD, (RD,), "rank", t.column
    yield "tRTRS", RD, (RD,), "other", t.burst + t.rtrs
    yield "read to write", RD, (WR,), "channel", t.read_to_write
    yield "tRTP", RD, (PRE,), "bank", t.rtp
    yield "tCCD_L", WR, (WR,), "group", max(t.burst, t.ccd_l)
    yield "tCCD_S", WR, (WR,), "rank", t.column
    yield "tWTR_L", WR, (RD, GWRITE), "group", t.write_to_read(t.wtr_l)
    yield "tWTR_S", WR, (RD, GWRITE), "rank", t.write_to_read(t.wtr_s)
    yield "tWR", WR, (PRE,), "bank", t.write_to_precharge


def _pim(t: Clocks, pim: PimSpec, gwrite: int, grouped: bool) -> Iterator[Row]:
    dual = pim.row_buffers == "dual"
    yield from _activations(t, pim)
    yield from (_dual_rows if dual else _single_rows)(t, pim)
    yield from _gwrites(t, gwrite)
    yield from _before_macs(t, pim, grouped)
    closing = PIM_PRE if dual else PRE
    yield from _composite(t, pim, closing) if pim.composite_gemv else _stepwise(t, pim, closing)


def _activations(t: Clocks, pim: PimSpec) -> Iterator[Row]:
    """Between activations of the two kinds; with one row buffer they meet in the same one."""
    rule, same_group = ("tRRD_L", t.rrd_l) if pim.row_buffers == "dual" else ("tRC", t.rc)
    lenient = pim.row_buffers == "single" and pim.row_timing == "published"
    yield rule, ACT, (PIM_ACT,), "some" if lenient else "group", same_group
    yield "tRRD_S", ACT, (PIM_ACT,), "rank", t.rrd_s
    yield rule, PIM_ACT, (ACT,), "group", same_group
    yield "tRC", PIM_ACT, (PIM_ACT,), "group", t.rc
    if pim.activation_window == "separate":
        yield "tFAW", PIM_ACT, (ACT, PIM_ACT), "rank", t.faw


def _dual_rows(t: Clocks, pim: PimSpec) -> Iterator[Row]:
    """The PIM-side row buffer; a PIM_PRE of all banks waits for the last activation of any."""
    yield "tRAS", PIM_ACT, (PIM_PRE,), "channel" if pim.precharge_scope == "all" else "group", t.ras
    yield "tRP", PIM_PRE, (REF,), "rank", t.rp
    yield "tRP", PIM_PRE if pim.row_timing == "complete" else FIRST_CLOSED, (PIM_ACT,), "group", t.rp


def _single_rows(t: Clocks, pim: PimSpec) -> Iterator[Row]:
    """The only row buffer: what an activation of either kind opened, the other kind of command may use."""
    yield "tRCD", PIM_ACT, (RD, GWRITE), "group", t.rcd_rd
    yield "tRCD", PIM_ACT, (WR,), "group", t.rcd_wr
    yield "tRCD", ACT, (MAC, GEMV), "channel", t.rcd_rd
    if pim.row_timing == "complete":
        yield "tRAS", PIM_ACT, (PRE,), "group", t.ras
        yield "tRP", PRE, (PIM_ACT,), "group", t.rp


def _gwrites(t: Clocks, gwrite: int) -> Iterator[Row]:
    """A PIM_GWRITE reads its bank and fills the vector buffer all the while."""
    yield "gwrite", GWRITE, (RD, WR, PRE), "bank", gwrite
    yield "gwrite", GWRITE, (GWRITE, MAC, READ, GEMV), "channel", gwrite
    yield "tCCD_S", GWRITE, (RD,), "rank", t.column
    yield "read to write", GWRITE, (WR,), "rank", t.read_to_write
    yield "tCCD_S", RD, (GWRITE,), "rank", t.column


def skips_own_group(pim: PimSpec) -> bool:
    """Whether MACs keep no gap to accesses in their own bank group, as published."""
    return pim.row_buffers == "dual" and pim.column_gaps == "published"


def _before_macs(t: Clocks, pim: PimSpec, grouped: bool) -> Iterator[Row]:
    """What MACs wait for. They are in all banks, so the longest gap to any bank holds."""
    yield "tRCD", PIM_ACT, (MAC, GEMV), "channel", t.rcd_rd
    if skips_own_group(pim) and not grouped:
        return
    wtr_rule, wtr = ("tWTR_S", t.wtr_s) if skips_own_group(pim) else ("tWTR_L", t.wtr_l)
    yield "tCCD_S", RD, (MAC, GEMV), "channel", t.column
    yield wtr_rule, WR, (MAC, GEMV), "channel", t.write_to_read(wtr)


def _composite(t: Clocks, pim: PimSpec, closing: Command) -> Iterator[Row]:
    """After a PIM_GEMV, counted from its last MAC or (published) from its issue."""
    after_macs = pim.gemv_end == "last_mac"
    end, drain = (LAST_MAC, t.column) if after_macs else (int(GEMV), 0)
    yield "gemv", LAST_MAC, (GEMV,), "channel", t.column
    yield "gemv", end if pim.vector_buffers == 1 else int(GEMV), (GWRITE,), "channel", t.column
    yield "read to write", end, (WR,), "channel", t.read_to_write
    yield "tRTP", end, (closing,), "channel", drain + t.rtp
    yield "tRTP + tRP", end, (PIM_ACT,), "channel", drain + t.rtp + t.rp
    if not after_macs:
        yield "result bus", GEMV, (RD,), "channel", t.burst + t.rtrs


def _stepwise(t: Clocks, pim: PimSpec, closing: Command) -> Iterator[Row]:
    """After single PIM_MACs and PIM_READs."""
    pace = t.column if pim.gemv_end == "last_mac" else t.ccd_s
    yield "tCCD_S", MAC, (MAC, READ, GWRITE, RD), "channel", t.column
    yield "tCCD_S", READ, (MAC, READ, GWRITE, RD), "channel", t.column
    yield "adder tree", FIRST_MAC, (READ,), "channel", pim.adder_tree_macs * pace
    for column in (MAC, READ):
        yield "read to write", column, (WR,), "channel", t.read_to_write
        yield "tRTP", column, (closing,), "channel", t.rtp
    yield "tRTP + tRP", READ, (PIM_ACT,), "channel", t.rtp + t.rp
    if pim.gemv_end == "issue":
        yield "result bus", READ, (RD,), "other", t.burst + t.rtrs
