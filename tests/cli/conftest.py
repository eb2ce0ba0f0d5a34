import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from neupims.isa.work import LinkWork, Plan, Stage
from neupims.results.record import Comparison, RequestSummary

SPEEDS = {"gpu-a100": 1.0, "npu-only": 1.25, "npu-pim": 2.0, "neupims": 3.0}


@dataclass
class Asked:
    """What a command asked of the library."""

    systems: list[Any] = field(default_factory=list)
    batch: Any = None
    settings: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def library(monkeypatch, handmade) -> Asked:
    """A stand-in for `neupims.simulation` that answers with records made by hand."""
    asked = Asked()

    def one(system, model, batch, **settings):
        asked.batch, asked.settings = batch, settings
        settings.pop("progress")("working", 0.5)
        asked.systems.append(system)
        changes = {"commands": {}, "dram_energy_mj": {}} if system.memory is None else {}
        named = {"model": model.name, "variant": model.variant, "batch": len(batch), "tp": settings["tp"]}
        return handmade(
            system.name, SPEEDS.get(system.name, 1.0), requests=RequestSummary.of(batch), **changes, **named
        )

    def several(systems, model, batch, **settings):
        return Comparison(tuple(one(system, model, batch, **dict(settings)) for system in systems))

    def lowered(system, model, batch, **settings):
        asked.systems, asked.batch, asked.settings = [system], batch, settings
        return Plan((Stage("A", (LinkWork("layer0.all_reduce1", "all_reduce", 4096, 4),)),), (48,))

    stand_in = ModuleType("neupims.simulation")
    stand_in.simulate, stand_in.compare, stand_in.plan = one, several, lowered
    monkeypatch.setitem(sys.modules, "neupims.simulation", stand_in)
    return asked


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every command runs in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
