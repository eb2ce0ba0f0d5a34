"""Audits what pairs of commands cannot say: activation window, data bus, refresh, and the command bus."""

from collections import deque
from collections.abc import Iterable, Iterator

from neupims.hardware.pim import PimSpec
from neupims.isa.commands import Command
from neupims.machine.dram.checker_gaps import skips_own_group
from neupims.machine.dram.checker_terms import NEVER, Clocks, Finding, Geometry, Issue

WINDOW = 4
"""Activations that a rank may have in one tFAW; a PIM_ACT may count as so many."""

POSTPONED = 9
"""Longest time between two refreshes of a rank, in tREFI: JEDEC lets eight of them wait."""


class CommandBus:
    """One command per cycle, in order."""

    def __init__(self) -> None:
        self.last: Issue | None = None

    def audit(self, issue: Issue) -> Iterable[Finding]:
        """Whether the command bus is free."""
        last, self.last = self.last, issue
        if last is None or issue.cycle > last.cycle:
            return ()
        if issue.cycle == last.cycle:
            return (Finding("one command per cycle", f"{issue} shares its cycle with {last}"),)
        return (Finding("order", f"{issue} is recorded after {last}"),)


class ActivationWindow:
    """tFAW: the fifth activation of a rank comes at least tFAW after the first."""

    def __init__(self, clocks: Clocks, geometry: Geometry, pim: PimSpec | None) -> None:
        self.faw, self.geometry = clocks.faw, geometry
        self.weights = {Command.ACT: 1}
        if pim and pim.activation_window == "shared":
            self.weights[Command.PIM_ACT] = WINDOW
        self.recent = [deque([NEVER] * WINDOW, WINDOW) for _ in range(geometry.ranks)]

    def audit(self, issue: Issue) -> Iterator[Finding]:
        """Whether the window has room for the activations of the command."""
        if issue.command not in self.weights:
            return
        weight = self.weights[issue.command]
        recent = self.recent[self.geometry.rank(issue.bank)]
        since = recent[weight - WINDOW - 1]
        if issue.cycle - since < self.faw:
            what = f"makes more than {WINDOW} activations of its rank within {issue.cycle - since} cycles"
            yield Finding("tFAW", f"{issue} {what}, counted from cycle {since}; tFAW asks for {self.faw}")
        recent.extend([issue.cycle] * weight)


class DataBus:
    """Bursts do not overlap, and a result, which comes from all ranks, keeps tRTRS from any other read.

    Where MACs, as published, keep no gap to any access (one bank group), their results may overlap other bursts.
    """

    def __init__(self, clocks: Clocks, geometry: Geometry, pim: PimSpec | None) -> None:
        self.clocks, self.ranks = clocks, geometry.ranks
        grouped = geometry.banks_per_rank > geometry.banks_per_group
        self.shared = pim is None or grouped or not skips_own_group(pim)
        self.after_macs = pim is not None and pim.gemv_end == "last_mac"
        self.adder_tree = pim.adder_tree_macs if pim else 0
        self.bursts: deque[tuple[int, Issue]] = deque()
        self.results: deque[tuple[int, Issue]] = deque()

    def audit(self, issue: Issue) -> Iterator[Finding]:
        """Whether the data bus is free for the burst that the command will cause."""
        start = self._start(issue)
        if start is None:
            return
        is_result = issue.command in (Command.PIM_READ, Command.PIM_GEMV)
        for kind in (self.bursts, self.results):
            self._forget(kind, issue.cycle)
            for other_start, other in kind if self.shared or is_result == (kind is self.results) else ():
                yield from self._clash(issue, start, other, other_start, is_result != (kind is self.results))
        (self.results if is_result else self.bursts).append((start, issue))

    def _start(self, issue: Issue) -> int | None:
        match issue.command:
            case Command.RD | Command.PIM_READ:
                return issue.cycle + self.clocks.cl
            case Command.WR:
                return issue.cycle + self.clocks.cwl
            case Command.PIM_GEMV:
                macs = max(issue.macs, self.adder_tree) if self.after_macs else 0
                return issue.cycle + self.clocks.column * macs + self.clocks.cl
            case _:
                return None

    def _forget(self, kind: deque[tuple[int, Issue]], now: int) -> None:
        soonest = now + min(self.clocks.cl, self.clocks.cwl)
        while kind and kind[0][0] + self.clocks.burst + self.clocks.rtrs <= soonest:
            kind.popleft()

    def _clash(self, issue: Issue, start: int, other: Issue, other_start: int, mixed: bool) -> Iterator[Finding]:
        apart = abs(start - other_start)
        turn = self.after_macs and mixed and self.ranks > 1 and Command.WR not in (issue.command, other.command)
        need = self.clocks.burst + (self.clocks.rtrs if turn else 0)
        if apart < need:
            rule = "result bus" if turn else "data bus"
            bursts = f"starts its burst {apart} cycles from that of {other}, at cycle {other_start}"
            yield Finding(rule, f"{issue} {bursts}; the {rule} asks for {need}")


class TileFits:
    """A tile fits between refreshes: it ends, undisturbed, before one more is due than may be postponed.

    Refreshes are due at all multiples of tREFI / ranks, rank after rank.
    """

    def __init__(self, clocks: Clocks, geometry: Geometry, pim: PimSpec | None, rows: list[int], postpone: int) -> None:
        self.clocks, self.geometry, self.rows, self.postpone, self.done = clocks, geometry, rows, postpone, 0
        self.exact = pim is not None and pim.deadline == "exact"
        self.interval = clocks.refi // geometry.ranks

    def audit(self, issue: Issue) -> Iterator[Finding]:
        """Whether the tile that a PIM_HEADER announces can have ended in time."""
        self.done += issue.command == Command.REF
        if not self.exact or issue.command != Command.PIM_HEADER:
            return
        due = issue.cycle // self.interval - self.done
        more = max(self.postpone - due, 0)
        left, least = (more + 1) * self.interval - issue.cycle % self.interval, self._least(issue)
        if least > left:
            tile = f"announces a tile of at least {least} cycles"
            yield Finding("tile fits", f"{issue} {tile}, but a refresh is due in {left}")

    def _least(self, issue: Issue) -> int:
        """Cycles of its activations, one per rank and tFAW, and of its MACs."""
        groups = range(0, self.geometry.banks, self.geometry.banks_per_group)
        closed = [first for first in groups if any(self.rows[b] != issue.row for b in self.geometry.group_of(first))]
        per_rank = [sum(self.geometry.rank(b) == rank for b in closed) for rank in range(self.geometry.ranks)]
        opening = 1 + (max(per_rank) - 1) * self.clocks.faw + self.clocks.rcd_rd if closed else 0
        return opening + self.clocks.column * issue.macs


class Refresh:
    """No rank waits longer for its refresh than the standard lets refreshes be postponed."""

    def __init__(self, clocks: Clocks, geometry: Geometry, on: bool) -> None:
        self.limit, self.geometry, self.on = POSTPONED * clocks.refi, geometry, on
        self.last = [NEVER] * geometry.ranks

    def audit(self, issue: Issue) -> Iterator[Finding]:
        """Whether a refresh comes in time; time starts with the first command of the channel."""
        if self.on and self.last[0] == NEVER:
            self.last = [issue.cycle] * self.geometry.ranks
        if self.on and issue.command == Command.REF:
            rank = self.geometry.rank(issue.bank)
            yield from self._late(issue, rank)
            self.last[rank] = issue.cycle

    def finish(self, issue: Issue) -> Iterator[Finding]:
        """Ranks that wait too long at the last command of the channel."""
        for rank in range(self.geometry.ranks) if self.on else ():
            yield from self._late(issue, rank)

    def _late(self, issue: Issue, rank: int) -> Iterator[Finding]:
        waited = issue.cycle - self.last[rank]
        if waited > self.limit:
            limit = f"{POSTPONED} tREFI are {self.limit}"
            yield Finding("tREFI", f"{issue} finds rank {rank} without a refresh for {waited} cycles; {limit}")
