"""Protocol checker: audits a trace of commands against every rule of the memory, knowing nothing of who made it."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neupims.hardware.memory import MemorySpec
from neupims.hardware.pim import PimSpec
from neupims.isa.commands import COMMANDS
from neupims.isa.memory import TRACE
from neupims.machine.dram.checker_gaps import gaps
from neupims.machine.dram.checker_history import History
from neupims.machine.dram.checker_rows import Addresses, Rows, Tile
from neupims.machine.dram.checker_terms import Clocks, Finding, Geometry, Issue, Violation
from neupims.machine.dram.checker_windows import ActivationWindow, CommandBus, DataBus, Refresh, TileFits

__all__ = ["Violation", "check_trace"]


def check_trace(trace: NDArray[Any], memory: MemorySpec, pim: PimSpec | None) -> list[Violation]:
    """Every rule that a trace breaks, in the order of the trace.

    `trace` holds TRACE records (neupims.isa.memory); those of one channel stand in the order of issue,
    channels may be mixed. Before its first command a channel is idle: all row buffers closed and
    refreshed. A command that does not exist, or names no such bank or row, is reported and then left out.

    Raises:
        ValueError: the array has another dtype, or a number that is no command.
    """
    _refuse_other_records(trace)
    channels: dict[int, _Channel] = {}
    violations: list[Violation] = []
    for cycle, channel, command, bank, row, macs in trace.tolist():
        if channel not in channels:
            channels[channel] = _Channel(channel, memory, pim)
        violations += channels[channel].audit(Issue(cycle, COMMANDS[command], bank, row, macs))
    for audited in channels.values():
        violations += audited.finish()
    return violations


def _refuse_other_records(trace: NDArray[Any]) -> None:
    if trace.dtype != TRACE:
        raise ValueError(f"a trace has the fields {', '.join(TRACE.names or ())}, not {trace.dtype}")
    strange = np.flatnonzero((trace["command"] < 0) | (trace["command"] >= len(COMMANDS)))
    if len(strange):
        number = trace["command"][strange[0]]
        raise ValueError(f"record {strange[0]}: {number} is no command; commands are 0 to {len(COMMANDS) - 1}")


class _Channel:
    """The auditors of one channel, each with its own memory of what came before."""

    def __init__(self, number: int, memory: MemorySpec, pim: PimSpec | None) -> None:
        geometry, clocks = Geometry.of(memory), Clocks.of(memory)
        self.number, self.exists = number, 0 <= number < memory.organization.channels
        grouped = memory.organization.bank_groups > 1
        self.addresses = Addresses(memory, pim, geometry)
        self.refresh = Refresh(clocks, geometry, memory.controller.refresh != "off")
        tile = Tile(pim)
        rows = Rows(geometry, pim, tile)
        postpone = memory.controller.refresh_postpone
        on = memory.controller.refresh != "off"
        fits = (TileFits(clocks, geometry, pim, rows.pim, postpone),) if on else ()
        self.auditors = (
            CommandBus(),
            History(gaps(clocks, pim, memory.clock_ghz, grouped), geometry, clocks, pim),
            tile,
            rows,
            *fits,
            ActivationWindow(clocks, geometry, pim),
            DataBus(clocks, geometry, pim),
            self.refresh,
        )
        self.last: Issue | None = None

    def audit(self, issue: Issue) -> Iterator[Violation]:
        if not self.exists:
            yield from self._violations(issue, [Finding("address", f"{issue}: there is no channel {self.number}")])
            return
        misfit = self.addresses.audit(issue)
        if misfit:
            yield from self._violations(issue, [misfit])
            return
        self.last = issue
        for auditor in self.auditors:
            yield from self._violations(issue, auditor.audit(issue))

    def finish(self) -> Iterator[Violation]:
        if self.last:
            yield from self._violations(self.last, self.refresh.finish(self.last))

    def _violations(self, issue: Issue, findings: Iterable[Finding]) -> Iterator[Violation]:
        for finding in findings:
            yield Violation(issue.cycle, self.number, issue.command, issue.bank, finding.rule, finding.message)
