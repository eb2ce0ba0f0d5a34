"""What waits in one channel: requests, PIM transactions and commands, as plain records."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from neupims.isa.commands import Command
from neupims.isa.memory import GWRITE


@dataclass(slots=True, eq=False)
class Access:
    """One burst to read or write."""

    bank: int
    row: int
    column: int
    write: bool
    feeds_pim: bool
    block: int
    since: int = -1
    """Cycle in which it was accepted."""

    @property
    def address(self) -> tuple[int, int, int]:
        """What identifies the burst."""
        return self.bank, self.row, self.column

    @property
    def command(self) -> Command:
        """RD or WR."""
        return Command.WR if self.write else Command.RD


@dataclass(slots=True, eq=False)
class PimTransaction:
    """One PIM command as the core sends it."""

    command: Command
    bank: int
    row: int
    macs: int
    """PIM_GEMV: its MACs. PIM_HEADER: MACs of one group. PIM_MAC: 1 for the first of a group."""
    groups: int
    """PIM_HEADER: result groups of the tile. PIM_GWRITE: first burst of its source."""
    block: int
    last: bool
    """Whether it ends its tile."""
    gate: int
    since: int = -1
    """Cycle in which it was accepted."""


@dataclass(slots=True)
class Port:
    """An unbounded in-order queue of bursts from the core."""

    runs: deque[Any] = field(default_factory=deque[Any])
    done: int = 0
    """Bursts of the first run that have been handed over."""
    tickets: deque[int] = field(default_factory=deque[int])

    def append(self, runs: NDArray[Any], ticket: int = 0) -> None:
        """Queue RUN records of this channel; `ticket` tells their place among all that the channel was given."""
        self.runs.extend(runs)
        self.tickets.extend([ticket] * len(runs))

    def head(self) -> Access | None:
        """The next burst."""
        if not self.runs:
            return None
        run = self.runs[0]
        column = int(run["column"]) + self.done
        write, feeds = bool(run["write"]), bool(run["feeds_pim"])
        return Access(int(run["bank"]), int(run["row"]), column, write, feeds, int(run["block"]))

    def pop(self) -> None:
        """The next burst has been handed over."""
        self.done += 1
        if self.done == self.runs[0]["bursts"]:
            self.runs.popleft()
            self.tickets.popleft()
            self.done = 0


@dataclass(slots=True)
class PimPort:
    """The in-order PIM program of a channel, spelled out into transactions."""

    composite: bool
    waiting: deque[PimTransaction] = field(default_factory=deque[PimTransaction])
    tickets: deque[int] = field(default_factory=deque[int])

    def append(self, instructions: NDArray[Any], ticket: int = 0) -> None:
        """Queue INSTRUCTION records of this channel; `ticket` as for runs."""
        for instruction in instructions:
            self.waiting.extend(spell_out(instruction, self.composite))
        self.tickets.extend([ticket] * (len(self.waiting) - len(self.tickets)))

    def before(self, port: Port) -> bool:
        """Whether the next transaction came before the next burst of a port."""
        return bool(self.tickets) and (not port.tickets or self.tickets[0] < port.tickets[0])

    def pop(self) -> None:
        """The next transaction has been handed over."""
        self.waiting.popleft()
        self.tickets.popleft()


def spell_out(instruction: Any, composite: bool) -> Iterator[PimTransaction]:
    """PIM transactions of one INSTRUCTION: a GWRITE, or a header and its groups."""
    kind, bank, row, groups, macs, block, gate, header = (
        int(instruction[name]) for name in ("kind", "bank", "row", "groups", "macs", "block", "gate", "header")
    )
    if kind == GWRITE:
        yield PimTransaction(Command.PIM_GWRITE, bank, row, 0, header, -1, False, gate)
        return
    yield PimTransaction(Command.PIM_HEADER, -1, row + header, macs, groups, -1, False, gate)
    for group in range(groups):
        result, last = (block + group if block >= 0 else -1), group == groups - 1
        if composite:
            yield PimTransaction(Command.PIM_GEMV, -1, row, macs, 0, result, last, -1)
            continue
        for step in range(macs):
            yield PimTransaction(Command.PIM_MAC, -1, row, int(step == 0), 0, -1, False, -1)
        yield PimTransaction(Command.PIM_READ, -1, row, 0, 0, result, last, -1)
