"""Arrays of the compiled engine for a memory, and room for more runs and blocks."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.rules import RESULT, SCOPES, gap_table, rules_of
from neupims.machine.dram.timing import Timing, build_timing

SCOPE_NUMBERS = {"bank": at.SCOPE_BANK, "bank_group": at.SCOPE_GROUP, "all": at.SCOPE_ALL}


def _ints(*shape: int, fill: int = 0) -> NDArray[np.int64]:
    return np.full(shape, fill, np.int64)


def build_engine(memory: MemorySpec, pim: PimSpec | None, trace: bool = False) -> at.Engine:
    """A memory at rest: all banks closed, nothing queued, cycle 0."""
    t = build_timing(memory, pim)
    org, limits = memory.organization, memory.controller
    c, b, k = org.channels, org.banks, at.KINDS
    groups = org.ranks * org.bank_groups
    single = pim is not None and pim.row_buffers == "single"
    memory_row = _ints(c, b, fill=at.CLOSED)
    return at.Engine(
        p=_parameters(memory, pim, t, trace),
        s=_scalars(c),
        **_rules(memory, pim, t),
        channel_gate=_ints(c, k),
        rank_gate=_ints(c, org.ranks, k),
        group_gate=_ints(c, groups, k),
        bank_gate=_ints(c, b, k),
        dark_from=_ints(c, k, fill=1),
        dark_to=_ints(c, k, fill=0),
        acts=_ints(c, org.ranks, 4),
        acts_n=_ints(c, org.ranks),
        memory_row=memory_row,
        pim_row=memory_row if single else _ints(c, b, fill=at.CLOSED),
        hits=_ints(c, b),
        queue=_ints(c, b, limits.bank_queue),
        queue_block=_ints(c, b, limits.bank_queue),
        queue_head=_ints(c, b),
        queue_n=_ints(c, b),
        queue_writes=_ints(c, b),
        first_read=_ints(c, b, fill=at.DIRTY),
        first_write=_ints(c, b, fill=at.DIRTY),
        reads=_ints(c, limits.read_queue, 8),
        writes=_ints(c, limits.write_buffer, 8),
        waiting=_ints(c, pim.queue if pim else 1, 8),
        commands=_ints(c, pim.command_queue if pim else 1, 8),
        returns=_ints(c, limits.outstanding + 1),
        acks=_ints(c, limits.outstanding + 1),
        runs=_ints(c, 2, 1, 7),
        run_head=_ints(c, 2),
        run_n=_ints(c, 2),
        run_done=_ints(c, 2),
        program=_ints(c, 1, 7),
        program_head=_ints(c),
        program_n=_ints(c),
        left=_ints(1),
        done=_ints(1),
        finished=_ints(2),
        counts=_ints(c, k),
        trace=_ints(1, 6),
    )


def _parameters(memory: MemorySpec, pim: PimSpec | None, t: Timing, trace: bool) -> NDArray[np.int64]:
    p = _ints(at.PARAMETERS)
    values = {**_organization(memory, t), **_pim_parameters(pim, t), at.P_TRACE: int(trace)}
    for place, value in values.items():
        p[place] = value
    return p


def _organization(memory: MemorySpec, t: Timing) -> dict[int, int]:
    org, limits = memory.organization, memory.controller
    latency = t["tCL"] + t["tBURST"]
    most = limits.read_queue + org.banks * limits.bank_queue + latency + 4 * limits.accepts_per_cycle
    return {
        at.P_BANKS: org.banks,
        at.P_RANKS: org.ranks,
        at.P_GROUPS: org.ranks * org.bank_groups,
        at.P_PER_GROUP: org.banks_per_group,
        at.P_PER_RANK: org.bank_groups * org.banks_per_group,
        at.P_READ_QUEUE: limits.read_queue,
        at.P_WRITE_BUFFER: limits.write_buffer,
        at.P_BANK_QUEUE: limits.bank_queue,
        at.P_OUTSTANDING: limits.outstanding,
        at.P_TRACK_RETURNS: int(most >= limits.outstanding),
        at.P_ACCEPTS: limits.accepts_per_cycle,
        at.P_ROW_HITS: limits.row_hit_limit,
        at.P_DRAIN_ABOVE: limits.drain_above,
        at.P_REFRESH: int(limits.refresh != "off"),
        at.P_READ_LATENCY: latency,
        at.P_RP: t["tRP"],
        at.P_RCD: t["tRCD"],
        at.P_RCDWR: t["tRCDWR"],
        at.P_RTP: t["tRTP"],
        at.P_FAW: t["tFAW"],
        at.P_CCDO: t["tCCDO"],
        at.P_CCDR: t["tCCDR"],
        at.P_MAC: t["tMAC"],
        at.P_TICK: t["tREFTICK"],
    }


def _pim_parameters(pim: PimSpec | None, t: Timing) -> dict[int, int]:
    if pim is None:
        return {at.P_RATE_DEN: 1, at.P_PIM_QUEUE: 1, at.P_PIM_COMMANDS: 1}
    dual = pim.row_buffers == "dual"
    rate = Fraction(str(pim.front_end.per_cycle))
    return {
        at.P_PIM_QUEUE: pim.queue,
        at.P_PIM_COMMANDS: pim.command_queue,
        at.P_DUAL: int(dual),
        at.P_BLOCKED: int(not dual),
        at.P_COMPOSITE: int(pim.composite_gemv),
        at.P_RATE_NUM: rate.numerator,
        at.P_RATE_DEN: rate.denominator,
        at.P_SCOPE: SCOPE_NUMBERS[pim.precharge_scope] if dual else at.SCOPE_BANK,
        at.P_SHARED_WINDOW: int(pim.activation_window == "shared"),
        at.P_COMPLETE_ROWS: int(pim.row_timing == "complete"),
        at.P_EXACT: int(pim.deadline == "exact"),
        at.P_ORDERED: int(pim.ordered_writes),
        at.P_TREE: t["nTREE"],
        at.P_GWRITE: t["tGWRITE"],
    }


def _scalars(channels: int) -> NDArray[np.int64]:
    s = _ints(channels, at.SCALARS)
    for place in (at.S_LOCK_BANK, at.S_RESERVED, at.S_GWRITE_BANK, at.S_GWRITE_END):
        s[:, place] = -1
    return s


def _rules(memory: MemorySpec, pim: PimSpec | None, t: Timing) -> dict[str, NDArray[np.int64]]:
    """Rules sorted by their first command, gaps spelled out for every operand."""
    rules = sorted(rules_of(memory, pim), key=lambda rule: rule.before)
    operands = operands_of(memory, pim)
    before = np.array([rule.before for rule in rules])
    until = [rule.until or "-1" for rule in rules]
    results = np.zeros((at.KINDS, operands + 1), np.int64)
    if pim is not None:
        results[Command.PIM_READ] = gap_table([RESULT["issue"]], t, operands)[0]
        results[Command.PIM_GEMV] = gap_table([RESULT[pim.gemv_end]], t, operands)[0]
    return {
        "rule_first": np.searchsorted(before, np.arange(at.KINDS + 1)).astype(np.int64),
        "rule_scope": np.array([SCOPES.index(rule.scope) for rule in rules], np.int64),
        "rule_after": np.array([rule.after for rule in rules], np.int64),
        "rule_gap": np.array(gap_table([rule.gap for rule in rules], t, operands), np.int64),
        "rule_until": np.array(gap_table(until, t, operands), np.int64),
        "results": results,
    }


def operands_of(memory: MemorySpec, pim: PimSpec | None) -> int:
    """Largest operand of a command: the MACs that one row holds."""
    if pim is None:
        return 1
    return memory.organization.row_bytes // 2 // pim.macs_per_bank
