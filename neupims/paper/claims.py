"""Statements of NeuPIMs (ASPLOS 2024), each with the sweep that tests it and how the number follows from its table."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (data frames have no types)

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from neupims.reports.study import View, over_baseline

Settings = Mapping[str, object]
Measure = Callable[[pd.DataFrame], float]
AGREES = 0.2
"""Difference up to which a number counts as redone."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One number of the paper and ours."""

    sweep: str
    what: str
    theirs: float
    source: str
    ours: Measure
    least: bool = False
    """Whether `theirs` is a bound that ours has to exceed, not a value to agree with."""


def gain(frame: pd.DataFrame, over: str, of: str = "neupims", value: str = "tokens_per_s", how: str = "mean") -> float:
    """Mean (or least, greatest) ratio of a system over another one, run by run."""
    ratios = over_baseline(frame, View("batch", "system", value, over))
    return float(getattr(ratios[ratios["system"] == of][value], how)())


def _where(measure: Measure, **chosen: object) -> Measure:
    """The measure over the rows that have these values."""

    def narrowed(frame: pd.DataFrame) -> float:
        for name, value in chosen.items():
            frame = frame[frame[name] == value]
        return measure(frame)

    return narrowed


def _quotient(above: Measure, below: Measure) -> Measure:
    return lambda frame: above(frame) / below(frame)


def _use(system: str, column: str) -> Measure:
    """Mean of a share in per cent, 30B, 256 requests of ShareGPT."""
    mean: Measure = lambda frame: 100 * float(frame[column].mean())  # noqa: E731
    return _where(mean, system=system, model="gpt3-30b", batch=256, dataset="sharegpt")


def _memory_power(frame: pd.DataFrame) -> pd.Series:
    """Of the DRAM, PIM included, in W."""
    return frame["dram_power_w"] + frame["pim_power_w"]


def memory_power(frame: pd.DataFrame) -> float:
    """Mean ratio of the memory power of NeuPIMs to that of NPU-only."""
    return gain(frame.assign(memory=_memory_power(frame)), "npu-only", value="memory")


def memory_energy(frame: pd.DataFrame, free_standby: bool = False) -> float:
    """The same for energy for a token; `free_standby`: as if second row buffers cost none."""
    power = _memory_power(frame)
    if free_standby:
        standby = frame["dram_standby_mj"] / frame["total_energy_mj"] * frame["total_power_w"]
        power = power.where(frame["system"] != "neupims", power - standby / 2)
    return gain(frame.assign(memory=power / frame["tokens_per_s"]), "npu-only", value="memory")


def added(frame: pd.DataFrame, step: Settings, onto: Settings, how: str = "mean") -> float:
    """Ratio of throughput with the settings `step` to that with `onto`, run by run: mean, least or greatest."""
    parts = [_rows(frame, settings).set_index(["batch", "seed"])["tokens_per_s"] for settings in (step, onto)]
    return float(getattr(parts[0] / parts[1], how)())


def _rows(frame: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    for name, value in settings.items():
        frame = frame[frame[name].isna() if value is None else frame[name] == value]
    return frame


def _steps(step: Settings, onto: Settings, how: str = "mean", batches: range | None = None) -> Measure:
    def measure(frame: pd.DataFrame) -> float:
        chosen = frame if batches is None else frame[frame["batch"].isin(batches)]
        return added(chosen, step, onto, how)

    return measure


PACKING = "policy.channel_packing"
ROUND, PACKED = {PACKING: "round_robin"}, {PACKING: "min_load"}
FRONT_END = "pim.front_end.scope"
NAIVE = {"pim.row_buffers": "single", "pim.composite_gemv": False, "interleaving": None, FRONT_END: "channel", **ROUND}
COMMANDS = NAIVE | {"pim.composite_gemv": True}
SHARED = NAIVE | {FRONT_END: "device"}
DUAL = COMMANDS | {"pim.row_buffers": "dual", "interleaving": "off"}
BOTH = DUAL | {"interleaving": "on"}
SMALL, LARGE = range(0, 256), range(256, 513)
TP, PP = {"tp": 8, "pp": 1}, {"tp": 4, "pp": 2}

CLAIMS: tuple[Claim, ...] = (
    Claim("throughput", "NeuPIMs over GPU-only, mean", 3.0, "abstract", partial(gain, over="gpu-a100")),
    Claim("throughput", "NeuPIMs over NPU-only, mean", 2.4, "abstract", partial(gain, over="npu-only")),
    Claim("throughput", "NeuPIMs over NPU+PIM, mean", 1.6, "abstract", partial(gain, over="npu-pim")),
    Claim("throughput", "NPU+PIM over NPU-only, mean", 1.5, "8.2", partial(gain, over="npu-only", of="npu-pim")),
    Claim("throughput", "NeuPIMs over NPU+PIM, least", 1.13, "8.2", partial(gain, over="npu-pim", how="min")),
    Claim("throughput", "NeuPIMs over NPU+PIM, greatest", 3.0, "8.2", partial(gain, over="npu-pim", how="max")),
    Claim(
        "throughput",
        "gain over NPU-only, ShareGPT to Alpaca",
        1.0,
        "8.2: larger on ShareGPT",
        _quotient(
            _where(partial(gain, over="npu-only"), dataset="sharegpt"),
            _where(partial(gain, over="npu-only"), dataset="alpaca"),
        ),
        least=True,
    ),
    Claim(
        "throughput",
        "gain over NPU-only, batch 512 to batch 64",
        1.0,
        "8.2: grows with the batch",
        _quotient(_where(partial(gain, over="npu-only"), batch=512), _where(partial(gain, over="npu-only"), batch=64)),
        least=True,
    ),
    Claim("throughput", "NPU utilisation of NPU+PIM, %", 28.0, "table 4", _use("npu-pim", "npu_utilization")),
    Claim("throughput", "PIM utilisation of NPU+PIM, % of the time", 17.0, "table 4", _use("npu-pim", "pim_busy")),
    Claim("throughput", "NPU utilisation of NeuPIMs, %", 64.9, "table 4", _use("neupims", "npu_utilization")),
    Claim("throughput", "PIM utilisation of NeuPIMs, % of the time", 26.4, "table 4", _use("neupims", "pim_busy")),
    Claim("throughput", "memory power of NeuPIMs over NPU-only", 1.8, "8.4", memory_power),
    Claim("throughput", "memory energy for a token, NeuPIMs over NPU-only", 0.75, "8.4", memory_energy),
    Claim(
        "throughput",
        "the same, if second row buffers cost no standby",
        0.75,
        "8.4",
        partial(memory_energy, free_standby=True),
    ),
    Claim("ablation", "dual row buffers and composite commands, onto NPU+PIM", 1.697, "8.2", _steps(DUAL, NAIVE)),
    Claim("ablation", "the same, onto NPU+PIM with one front end for all channels", 1.697, "8.2", _steps(DUAL, SHARED)),
    Claim("ablation", "of these, composite commands alone", 1.0, "not in the paper", _steps(COMMANDS, NAIVE)),
    Claim(
        "ablation", "min-load packing, least gain", 1.0, "8.2: always helps", _steps(DUAL | PACKED, DUAL, "min"), True
    ),
    Claim(
        "ablation",
        "interleaving from 256 requests on",
        1.0,
        "8.2: best there",
        _steps(BOTH | PACKED, DUAL | PACKED, batches=LARGE),
        True,
    ),
    Claim(
        "ablation",
        "serial over interleaved below 256 requests",
        1.0,
        "8.2: interleaving hurts",
        _steps(DUAL | PACKED, BOTH | PACKED, batches=SMALL),
        True,
    ),
    Claim("parallelism", "TP 8 over TP 4, PP 2", 1.0, "8.3: TP is better", _steps(TP, PP), True),
)
