"""A channel's gates alone: commands issue when told, and the next one is probed for its first cycle."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from neupims.isa.commands import Command
from neupims.machine.dram.gates import ALL, Gates, Place

CHANNEL_WIDE = (Command.PIM_HEADER, Command.PIM_MAC, Command.PIM_READ, Command.PIM_GEMV)
WIDE = {Command.REF: "rank", Command.PIM_ACT: "group"}


@dataclass
class Probe:
    """Issues and probes commands by name. `bank` is the first bank of a command's group or rank."""

    gates: Gates

    @property
    def t(self) -> Any:
        """Cycles by JEDEC name."""
        return self.gates.t

    def place(self, command: Command, bank: int) -> Place:
        if command in CHANNEL_WIDE:
            return ALL
        return self.gates.geometry.around(WIDE.get(command, "bank"), bank)

    def issue(self, name: str, bank: int = 0, at: int = 0, n: int = 0) -> None:
        """`at` is not checked: what came before may have been left out."""
        self.gates.record(Command[name], bank, at, n)

    def first(self, name: str, bank: int = 0) -> int:
        """First cycle at which a command may issue, blackouts left aside."""
        return self.gates.earliest(Command[name], self.place(Command[name], bank))

    def ready(self, name: str, bank: int, at: int) -> bool:
        return self.gates.ready(Command[name], self.place(Command[name], bank), at)

    def assert_tight(self, name: str, bank: int = 0, *, at: int) -> None:
        """Refused one cycle before `at`, allowed at it."""
        assert self.first(name, bank) == at
        assert at == 0 or not self.ready(name, bank, at - 1)
        assert self.ready(name, bank, at)


@pytest.fixture
def channel(dram: ModuleType) -> Callable[..., Probe]:
    """Makes the gates of a shipped system, with switches of its PIM changed."""

    def build(system: str = "neupims", **switches: object) -> Probe:
        made = dram.world(system)
        made = made.switches(**switches) if switches else made
        return Probe(Gates(made.memory, made.pim))

    return build
