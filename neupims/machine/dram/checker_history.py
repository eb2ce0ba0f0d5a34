"""Audits the gaps: remembers when each event last happened at each place of a channel."""

from collections.abc import Callable, Iterator

from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.checker_gaps import EVENTS, FIRST_CLOSED, FIRST_MAC, LAST_MAC, Gap, Scope
from neupims.machine.dram.checker_terms import NEVER, Clocks, Finding, Geometry, Issue

Places = tuple[int, ...]


class Map:
    """Numbers the places of a channel: its banks, then its bank groups, its ranks, and the channel itself."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.channel = geometry.banks + geometry.groups + geometry.ranks

    def group(self, bank: int) -> int:
        """Place of the bank group of `bank`."""
        return self.geometry.banks + self.geometry.group(bank)

    def rank(self, bank: int) -> int:
        """Place of the rank of `bank`."""
        return self.geometry.banks + self.geometry.groups + self.geometry.rank(bank)

    def seen_from(self, scope: Scope) -> list[Places]:
        """Places where an earlier event counts, by the bank of the later command (channel: any, -1 too)."""
        return [self._seen(scope, bank) for bank in range(self.geometry.banks)]

    def _seen(self, scope: Scope, bank: int) -> Places:
        if scope == "other":
            firsts = range(0, self.geometry.banks, self.geometry.banks_per_rank)
            return tuple(self.rank(first) for first in firsts if self.rank(first) != self.rank(bank))
        if scope == "some":
            return tuple(self.geometry.group_of(bank))
        return ({"bank": bank, "group": self.group(bank), "rank": self.rank(bank), "channel": self.channel}[scope],)

    def touched_by(self, command: Command) -> list[Places]:
        """Places where a command happens, by its bank; the last entry is also that of bank -1."""
        return [self._touched(command, bank) for bank in range(self.geometry.banks)]

    def _touched(self, command: Command, bank: int) -> Places:
        around = (self.group(bank), self.rank(bank), self.channel)
        match command:
            case Command.REF:
                return around[1:]
            case Command.PIM_ACT:
                return (*self.geometry.group_of(bank), *around)
            case Command.PIM_READ:  # its address is that of the first bank
                return (self.rank(0), self.channel)
            case Command.PIM_MAC | Command.PIM_GEMV | Command.PIM_HEADER:
                return (self.channel,)
            case _:
                return (bank, *around)


class History:
    """Checks each command against the last events before it, then remembers it."""

    def __init__(self, rules: tuple[tuple[Gap, ...], ...], geometry: Geometry, clocks: Clocks, pim: PimSpec | None):
        self.geometry, self.clocks, self.pim = geometry, clocks, pim
        self.map = Map(geometry)
        self.touched = [self.map.touched_by(command) for command in Command]
        checks = [[(gap, self.map.seen_from(gap.scope)) for gap in rows] for rows in rules]
        self.checks = [[check for check in row if check[0].scope != "some"] for row in checks]
        self.lenient = [[check for check in row if check[0].scope == "some"] for row in checks]
        self.last = [[NEVER] * (self.map.channel + 1) for _ in EVENTS]
        self.special: dict[Command, Callable[[Issue], None]] = {
            Command.PIM_GEMV: self._end_of_macs,
            Command.PIM_MAC: self._first_mac,
            Command.PIM_PRE: self._close,
        }

    def audit(self, issue: Issue) -> Iterator[Finding]:
        """Gaps that the command does not keep."""
        for gap, seen in self.checks[issue.command]:
            for place in seen[issue.bank]:
                since = self.last[gap.event][place]
                if issue.cycle - since < gap.cycles:
                    yield Finding(gap.rule, _sentence(issue, gap, since))
        for gap, seen in self.lenient[issue.command]:
            since = min(self.last[gap.event][place] for place in seen[issue.bank])
            if issue.cycle - since < gap.cycles:
                yield Finding(gap.rule, _sentence(issue, gap, since))
        self._remember(issue)

    def _remember(self, issue: Issue) -> None:
        if issue.command in self.special:
            self.special[issue.command](issue)
        if issue.command != Command.PIM_PRE:
            last = self.last[issue.command]
            for place in self.touched[issue.command][issue.bank]:
                last[place] = issue.cycle

    def _end_of_macs(self, issue: Issue) -> None:
        assert self.pim is not None
        macs = max(issue.macs, self.pim.adder_tree_macs)
        self.last[LAST_MAC][self.map.channel] = issue.cycle + self.clocks.column * macs

    def _first_mac(self, issue: Issue) -> None:
        channel = self.map.channel
        since = max(self.last[Command.PIM_READ][channel], self.last[Command.PIM_HEADER][channel])
        if self.last[FIRST_MAC][channel] <= since:
            self.last[FIRST_MAC][channel] = issue.cycle

    def _close(self, issue: Issue) -> None:
        """Only a row buffer that is open, that is activated since it was closed, starts to precharge."""
        opened, closed, first = (self.last[event] for event in (Command.PIM_ACT, Command.PIM_PRE, FIRST_CLOSED))
        for bank in self._reach(issue.bank):
            if opened[bank] > closed[bank]:
                if first[self.map.group(bank)] < opened[bank]:
                    first[self.map.group(bank)] = issue.cycle
                for place in self.touched[Command.PIM_PRE][bank]:
                    closed[place] = issue.cycle

    def _reach(self, bank: int) -> range:
        assert self.pim is not None
        if self.pim.precharge_scope == "all":
            return range(self.geometry.banks)
        return self.geometry.group_of(bank) if self.pim.precharge_scope == "bank_group" else range(bank, bank + 1)


def _sentence(issue: Issue, gap: Gap, since: int) -> str:
    found = issue.cycle - since
    when = f"{found} cycles after" if found >= 0 else f"{-found} cycles before"
    return f"{issue} comes {when} {EVENTS[gap.event]} at cycle {since}; {gap.rule} asks for {gap.cycles}"
