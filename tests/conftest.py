"""Records made by hand for rooms that never simulate; the program as the shell runs it; memories of one channel."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from neupims.cli.app import main
from neupims.results.energy import Energy
from neupims.results.record import Run
from neupims.results.spans import OperatorSpan, StageSpan, Utilization

US = 1_000_000
NPU_PART = (("norm1", "vector", 0.02), ("qkv", "array", 0.3), ("proj", "array", 0.12), ("ffn1", "array", 0.3))
FFN = (("gelu", "vector", 0.03), ("ffn2", "array", 0.23))


def npu_block(layer: int, start: int, length: int, names: tuple[str, ...]) -> list[OperatorSpan]:
    """Operators one after the other, filling `length`."""
    parts = [part for part in NPU_PART + FFN if part[0] in names]
    total, spans, at = sum(share for *_, share in parts), [], start
    for name, unit, share in parts:
        end = at + round(length * share / total)
        spans.append(OperatorSpan(f"layer{layer}.{name}", unit, at, end, 10**9, 4096, 1024))
        at = end
    return spans


def attention(layer: int, start: int, length: int) -> list[OperatorSpan]:
    """Logit, softmax, attend; they overlap."""
    cuts = [start, start + length // 20, start + length * 11 // 20, start + length]
    ends = [cuts[2], cuts[3] - length // 30, cuts[3]]
    units = zip(("logit", "softmax", "attend"), ("pim", "vector", "pim"), cuts[:3], ends, strict=True)
    return [OperatorSpan(f"layer{layer}.attention.{n}", u, a, b, 10**8, 512, 512) for n, u, a, b in units]


def serial(scale: int) -> tuple[list[StageSpan], list[OperatorSpan]]:
    """Stages A, B, E of one layer, 48 times."""
    times = (0, 90 * scale, 350 * scale, 620 * scale)
    stages = [StageSpan(n, a, b, 48) for n, a, b in zip("ABE", times, times[1:], strict=False)]
    operators = npu_block(0, 0, times[1], ("norm1", "qkv")) + attention(0, times[1], times[2] - times[1])
    operators += npu_block(0, times[2], times[3] - times[2] - 20 * scale, ("proj", "ffn1", "gelu", "ffn2"))
    operators.append(OperatorSpan("layer0.all_reduce", "link", times[3] - 20 * scale, times[3], 0, 0, 0))
    return stages, operators


def interleaved(scale: int) -> tuple[list[StageSpan], list[OperatorSpan]]:
    """Stages A to F of two layers."""
    times = [scale * t for t in (0, 60, 210, 490, 770, 980, 1170)]
    repeats = (1, 1, 47, 47, 1, 1)
    stages = [StageSpan(n, a, b, r) for n, a, b, r in zip("ABCDEF", times, times[1:], repeats, strict=False)]
    qkv, ffn = ("norm1", "qkv"), ("proj", "ffn1", "gelu", "ffn2")
    work: list[OperatorSpan] = []
    for i, names in enumerate((qkv, qkv, ffn + qkv, ffn + qkv, ffn, ffn)):
        work += npu_block(i // 3, times[i], times[i + 1] - times[i], names)
    for i in range(1, 5):
        work += attention((i - 1) // 2, times[i], (times[i + 1] - times[i]) * (10 if i == 1 else 8) // 10)
    return stages, work


def make_run(system: str = "neupims", speed: float = 1.0, **changes: object) -> Run:
    """A plausible record; `speed` divides the iteration time."""
    stages, operators = (interleaved if system == "neupims" else serial)(US)
    fields = dict(
        system=system,
        hardware_digest="0" * 64,
        model="gpt3-30b",
        variant=None,
        batch=256,
        tp=4,
        pp=1,
        iteration_ps=round(48_000_000_123 / speed),
        tokens_per_s=256 / 0.048000000123 * speed,
        utilization=Utilization(0.28 * speed, 0.17 if system != "npu-only" else 0.0, 0.6),
        energy=Energy(dram=120.0, pim=60.0, npu=200.0, link=1.5),
        stages=tuple(stages),
        operators=tuple(operators),
        commands={"ACT": 1000, "RD": 16000, "WR": 500, "REF": 8, "PIM_ACT": 640, "PIM_GEMV": 900},
        dram_energy_mj={"ACT": 10.0, "RD": 60.0, "WR": 5.0, "REF": 4.0, "PIM_ACT": 20.0, "PIM_MAC": 40.0}
        | {"BACKGROUND": 41.0},
        wall_s=1.25,
        version="0.1.0",
    )
    return Run(**fields | changes)  # type: ignore[arg-type]


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def neupims(monkeypatch, capsys) -> Callable[..., Result]:
    """Runs the program as the shell would."""

    def call(*args: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["neupims", *map(str, args)])
        with pytest.raises(SystemExit) as left:
            main()
        return Result(left.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def handmade() -> Callable[..., Run]:
    """`make_run`, for tests."""
    return make_run


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dram() -> ModuleType:
    """`dram_worlds`: channels of shipped systems, programs for them, and how to run both."""
    return _load("dram_worlds")


@pytest.fixture(scope="session")
def draw(dram: ModuleType) -> Callable[..., object]:
    """A random memory with random traffic, from a seed; see `dram_draws`."""
    draws = _load("dram_draws")
    return lambda seed, clean=False: draws.Draw(dram, seed, clean).case()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Longer checks run only when asked for by mark."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
