"""Measuring: CPU and wall time and peak memory of a work in a process of its own, and the yardstick of the machine."""

import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter, process_time

from neupims.bench.cases import LOOP_S, PUBLISHED_LOOPS, SMALL, Case, Shell, Traffic, Work
from neupims.errors import NeupimsError
from neupims.machine.dram.memory import Engine

LOOP = "n = 0\nfor i in range(20_000_000): n += i"
REPEATS = 3
WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
KIB_PER_MB = 1024 if sys.platform != "darwin" else 1024 * 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """What a work took."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    commands: int
    """Of all channels."""
    run: int
    """Those that the engine ran."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case and what its engines took; `reference` is the sample of the interpreter."""

    case: Case
    fast: Measured
    plain: Measured
    reference: Measured
    loop_s: float

    @property
    def scaled_s(self) -> float:
        """CPU seconds that it would take on the core for which the goals are stated, by the loop."""
        return self.fast.cpu_s * LOOP_S / self.loop_s

    @property
    def ratio_to_plain(self) -> float:
        """How many times as long the plain engine takes."""
        return self.plain.cpu_s / self.fast.cpu_s

    @property
    def ratio_to_reference(self) -> float:
        """How many times as long the interpreter would take, at the cost per command of its sample."""
        return self.reference.cpu_s / self.reference.commands * self.fast.commands / self.fast.cpu_s

    @property
    def ratio_to_published(self) -> dict[str, float]:
        """How many times as long the published simulator takes, where it was timed; scaled by the loop."""
        if not self.case.published:
            return {}
        return {name: loops * self.loop_s / self.fast.cpu_s for name, loops in PUBLISHED_LOOPS.items()}

    def to_json(self) -> dict[str, object]:
        """Plain data, with the keys of the contract first."""
        fast = self.fast
        taken = {"cpu_s": fast.cpu_s, "wall_s": fast.wall_s, "peak_mb": fast.peak_mb, "commands": fast.commands}
        ratios = {"ratio_to_plain": self.ratio_to_plain, "ratio_to_reference": self.ratio_to_reference}
        wanted = {"goal_s": self.case.goal_s, "must_s": self.case.must_s, "loop_s": self.loop_s}
        more = {
            "scaled_s": self.scaled_s,
            "run": fast.run,
            "plain_cpu_s": self.plain.cpu_s,
            "ratio_to_published": self.ratio_to_published,
        }
        return {"case": self.case.name, **taken, **ratios, **more, **wanted}


def measured(work: Work | Traffic | Shell, engine: Engine, repeats: int = 1) -> Measured:
    """The best of some repeats in a new process that has loaded the compiled code before.

    Raises:
        NeupimsError: what is wrong with the work.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return min((pool.submit(_measure, work, engine).result() for _ in range(repeats)), key=lambda one: one.cpu_s)


def _measure(work: Work | Traffic | Shell, engine: Engine) -> Measured:
    if engine != "reference":
        SMALL.run(engine)
    cpu, wall = _cpu_s(), perf_counter()
    effort = work.run(engine)
    cpu, wall = _cpu_s() - cpu, perf_counter() - wall
    peak = max(resource.getrusage(who).ru_maxrss for who in WHO) / KIB_PER_MB
    return Measured(cpu, wall, peak, effort.commands, effort.run)


def _cpu_s() -> float:
    """CPU seconds of this process and of those that it has started and waited for."""
    used = [resource.getrusage(who) for who in WHO]
    return sum(each.ru_utime + each.ru_stime for each in used)


def loop_seconds() -> float:
    """CPU seconds of a loop in CPython, which carries the times of another machine over to this one."""
    code = compile(LOOP, "loop", "exec")
    return min(_seconds(code) for _ in range(REPEATS))


def _seconds(code: object) -> float:
    start = process_time()
    exec(code, {})  # type: ignore[arg-type]
    return process_time() - start


def row_of(case: Case, loop_s: float) -> Row:
    """Measure a case with all engines; what it needs is compiled by another process before."""
    measured(case.sample, "fast")
    repeats = 1 if case.long else REPEATS
    fast, plain = (measured(case.work, engine, repeats) for engine in ("fast", "plain"))
    return Row(case, fast, plain, measured(case.sample, "reference"), loop_s)


def points(works: Iterator[tuple[str, str, Work]]) -> Iterator[tuple[str, str, Measured | str]]:
    """Axis, point and what it took, or why it cannot be."""
    for axis, point, work in works:
        try:
            yield axis, point, measured(work, "fast")
        except NeupimsError as error:
            yield axis, point, str(error)
