"""What a device did: flat records of time and work."""

from dataclasses import dataclass

from neupims.machine.dram.memory import Counters


@dataclass(frozen=True, slots=True)
class OperatorSpan:
    """One operator on one unit."""

    name: str
    kind: str
    unit: str
    """array, vector, pim, link or gpu."""
    start_ps: int
    end_ps: int
    macs: int = 0
    other_ops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    """Through the memory interface; for link operators, bytes sent to peers."""
    busy_ps: int = 0
    """Time in which the unit had a step in it (vector: summed over the units)."""


@dataclass(frozen=True, slots=True)
class StageSpan:
    """One stage, with what happened in it."""

    name: str
    start_ps: int
    end_ps: int
    repeats: int
    """How often the stage stands in the whole iteration."""
    operators: tuple[OperatorSpan, ...]
    counts: Counters | None = None
    """None where no memory is simulated."""

    @property
    def duration_ps(self) -> int:
        """Length of the stage."""
        return self.end_ps - self.start_ps

    def busy_ps(self, unit: str) -> int:
        """Busy time of one kind of unit."""
        return sum(operator.busy_ps for operator in self.operators if operator.unit == unit)


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """A simulated plan."""

    stages: tuple[StageSpan, ...]
    windows: int = 0
    """Windows in which memory and device were run; a measure of simulation effort."""
    commands: int = 0
    """Commands of all channels in the simulated stages."""
    run: int = 0
    """Those of them that the engine ran; the others are of channels that did the same, or were known before."""
    reused: int = 0
    """Those of them whose stages were known from an earlier simulation."""

    @property
    def iteration_ps(self) -> int:
        """Time of the whole iteration: each stage as often as it stands in it."""
        return sum(stage.repeats * stage.duration_ps for stage in self.stages)

    @property
    def operators(self) -> tuple[OperatorSpan, ...]:
        """Operators of all stages."""
        return tuple(operator for stage in self.stages for operator in stage.operators)
