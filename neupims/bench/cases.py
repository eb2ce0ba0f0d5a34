"""What is measured: traffic on one channel, layers and models, the default job, and how the cost grows."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from neupims.bench.traffic import Kind, rate
from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.machine.dram.memory import Engine
from neupims.request import Batch, Request
from neupims.results.record import Effort, load_runs
from neupims.serving.datasets import steady_batch
from neupims.simulation import simulate

LOOP_S = 1.03
"""CPU seconds of a loop of 20 million `n += i` in CPython 3.11 on the core for which the goals are stated."""
PUBLISHED_LOOPS = {"as published": 92, "with a faster scan of its queues": 37}
"""CPU time of the published simulator (C++, -O3) for one layer of GPT3-7B, TP 4, 512 requests, in such loops on the
same core: 95 and 38 s."""


POSITIONS = 2048
"""Longest context of GPT-3."""


@dataclass(frozen=True, slots=True)
class Work:
    """One iteration, as `simulate` is asked for it; frozen data, so that another process can do it."""

    system: str
    model: str
    batch: int
    tp: int = 1
    layers: int | None = None
    interleaving: str | None = None
    unroll: bool = False
    context: int | None = None
    """Tokens of each request; None draws lengths of ShareGPT in steady state."""
    settings: tuple[str, ...] = ()
    options: tuple[tuple[str, int], ...] = ()
    """Options of the model."""

    @property
    def requests(self) -> Batch:
        """The batch."""
        if self.context is None:
            return steady_batch("sharegpt", self.batch, 0)
        return tuple(Request(index, self.context) for index in range(self.batch))

    @property
    def _positions(self) -> dict[str, int]:
        """Of a model that knows as many as its requests have, where that is more than was published."""
        return {"positions": self.context} if self.context is not None and self.context > POSITIONS else {}

    def run(self, engine: Engine) -> Effort:
        """Simulate it."""
        model = load_model(self.model, options={**self._positions, **dict(self.options)})
        setting: dict[str, Any] = {"tp": self.tp, "layers": self.layers, "interleaving": self.interleaving}
        system = load_system(self.system, list(self.settings))
        run = simulate(system, model, self.requests, unroll=self.unroll, engine=engine, **setting)
        assert run.effort is not None
        return run.effort


@dataclass(frozen=True, slots=True)
class Traffic:
    """Endless traffic on one channel of `neupims`, without a device."""

    kind: Kind
    cycles: int

    def run(self, engine: Engine) -> Effort:
        """Simulate it."""
        commands, _ = rate(engine, self.kind, self.cycles)
        return Effort(engine, commands, commands)


@dataclass(frozen=True, slots=True)
class Shell:
    """The default job from a shell prompt: start, four systems, table, record and pictures."""

    def run(self, engine: Engine) -> Effort:
        """Run `neupims compare` in a folder of its own."""
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "neupims", "compare", "--engine", engine, "--out", f"{folder}/run"]
            subprocess.run(command, check=True, capture_output=True)
            efforts = [run.effort for run in load_runs(Path(folder, "run"))]
        known = [effort for effort in efforts if effort is not None]
        return Effort(engine, sum(each.commands for each in known), sum(each.run for each in known))


@dataclass(frozen=True, slots=True)
class Case:
    """Something to be measured, and what we want of it."""

    name: str
    what: str
    work: Work | Traffic | Shell
    sample: Work | Traffic
    """The same kind of work for the interpreter, which could not finish `work`; its rate is taken for the whole."""
    goal_s: float | None = None
    must_s: float | None = None
    published: bool = False
    """Whether the published simulator was timed in this case."""
    long: bool = False
    """Takes more than some seconds."""


SMALL = Work("neupims", "gpt3-7b", 8, layers=1, options=(("width", 128), ("heads", 1), ("layers", 1)))
LAYER = Work("neupims-authors", "gpt3-7b", 512, tp=4, layers=1, settings=("policy.channel_packing=min_load",))
LARGEST = replace(LAYER, model="gpt3-175b", tp=8, layers=None, context=2048, interleaving="off")
SHORT = replace(LAYER, system="neupims", batch=128, context=1024, interleaving="off", settings=())
FEW = ("memory.organization.channels=1",)
KINDS: dict[Kind, tuple[str, int, int]] = {
    "pim": ("PIM logit tiles", 6_000_000, 8_000),
    "reads": ("saturated reads", 1_000_000, 2_000),
    "both": ("reads beside PIM", 1_000_000, 2_000),
}
"""What runs, cycles in the compiled engines, cycles in the interpreter."""


def sample(work: Work) -> Work:
    """A hundredth of a layer on one channel, for the interpreter."""
    return replace(SMALL, system=work.system, interleaving=work.interleaving, settings=(*work.settings, *FEW))


def _of_engine() -> Iterator[Case]:
    for kind, (what, cycles, few) in KINDS.items():
        yield Case(f"engine.{kind}", f"one channel, {what}", Traffic(kind, cycles), Traffic(kind, few))


def _of_layers() -> Iterator[Case]:
    text = "one layer, GPT3-7B, TP 4, 512 ShareGPT requests"
    for system in ("neupims-authors", "neupims"):
        settings = LAYER.settings if system == LAYER.system else ()
        for mode in ("off", "on"):
            work = replace(LAYER, system=system, settings=settings, interleaving=mode)
            published = system == LAYER.system and mode == "off"
            name, what = f"layer.{system}.{mode}", f"{text}, {system}, interleaving {mode}"
            yield Case(name, what, work, sample(work), 0.06, 0.3, published)
    work = replace(LAYER, layers=None, interleaving="off", unroll=True)
    what = "32 layers of it, each scheduled, neupims-authors, interleaving off"
    yield Case("layers.unrolled", what, work, sample(work), long=True)


def _of_models() -> Iterator[Case]:
    what = "GPT3-175B, TP 8, 512 requests of 2,048 tokens, neupims-authors, interleaving off"
    yield Case("model.175b", what, LARGEST, sample(LARGEST), 0.5, 3.0, long=True)
    for name, batch, context in (("short", 128, 1024), ("long", 1, 131_072)):
        work = replace(SHORT, batch=batch, context=context)
        what = f"one layer, GPT3-7B, TP 4, neupims, {batch} x {context:,} tokens"
        yield Case(f"context.{name}", what, work, sample(work))
    for system in ("npu-only", "npu-pim", "neupims"):
        work = Work(system, "gpt3-30b", 256, tp=8)
        what = f"GPT3-30B, TP 8, 256 ShareGPT requests, {system}"
        yield Case(f"default.{system}", what, work, sample(work))
    yield Case("default", "`neupims compare` from a shell prompt", Shell(), replace(SMALL, settings=FEW), 2.5, 6.0)


def all_cases() -> list[Case]:
    """All cases, in order."""
    return [*_of_engine(), *_of_layers(), *_of_models()]


AXES: dict[str, tuple[str, Callable[[int], Work], tuple[int, ...]]] = {
    "batch": (
        "requests of 512 tokens",
        lambda n: replace(SHORT, batch=n, context=512, tp=8),
        (8, 64, 256, 1024, 4096),
    ),
    "context": (
        "tokens of each of 16 requests",
        lambda n: replace(SHORT, batch=16, context=n, tp=8),
        (128, 1024, 8192, 32_768, 131_072),
    ),
    "channels": (
        "channels, 128 requests of 512 tokens",
        lambda n: replace(SHORT, context=512, settings=(f"memory.organization.channels={n}",)),
        (8, 16, 32, 64, 128, 256),
    ),
}
"""Axes along which the cost grows: what the numbers are, the work for one of them, and the numbers."""
MODELS = ("gpt3-7b", "gpt3-13b", "gpt3-30b", "gpt3-175b")


def scaling() -> Iterator[tuple[str, str, Work]]:
    """Axis, point and work of each row of the scaling table."""
    for axis, (_, work, numbers) in AXES.items():
        for number in numbers:
            yield axis, f"{number:,}", work(number)
    for model in MODELS:
        yield "model", model, replace(SHORT, model=model, tp=8, context=512)
