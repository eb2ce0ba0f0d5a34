"""Does what a channel does ever repeat itself? Its relative state is compared at each refresh."""

from dataclasses import dataclass
from typing import cast

from neupims.bench.traffic import WARM_CYCLES, Kind, loaded
from neupims.machine.dram.fast.memory_arrays import FastMemory
from neupims.units import cycles

OBSERVED = 4_000_000
"""Cycles; a stage of a layer takes some hundred thousand."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Of traffic of one kind."""

    kind: Kind
    observed: int
    """Cycles."""
    period: int | None
    """Cycles after which a relative state came again; None if none did."""


def recurrence(kind: Kind, observed: int = OBSERVED) -> Recurrence:
    """Run endless traffic of one kind until a relative state comes again, or for `observed` cycles."""
    memory = cast("FastMemory", loaded("plain", kind, WARM_CYCLES + observed))
    tick, seen = refresh_cycles(), dict[bytes, int]()
    for until in range(WARM_CYCLES // tick * tick + tick, observed, tick):
        memory.advance(until)
        before = seen.setdefault(memory.relative_state(), until)
        if before < until:
            return Recurrence(kind, until, until - before)
    return Recurrence(kind, observed, None)


def refresh_cycles() -> int:
    """Cycles between two refreshes in the system that traffic runs on, whose ranks take turns."""
    from neupims.hardware.load import load_system

    memory = load_system("neupims").memory
    assert memory is not None
    return cycles(memory.timing.t_refi_ns, memory.clock_ghz) // memory.organization.ranks
