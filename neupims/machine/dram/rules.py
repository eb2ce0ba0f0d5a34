"""The timing rules of a channel as one table.

A rule says: after command `before`, command `after` may not issue for `gap` cycles, in the banks of
`scope` around the bank of `before`. Scopes nest, so the wider rule of a pair is the weaker one. A gap
is an expression over the names of `timing.build_timing` and `n`, the operand of `before` (MACs of a
PIM_GEMV; 1 for the first PIM_MAC of a group, 0 for the others).

Memory side: JEDEC. PIM side: NeuPIMs (ASPLOS'24) and its published simulator; where the two kinds of
system differ, a switch of `PimSpec` picks the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Literal

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.timing import Timing

Scope = Literal["bank", "group", "rank", "other_ranks", "channel"]


@dataclass(frozen=True, slots=True)
class Rule:
    """`after` waits `gap` cycles for `before`; with `until`, it is only kept out of [gap, until]."""

    scope: Scope
    before: Command
    after: Command
    gap: str
    until: str | None = None


def _rules(scope: Scope, before: str, after: str, gap: str) -> tuple[Rule, ...]:
    return tuple(Rule(scope, Command[b], Command[a], gap) for b in before.split() for a in after.split())


DRAM = (
    *_rules("group", "RD", "RD", "tCCDR"),
    *_rules("rank", "RD", "RD", "tCCDO"),
    *_rules("other_ranks", "RD", "RD", "tBURST + tRTRS"),
    *_rules("channel", "RD", "WR", "tRTW"),
    *_rules("bank", "RD", "PRE", "tRTP"),
    *_rules("group", "WR", "RD", "tCWL + tBURST + tWTR_L"),
    *_rules("rank", "WR", "RD", "tCWL + tBURST + tWTR_S"),
    *_rules("other_ranks", "WR", "RD", "tCWL + tBURST + tRTRS - tCL"),
    *_rules("group", "WR", "WR", "tCCDR"),
    *_rules("rank", "WR", "WR", "tCCDO"),
    *_rules("other_ranks", "WR", "WR", "tBURST"),
    *_rules("bank", "WR", "PRE", "tCWL + tBURST + tWR"),
    *_rules("bank", "ACT", "ACT", "tRC"),
    *_rules("group", "ACT", "ACT", "tRRD_L"),
    *_rules("rank", "ACT", "ACT", "tRRD_S"),
    *_rules("bank", "ACT", "RD", "tRCD"),
    *_rules("bank", "ACT", "WR", "tRCDWR"),
    *_rules("bank", "ACT", "PRE", "tRAS"),
    *_rules("bank", "PRE", "ACT REF", "tRP"),
    *_rules("rank", "REF", "ACT REF", "tRFC"),
)

PIM = (
    *_rules("rank", "REF", "PIM_ACT", "tRFC"),
    *_rules("bank", "ACT", "PIM_GWRITE", "tRCD"),
    *_rules("group", "RD", "PIM_GWRITE", "tCCDR"),
    *_rules("rank", "RD", "PIM_GWRITE", "tCCDO"),
    *_rules("group", "WR", "PIM_GWRITE", "tCWL + tBURST + tWTR_L"),
    *_rules("rank", "WR", "PIM_GWRITE", "tCWL + tBURST + tWTR_S"),
    *_rules("bank", "PIM_GWRITE", "RD WR PRE", "tGWRITE"),
    *_rules("group", "PIM_GWRITE", "RD", "tCCDR"),
    *_rules("rank", "PIM_GWRITE", "RD", "tCCDO"),
    *_rules("rank", "PIM_GWRITE", "WR", "tRTW"),
    *_rules("channel", "PIM_GWRITE", "PIM_GWRITE PIM_MAC PIM_READ PIM_GEMV", "tGWRITE"),
    *_rules("group", "ACT", "PIM_ACT", "tRRD_L"),
    *_rules("rank", "ACT", "PIM_ACT", "tRRD_S"),
    *_rules("group", "PIM_ACT", "PIM_ACT", "tRC"),
    *_rules("rank", "PIM_ACT", "PIM_ACT", "tFAW"),
    *_rules("rank", "PIM_ACT", "PIM_MAC PIM_GEMV", "tRCD"),
    *_rules("channel", "PIM_MAC", "PIM_MAC PIM_GWRITE RD", "tCCDO"),
    *_rules("channel", "PIM_MAC", "PIM_READ", "max(tMAC, n * tTREE)"),
    *_rules("channel", "PIM_MAC", "WR", "tRTW"),
    *_rules("channel", "PIM_READ", "PIM_MAC PIM_READ PIM_GWRITE", "tCCDO"),
    *_rules("channel", "PIM_READ", "RD", "max(tCCDO, tBURST + tRTRS)"),
    *_rules("channel", "PIM_READ", "WR", "tRTW"),
    *_rules("channel", "PIM_READ", "PIM_ACT", "tRTP + tRP"),
    *_rules("channel", "PIM_GEMV", "PIM_GEMV", "tMAC * (max(n, nTREE) + 1)"),
    *_rules("other_ranks", "RD", "PIM_READ", "tBURST + tRTRS"),
    *_rules("other_ranks", "WR", "PIM_READ", "tCWL + tBURST + tRTRS - tCL"),
)

ROW_BUFFERS = {
    "dual": (
        *_rules("group", "PIM_ACT", "ACT", "tRRD_L"),
        *_rules("group", "PIM_ACT", "PIM_PRE", "tRAS"),
        *_rules("bank", "PIM_PRE", "PIM_ACT REF", "tRP"),
        *_rules("channel", "PIM_MAC PIM_READ", "PIM_PRE", "tRTP"),
    ),
    "single": (
        *_rules("group", "PIM_ACT", "ACT", "tRC"),
        *_rules("bank", "ACT", "PIM_ACT", "tRC"),
        *_rules("channel", "PIM_MAC PIM_READ", "PRE", "tRTP"),
    ),
}
ROW_TIMING = {
    ("single", "complete"): (
        *_rules("group", "PIM_ACT", "PRE", "tRAS"),
        *_rules("bank", "PRE", "PIM_ACT", "tRP"),
        *_rules("rank", "ACT", "PIM_MAC PIM_GEMV", "tRCD"),
        *_rules("group", "PIM_ACT", "RD PIM_GWRITE", "tRCD"),
        *_rules("group", "PIM_ACT", "WR", "tRCDWR"),
    ),
}
ACTIVATION_WINDOW = {"separate": _rules("rank", "PIM_ACT", "ACT", "tFAW"), "shared": ()}
GEMV_END = {
    "issue": (
        *_rules("channel", "PIM_GEMV", "RD", "tBURST + tRTRS"),
        *_rules("channel", "PIM_GEMV", "WR", "tRTW"),
        *_rules("channel", "PIM_GEMV", "PIM_ACT", "tRTP + tRP"),
    ),
    "last_mac": (
        Rule(
            "channel",
            Command.PIM_GEMV,
            Command.RD,
            "tMAC * max(n, nTREE) - tBURST - tRTRS + 1",
            until="tMAC * max(n, nTREE) + tBURST + tRTRS - 1",
        ),
        *_rules("other_ranks", "RD", "PIM_GEMV", "tBURST + tRTRS - tMAC * nTREE"),
        *_rules("channel", "PIM_GEMV", "WR", "tMAC * max(n, nTREE) + tRTW"),
        *_rules("channel", "PIM_GEMV", "PIM_ACT", "tMAC * (max(n, nTREE) + 1) + tRTP + tRP"),
    ),
}
CLOSE = {"single": Command.PRE, "dual": Command.PIM_PRE}
"""The command that closes a row opened by PIM_ACT."""
GEMV_TO_CLOSE = {"issue": "tRTP", "last_mac": "tMAC * (max(n, nTREE) + 1) + tRTP"}
GEMV_TO_GWRITE = {
    ("issue", 1): "tCCDO",
    ("issue", 2): "tCCDO",
    ("last_mac", 1): "tMAC * (max(n, nTREE) + 1)",
    ("last_mac", 2): "tCCDO",
}
"""By the end of a PIM_GEMV and the number of vector buffers: with two, the next vector goes to the free one."""
RESULT = {"issue": "tCL + tBURST", "last_mac": "tMAC * max(n, nTREE) + tCL + tBURST"}
"""Cycles from a PIM_GEMV to its result at the controller."""
COLUMN_GAPS = {
    "symmetric": (
        *_rules("rank", "RD", "PIM_MAC PIM_READ PIM_GEMV", "tCCDR"),
        *_rules("rank", "WR", "PIM_MAC PIM_READ PIM_GEMV", "tCWL + tBURST + tWTR_L"),
    ),
    "published": (
        *_rules("rank", "RD", "PIM_MAC PIM_READ PIM_GEMV", "tCCDO"),
        *_rules("rank", "WR", "PIM_MAC PIM_READ PIM_GEMV", "tCWL + tBURST + tWTR_S"),
    ),
}


def rules_of(memory: MemorySpec, pim: PimSpec | None) -> tuple[Rule, ...]:
    """The rules of a channel. A published gap inside a bank group of zero is left out where other groups bind."""
    if pim is None:
        return DRAM
    gaps = "symmetric" if pim.row_buffers == "single" else pim.column_gaps
    return (
        *DRAM,
        *PIM,
        *ROW_BUFFERS[pim.row_buffers],
        *ROW_TIMING.get((pim.row_buffers, pim.row_timing), ()),
        *ACTIVATION_WINDOW[pim.activation_window],
        *GEMV_END[pim.gemv_end],
        Rule("channel", Command.PIM_GEMV, CLOSE[pim.row_buffers], GEMV_TO_CLOSE[pim.gemv_end]),
        Rule("channel", Command.PIM_GEMV, Command.PIM_GWRITE, GEMV_TO_GWRITE[pim.gemv_end, pim.vector_buffers]),
        *(COLUMN_GAPS[gaps] if gaps == "symmetric" or memory.organization.bank_groups > 1 else ()),
    )


def cycles_of(expression: str, timing: Timing, n: int) -> int:
    """Value of a gap expression for operand `n`."""
    return eval(_compiled(expression), {"__builtins__": {}, "max": max}, {**timing, "n": n})


def gap_table(expressions: Sequence[str], timing: Timing, operands: int) -> list[list[int]]:
    """Gaps in cycles, one row per expression, one column per operand 0 .. operands."""
    return [_gaps(text, timing, operands + 1) for text in expressions]


def _gaps(expression: str, timing: Timing, count: int) -> list[int]:
    if "n" not in _compiled(expression).co_names:
        return [cycles_of(expression, timing, 0)] * count
    return [cycles_of(expression, timing, n) for n in range(count)]


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<gap>", "eval")
