"""The arrays of the compiled engine for a memory at rest."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from neupims.hardware.memory import Controller, MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.jit import Array
from neupims.machine.dram.fast import layout as at
from neupims.machine.dram.rules import RESULT, Rule, Scope, gap_table, rules_of
from neupims.machine.dram.timing import Timing, build_timing

TABLES = (
    at.O_GAPS,
    at.O_UNTILS,
    at.O_RESULTS,
    at.O_RANK_OF,
    at.O_GROUP_OF,
    at.O_RANK_ROW,
    at.O_GROUP_ROW,
    at.O_BANK_ROW,
    at.O_CHANNEL_ROW,
    at.O_OTHER_ROW,
    at.O_RANK_BITS,
)
ROWS = {
    "bank": at.O_BANK_ROW,
    "group": at.O_GROUP_ROW,
    "rank": at.O_RANK_ROW,
    "channel": at.O_CHANNEL_ROW,
    "other_ranks": at.O_OTHER_ROW,
}
"""Tables of the places of what the rules of a scope push back."""
SCOPE_NUMBERS = {"bank": at.SCOPE_BANK, "bank_group": at.SCOPE_GROUP, "all": at.SCOPE_ALL}


def build_constants(
    memory: MemorySpec, pim: PimSpec | None, traced: int = 0, given: Sequence[Rule] | None = None
) -> Array:
    """Parameters, places and rules; `traced` is the number of commands for which a channel has room.

    `given` stands in for the rules of the memory, to see what a wrong one does.
    """
    t = build_timing(memory, pim)
    never, others = _never_issued(pim), memory.organization.ranks - 1
    rules = sorted(rules_of(memory, pim) if given is None else given, key=lambda rule: rule.before)
    rules = [rule for rule in rules if not never & {rule.before, rule.after}]
    ranks = [range(others if rule.scope == "other_ranks" else 1) for rule in rules]
    rules = [rule for rule, each in zip(rules, ranks, strict=True) for _ in each]
    width = _operands(memory, pim) + 1
    gaps = gap_table([rule.gap for rule in rules], t, width - 1)
    untils = gap_table([rule.until or "-1" for rule in rules], t, width - 1)
    values = {**_memory_parameters(memory, t), **_pim_parameters(pim, t), at.P_TRACE: int(traced > 0)}
    values |= _places(memory, pim, traced) | {at.O_WIDTH: width}
    tables = [gaps, untils, _results(pim, t, width), *_bank_tables(memory, values)]
    start = at.CONSTANTS
    for place, table in zip(TABLES, tables, strict=True):
        values[place] = start
        start += np.size(table)
    values[at.O_RULES] = start
    tables.append(_rule_rows(rules, gaps, values, [rank for each in ranks for rank in each]))
    k = np.zeros(at.CONSTANTS, np.int64)
    k[list(values)] = list(values.values())
    before = [int(rule.before) for rule in rules]
    k[at.P_CLOSES_IN_LINE] = (k[at.P_EXACT] or not k[at.P_COMPLETE_ROWS]) and _close_in_line(k, rules, gaps)
    k[at.P_AFTER_READ] = min(_least_gap(rules, gaps, Command.RD, after) for after in (Command.RD, Command.WR))
    k[at.P_AFTER_WRITE] = _least_gap(rules, gaps, Command.WR, Command.WR)
    k[at.RULE_FIRST : at.RULE_FIRST + at.KINDS + 1] = np.searchsorted(before, np.arange(at.KINDS + 1))
    return np.concatenate([k, *(np.ravel(table).astype(np.int64) for table in tables)])


def build_channels(memory: MemorySpec, pim: PimSpec | None, k: Array) -> Array:
    """State of all channels [channel, place]: banks closed, nothing queued, cycle 0."""
    channels = np.zeros((memory.organization.channels, int(k[at.O_SIZE])), np.int64)
    banks = memory.organization.banks
    channels[:, [at.S_LOCK_BANK, at.S_RESERVED, at.S_GWRITE_BANK, at.S_GWRITE_END]] = -1
    channels[:, at.DARK_FROM : at.DARK_FROM + at.KINDS] = 1
    for place in (at.O_MEMORY_ROW, at.O_PIM_ROW, at.O_FIRST_READ, at.O_FIRST_WRITE, at.O_WITHOUT):
        channels[:, k[place] : k[place] + banks] = at.CLOSED
    channels[:, at.S_OWN_WAKE] = at.FAR
    channels[:, at.S_NEXT_TICK] = k[at.P_TICK] if k[at.P_REFRESH] else at.FAR
    return channels


def _operands(memory: MemorySpec, pim: PimSpec | None) -> int:
    """Largest operand of a command: the MACs that one row of 2-byte elements holds."""
    return 1 if pim is None else memory.organization.row_bytes // 2 // pim.macs_per_bank


def _never_issued(pim: PimSpec | None) -> set[Command]:
    if pim is None:
        return set()
    return {Command.PIM_MAC, Command.PIM_READ} if pim.composite_gemv else {Command.PIM_GEMV}


def _rule_rows(rules: list[Rule], gaps: list[list[int]], places: dict[int, int], ranks: list[int]) -> list[list[int]]:
    return [
        [
            places[ROWS[rule.scope]] + rank * places[at.P_BANKS],
            rule.after,
            gap[0],
            int(len(set(gap)) > 1 or rule.until is not None),
        ]
        for rule, gap, rank in zip(rules, gaps, ranks, strict=True)
    ]


def _least_gap(rules: list[Rule], gaps: list[list[int]], before: Command, after: Command) -> int:
    """Cycles that `after` waits for `before`, in whatever bank."""
    own: dict[Scope, int] = {
        rule.scope: gap[0]
        for rule, gap in zip(rules, gaps, strict=True)
        if (rule.before, rule.after) == (before, after)
    }
    everywhere = own.get("channel", 1)
    return max(1, everywhere, min(own.get("rank", 1), own.get("other_ranks", 1)))


def _close_in_line(k: Array, rules: list[Rule], gaps: list[list[int]]) -> bool:
    """Whether rows can be closed one in a cycle, and hold up activations no longer than tRP, each in its own bank."""
    close = Command.PIM_PRE if k[at.P_DUAL] else Command.PRE
    for rule, gap in zip(rules, gaps, strict=True):
        if rule.before == close and rule.after in (close, Command.PIM_ACT):
            own_bank = rule.after == Command.PIM_ACT and rule.scope == "bank"
            if max(gap) > (k[at.P_RP] if own_bank else 1):
                return False
    return True


def _bank_tables(memory: MemorySpec, places: dict[int, int]) -> list[Array]:
    """For each bank its rank, its group, and where the gates of both, its own, the channel's and other ranks' are.

    Then the banks of each rank, as bits.
    """
    org = memory.organization
    bank = np.arange(org.banks, dtype=np.int64)
    group = bank // org.banks_per_group
    rank = group // org.bank_groups
    gates = ((rank, at.O_RANK_GATE), (group, at.O_GROUP_GATE), (bank, at.O_BANK_GATE))
    channel = np.full(org.banks, at.CHANNEL_GATE)
    others = [places[at.O_RANK_GATE] + (rank + more) % org.ranks * at.KINDS for more in range(1, org.ranks)]
    words = -(-org.banks // at.WORD)
    bits = np.zeros((org.ranks, words), np.int64)
    np.add.at(bits, (rank, bank // at.WORD), 1 << bank % at.WORD)
    return [
        rank,
        group,
        *(places[place] + number * at.KINDS for number, place in gates),
        channel,
        np.array(others),
        bits,
    ]


def _results(pim: PimSpec | None, t: Timing, width: int) -> Array:
    results = np.zeros((at.KINDS, width), np.int64)
    if pim is not None:
        results[Command.PIM_READ] = gap_table([RESULT["issue"]], t, width - 1)[0]
        results[Command.PIM_GEMV] = gap_table([RESULT[pim.gemv_end]], t, width - 1)[0]
    return results


def _places(memory: MemorySpec, pim: PimSpec | None, traced: int) -> dict[int, int]:
    """Where each table of a channel's state starts."""
    org, limits = memory.organization, memory.controller
    banks, single = org.banks, pim is not None and pim.row_buffers == "single"
    words, lines = -(-banks // at.WORD), _line_words(limits)
    sizes = {
        at.O_RANK_GATE: org.ranks * at.KINDS,
        at.O_GROUP_GATE: org.ranks * org.bank_groups * at.KINDS,
        at.O_BANK_GATE: banks * at.KINDS,
        at.O_ACTS: org.ranks * 4,
        at.O_ACTS_N: org.ranks,
        at.O_MEMORY_ROW: banks,
        at.O_PIM_ROW: 0 if single else banks,
        at.O_HITS: banks,
        at.O_QUEUE: banks * limits.bank_queue,
        at.O_QUEUE_BLOCK: banks * limits.bank_queue,
        at.O_QUEUE_HEAD: banks,
        at.O_QUEUE_N: banks,
        at.O_QUEUE_WRITES: banks,
        at.O_QUEUE_FEEDS: banks,
        at.O_FIRST_READ: banks,
        at.O_FIRST_WRITE: banks,
        at.O_BANK_WAKE: banks,
        at.O_BANK_KIND: banks,
        at.O_AWAKE: words,
        at.O_ASLEEP: words,
        at.O_IN_QUEUE: words,
        at.O_PIM_OPEN: words,
        at.O_OPEN_ROWS: at.OPEN_ROWS,
        at.O_AWAITS: at.AWAITED * words,
        at.O_WANTED: at.WANTED,
        at.O_WITHOUT: banks,
        at.O_READS: lines[0] * at.LINE_WORD * at.FIELDS,
        at.O_WRITES: lines[1] * at.LINE_WORD * at.FIELDS,
        at.O_READS_TAKEN: lines[0],
        at.O_WRITES_TAKEN: lines[1],
        at.O_READS_MOVABLE: lines[0],
        at.O_WRITES_MOVABLE: lines[1],
        at.O_READS_OF_BANK: banks * lines[0],
        at.O_WRITES_OF_BANK: banks * lines[1],
        at.O_WAITING: (pim.queue if pim else 0) * at.FIELDS,
        at.O_COMMANDS: (pim.command_queue if pim else 0) * at.FIELDS,
        at.O_RETURNS: limits.outstanding + 1,
        at.O_ACKS: limits.outstanding + 1,
        at.O_RETURN_BLOCK: limits.outstanding + 1 if limits.responses_per_cycle else 0,
        at.O_ACK_BLOCK: limits.outstanding + 1 if limits.responses_per_cycle else 0,
        at.O_BACKLOG: 4 * limits.outstanding if limits.responses_per_cycle else 0,
        at.O_TRACE: traced * at.TRACED,
        at.O_FILTER: at.FILTER,
        at.O_FED_ROWS: at.FED_ROWS,
        at.O_SPANS: 2 * at.SPANS if pim is not None and pim.front_end.path == "shared" else 0,
        at.O_MERGED: limits.outstanding * at.MERGED if limits.merge_duplicates else 0,
    }
    starts, start = {}, at.SCALARS
    for place, size in sizes.items():
        starts[place] = start
        start += size
    if single:
        starts[at.O_PIM_ROW] = starts[at.O_MEMORY_ROW]
    return {**starts, at.O_SIZE: start, at.O_WORDS: words}


def _line_words(limits: Controller) -> tuple[int, int]:
    """Words of the lines of reads and writes, with two places for each."""
    reads, writes = (-(-2 * places // at.LINE_WORD) for places in (limits.read_queue, limits.write_buffer))
    return reads, writes


def _memory_parameters(memory: MemorySpec, t: Timing) -> dict[int, int]:
    org, limits = memory.organization, memory.controller
    latency = t["tCL"] + t["tBURST"]
    lines = _line_words(limits)
    most = limits.read_queue + org.banks * limits.bank_queue + latency + 4 * limits.accepts_per_cycle
    return {
        at.P_BANKS: org.banks,
        at.P_RANKS: org.ranks,
        at.P_GROUPS: org.ranks * org.bank_groups,
        at.P_PER_GROUP: org.banks_per_group,
        at.P_PER_RANK: org.bank_groups * org.banks_per_group,
        at.P_READ_WORDS: lines[0],
        at.P_WRITE_WORDS: lines[1],
        at.P_READ_QUEUE: limits.read_queue,
        at.P_WRITE_BUFFER: limits.write_buffer,
        at.P_BANK_QUEUE: limits.bank_queue,
        at.P_OUTSTANDING: limits.outstanding,
        at.P_TRACK_RETURNS: int(
            most >= limits.outstanding or limits.merge_duplicates or limits.responses_per_cycle is not None
        ),
        at.P_RESPONSES: limits.responses_per_cycle or 0,
        at.P_BACKLOG: 4 * limits.outstanding,
        at.P_MERGE: int(limits.merge_duplicates),
        at.P_RETURNS: limits.outstanding + 1,
        at.P_ACKS: limits.outstanding + 1,
        at.P_ACCEPTS: limits.accepts_per_cycle,
        at.P_ROW_HITS: limits.row_hit_limit,
        at.P_DRAIN_ABOVE: limits.drain_above,
        at.P_REFRESH: int(limits.refresh != "off"),
        at.P_POSTPONE: limits.refresh_postpone,
        at.P_READ_LATENCY: latency,
        at.P_TICK: t["tREFTICK"],
        **{getattr(at, f"P_{name}"): t[f"t{name}"] for name in ("RP", "RCD", "RCDWR", "RTP", "FAW", "MAC")},
        at.P_CCDO: t["tCCDO"],
        at.P_CCDR: t["tCCDR"],
    }


def _pim_parameters(pim: PimSpec | None, t: Timing) -> dict[int, int]:
    if pim is None:
        return {at.P_RATE_DEN: 1}
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
        at.P_OVERLAP: int(pim.gwrite_overlap),
        at.P_ORDERED: int(pim.ordered_writes),
        at.P_IN_LINE: int(pim.front_end.path == "shared"),
        at.P_TREE: t["nTREE"],
        at.P_GWRITE: t["tGWRITE"],
    }
