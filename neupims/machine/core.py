"""What the programs of one device share: time, memory, vector units and scratchpad."""

from dataclasses import dataclass

from simpy.core import Environment

from neupims.events.agenda import Agenda
from neupims.events.clock import Clock
from neupims.hardware.npu import NpuSpec
from neupims.hardware.system import SystemSpec
from neupims.isa.counter import RunningCounter
from neupims.machine.dram.memory import Memory
from neupims.machine.scratchpad import ScratchpadBudget
from neupims.machine.transfers import LONGEST_WINDOW, Ahead, Transfers, known_ahead
from neupims.machine.vector import VectorPool
from neupims.units import period_ps


@dataclass(frozen=True, slots=True)
class Core:
    """One NPU with its memory. The parts carry the state; the record only holds them together."""

    system: SystemSpec
    npu: NpuSpec
    env: Environment
    agenda: Agenda
    clock: Clock
    """Of the NPU."""
    transfers: Transfers
    ahead: Ahead
    vector: VectorPool
    scratchpad: ScratchpadBudget

    @property
    def accepts_per_cycle(self) -> int:
        """Bursts of a program that a channel takes in a cycle, at most."""
        assert self.system.memory is not None
        return self.system.memory.controller.accepts_per_cycle

    @property
    def now(self) -> int:
        """Time in picoseconds."""
        return int(self.env.now)

    @property
    def operator_gap_ps(self) -> int:
        """Time from the start of an operator to its first request."""
        return self.clock.ps(self.npu.operator_gap_cycles)


def new_core(
    system: SystemSpec, memory: Memory, longest_window: int = LONGEST_WINDOW, counter: RunningCounter | None = None
) -> Core:
    """A core at rest whose time begins at that of `memory`; `counter` as in `isa.work.Plan`.

    Raises:
        ValueError: the system has no NPU or no simulated memory.
    """
    npu, spec = system.processor, system.memory
    if not isinstance(npu, NpuSpec) or spec is None:
        raise ValueError(f"{system.name}: only an NPU with a simulated memory can run a plan")
    clock, dram = Clock(period_ps(npu.clock_ghz)), Clock(period_ps(spec.clock_ghz))
    env = Environment(dram.ps(memory.now))
    agenda = Agenda(env)
    away = clock.ps(npu.interconnect_cycles)
    transfers = Transfers(memory, dram, env, agenda, away, longest_window, counter)
    return Core(
        system,
        npu,
        env,
        agenda,
        clock,
        transfers,
        known_ahead(spec),
        VectorPool(npu.vector, agenda, clock),
        ScratchpadBudget(npu.scratchpad),
    )
