"""Audits states: which command exists, which row each row buffer holds, and how far the tile at hand is."""

from collections.abc import Callable, Iterable, Iterator

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.checker_terms import CLOSED, Finding, Geometry, Issue

Audit = Callable[[Issue], Iterable[Finding]]

MEMORY_COMMANDS = frozenset({Command.ACT, Command.PRE, Command.RD, Command.WR, Command.REF})
EVERYWHERE = frozenset({Command.PIM_MAC, Command.PIM_READ, Command.PIM_GEMV, Command.PIM_HEADER})
NO_ROW = frozenset({Command.PRE, Command.REF, Command.PIM_PRE, Command.PIM_MAC, Command.PIM_READ, Command.PIM_GEMV})


def command_set(pim: PimSpec | None) -> frozenset[Command]:
    """Commands that a memory with this PIM, or without any, understands."""
    if pim is None:
        return MEMORY_COMMANDS
    columns = {Command.PIM_GEMV} if pim.composite_gemv else {Command.PIM_MAC, Command.PIM_READ}
    closing = {Command.PIM_PRE} if pim.row_buffers == "dual" else set[Command]()
    return MEMORY_COMMANDS | {Command.PIM_GWRITE, Command.PIM_HEADER, Command.PIM_ACT} | columns | closing


class Addresses:
    """Checks that a command exists here, and that bank and row are such as it may name."""

    def __init__(self, memory: MemorySpec, pim: PimSpec | None, geometry: Geometry) -> None:
        steps = {"bank": 1, "bank_group": geometry.banks_per_group, "all": 0}
        step = dict.fromkeys(Command, 1) | dict.fromkeys(EVERYWHERE, 0)
        step |= {Command.PIM_ACT: geometry.banks_per_group, Command.REF: geometry.banks_per_rank}
        step[Command.PIM_PRE] = steps[pim.precharge_scope] if pim else 1
        self.banks = [range(0, geometry.banks, step[c]) if step[c] else range(-1, 0) for c in Command]
        self.rows = range(memory.organization.rows)
        self.known = command_set(pim)

    def audit(self, issue: Issue) -> Finding | None:
        """What is wrong with the command as it stands, whatever came before."""
        if issue.command not in self.known:
            return Finding("command set", f"{issue}: this memory does not have the command")
        banks = self.banks[issue.command]
        if issue.bank not in banks:
            return Finding("address", f"{issue}: bank must be one of {list(banks)}")
        if issue.command not in NO_ROW and issue.row not in self.rows:
            return Finding("address", f"{issue}: row {issue.row} must be from 0 to {self.rows[-1]}")
        return None


class Tile:
    """The GEMV tile at hand: announced by a header, complete when its MACs are done and read."""

    def __init__(self, pim: PimSpec | None) -> None:
        self.row, self.announced, self.done = CLOSED, 0, 0
        self.running = self.opened = self.cut = False
        self.exact = pim is not None and pim.deadline == "exact"
        blocked = [Command.ACT, Command.RD, Command.WR] if pim and pim.row_buffers == "single" else []
        self.audits: dict[Command, Audit] = {
            Command.PIM_HEADER: self._header,
            Command.PIM_GWRITE: self._next,
            Command.PIM_ACT: self._open,
            Command.PIM_MAC: self._column,
            Command.PIM_READ: self._column,
            Command.PIM_GEMV: self._column,
            Command.REF: self._refresh,
            **dict.fromkeys(blocked, self._blocked),
        }

    def audit(self, issue: Issue) -> Iterable[Finding]:
        """Whether the command has its place in the order of tiles."""
        audit = self.audits.get(issue.command)
        return audit(issue) if audit else ()

    def _next(self, issue: Issue) -> Iterator[Finding]:
        if self.running:
            left = f"{self.done} of {self.announced} announced MACs are done and read"
            yield Finding("tile complete", f"{issue} comes while the tile of row {self.row} runs: {left}")

    def _header(self, issue: Issue) -> Iterator[Finding]:
        yield from self._next(issue)
        if issue.macs < 1:
            yield Finding("header", f"{issue} announces {issue.macs} MACs; a tile has at least one")
        self.row, self.announced, self.done = issue.row, issue.macs, 0
        self.running, self.opened, self.cut = True, False, False

    def _open(self, _: Issue) -> Iterable[Finding]:
        self.opened = self.running
        return ()

    def _column(self, issue: Issue) -> Iterator[Finding]:
        macs = {Command.PIM_MAC: 1, Command.PIM_READ: 0}.get(issue.command, issue.macs)
        if issue.command == Command.PIM_GEMV and macs < 1:
            yield Finding("header", f"{issue} has {macs} MACs; a result has at least one")
        if not self.running:
            yield Finding("header", f"{issue} belongs to no tile: no PIM_HEADER since the last one was complete")
        elif self.done + macs > self.announced:
            yield Finding("header", f"{issue} exceeds its tile: {self.done + macs} MACs, {self.announced} announced")
        self.done += macs
        self.opened = self.running
        self.running &= issue.command == Command.PIM_MAC or self.done < self.announced

    def _refresh(self, issue: Issue) -> Iterator[Finding]:
        self.cut = self.running
        if self.exact and self.running and self.opened:
            yield Finding("tile cut", f"{issue} comes between the first PIM_ACT and the last result of a tile")

    def _blocked(self, issue: Issue) -> Iterator[Finding]:
        if self.running:
            yield Finding("blocked mode", f"{issue} comes between PIM_HEADER and the last result of its tile")


class Rows:
    """The row in each row buffer of each bank; with one buffer per bank both sides are the same list."""

    def __init__(self, geometry: Geometry, pim: PimSpec | None, tile: Tile) -> None:
        self.geometry, self.tile = geometry, tile
        self.memory = [CLOSED] * geometry.banks
        self.dual = pim is not None and pim.row_buffers == "dual"
        self.pim = [CLOSED] * geometry.banks if self.dual else self.memory
        self.scope = pim.precharge_scope if pim else "bank"
        self.reopens = pim is not None and pim.row_timing == "published"
        self.may_be_cut = pim is not None and pim.deadline == "published"
        audits: dict[Command, Audit] = {
            Command.ACT: self._activate,
            Command.PRE: self._precharge,
            Command.REF: self._refresh,
            Command.PIM_HEADER: self._header,
            Command.PIM_ACT: self._activate_group,
            Command.PIM_PRE: self._precharge_pim,
        }
        columns: Audit = self._all_banks
        audits |= dict.fromkeys((Command.PIM_MAC, Command.PIM_READ, Command.PIM_GEMV), columns)
        self.audits = [audits.get(command, self._one_bank) for command in Command]

    def audit(self, issue: Issue) -> Iterable[Finding]:
        """Whether the row buffers are as the command needs them."""
        return self.audits[issue.command](issue)

    def _one_bank(self, issue: Issue) -> Iterator[Finding]:
        held = self.memory[issue.bank]
        if held != issue.row:
            yield Finding("row open", f"{issue} needs row {issue.row}, but the bank has {_held(held)}")

    def _all_banks(self, issue: Issue) -> Iterator[Finding]:
        """Published: a refresh may come between the last PIM_MAC and its PIM_READ, which needs no row."""
        row = self.tile.row
        if self.may_be_cut and issue.command == Command.PIM_READ:
            return
        if row != CLOSED and self.pim.count(row) != len(self.pim):
            bank = next(bank for bank, held in enumerate(self.pim) if held != row)
            state = f"bank {bank} has {_held(self.pim[bank])}"
            yield Finding("row open", f"{issue} needs row {row} in all banks, but {state}")

    def _activate(self, issue: Issue) -> Iterator[Finding]:
        yield from self._needs_closed(issue, "memory", self.memory, (issue.bank,))
        yield from self._needs_other_row(issue, "PIM", self.pim, (issue.bank,))
        self.memory[issue.bank] = issue.row

    def _activate_group(self, issue: Issue) -> Iterator[Finding]:
        """Published: banks that hold the row may stay open if another one is closed; memory may open a cut tile's."""
        banks = self.geometry.group_of(issue.bank)
        others = [bank for bank in banks if not self.reopens or self.pim[bank] != issue.row]
        yield from self._needs_closed(issue, "PIM", self.pim, others or banks)
        if not (self.may_be_cut and self.tile.cut):
            yield from self._needs_other_row(issue, "memory", self.memory, banks)
        for bank in banks:
            self.pim[bank] = issue.row

    def _precharge(self, issue: Issue) -> Iterator[Finding]:
        if self.memory[issue.bank] == CLOSED:
            yield Finding("bank open", f"{issue} closes a memory-side row buffer that is closed")
        self.memory[issue.bank] = CLOSED

    def _precharge_pim(self, issue: Issue) -> Iterator[Finding]:
        reach = {"bank": range(issue.bank, issue.bank + 1), "all": range(self.geometry.banks)}
        banks = reach.get(self.scope) or self.geometry.group_of(issue.bank)
        if all(self.pim[bank] == CLOSED for bank in banks):
            yield Finding("bank open", f"{issue} closes PIM-side row buffers that are all closed")
        for bank in banks:
            self.pim[bank] = CLOSED

    def _refresh(self, issue: Issue) -> Iterator[Finding]:
        banks = self.geometry.rank_of(issue.bank)
        yield from self._needs_closed(issue, "memory", self.memory, banks)
        if self.dual:
            yield from self._needs_closed(issue, "PIM", self.pim, banks)

    def _header(self, issue: Issue) -> Iterator[Finding]:
        for bank, held in enumerate(self.pim):
            if held not in (CLOSED, issue.row):
                yield Finding("stale row", f"{issue} announces row {issue.row}, but bank {bank} has {_held(held)}")
                return

    def _needs_closed(self, issue: Issue, side: str, rows: list[int], banks: Iterable[int]) -> Iterator[Finding]:
        for bank in banks:
            if rows[bank] != CLOSED:
                state = f"bank {bank} has {_held(rows[bank])} in its {side}-side row buffer"
                yield Finding("bank closed", f"{issue} needs closed row buffers, but {state}")
                return

    def _needs_other_row(self, issue: Issue, side: str, rows: list[int], banks: Iterable[int]) -> Iterator[Finding]:
        for bank in banks if self.dual else ():
            if rows[bank] == issue.row:
                state = f"the {side}-side row buffer of bank {bank} has it open"
                yield Finding("row in one buffer", f"{issue} opens row {issue.row}, but {state}")
                return


def _held(row: int) -> str:
    return "no row open" if row == CLOSED else f"row {row} open"
