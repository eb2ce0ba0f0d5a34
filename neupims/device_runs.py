"""A plan on the simulated memory of a system, or what a cache knows of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from neupims.hardware.system import SystemSpec
from neupims.isa.work import Plan
from neupims.machine.device import run_plan
from neupims.machine.dram.memory import Engine, build_memory
from neupims.machine.outcome import DeviceResult
from neupims.results.cache import ResultCache, code_version, content_key

Progress = Callable[[str, float], None]
TIMING = tuple(Path(__file__).with_name(room) for room in ("events", "isa", "machine"))
"""The rooms whose code decides how long a plan takes."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What goes along with a simulation and does not change its result."""

    progress: Progress | None
    cache: ResultCache | None


def run_or_recall(plan: Plan, system: SystemSpec, engine: Engine, tools: Tools) -> DeviceResult:
    """What the device does; a plan that the cache knows on the same hardware is not simulated again."""
    if tools.cache is None:
        return _simulated(plan, system, engine, tools.progress)
    key = content_key(plan, system.model_dump(mode="json", exclude={"name"}), engine, code_version(TIMING))
    result, known = tools.cache.get(key, lambda: _simulated(plan, system, engine, tools.progress))
    return replace(result, run=0, reused=result.commands) if known else result


def fastest(options: dict[str, DeviceResult]) -> tuple[str, DeviceResult]:
    """The mode that takes the least time, the first of them on ties; the effort is that of all modes."""
    mode, best = min(options.items(), key=lambda option: option[1].iteration_ps)
    effort = {name: sum(getattr(result, name) for result in options.values()) for name in ("commands", "run", "reused")}
    return mode, replace(best, **effort)


def _simulated(plan: Plan, system: SystemSpec, engine: Engine, progress: Progress | None) -> DeviceResult:
    assert system.memory is not None
    report = None if progress is None else _stage_progress(progress)
    return run_plan(plan, system, build_memory(system.memory, system.pim, engine), report)


def _stage_progress(progress: Progress) -> Callable[[str, int, int], None]:
    return lambda name, index, count: progress(f"stage {name}", index / count)
