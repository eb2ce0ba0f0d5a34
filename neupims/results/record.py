"""The record of a run, and of several runs side by side: frozen, and stable as JSON.

Counts, bytes, operators and energy are those of one device over one iteration; `devices` of them
work together, and `tokens_per_s` is what they reach together.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from neupims.errors import ResultError
from neupims.request import Request
from neupims.results.energy import Energy
from neupims.results.fields import Fields, to_ns
from neupims.results.files import read_json, write_atomically
from neupims.results.spans import OperatorSpan, StageSpan, Utilization
from neupims.units import PS_PER_S

MJ_PER_J = 1000
POINTS = "points"
"""Folder, in that of a sweep, of the outcomes of its points."""

SCHEMA = 1
"""Version of the record; it changes when the meaning of a key does."""


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """Context lengths of a batch, in tokens."""

    count: int
    tokens: int
    shortest: int
    longest: int

    @classmethod
    def of(cls, batch: Sequence[Request]) -> Self:
        """Summary of a batch of at least one request."""
        lengths = [request.length for request in batch]
        return cls(len(lengths), sum(lengths), min(lengths), max(lengths))

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From the run record."""
        count, tokens = fields.integer("count"), fields.integer("tokens")
        return cls(count, tokens, fields.integer("shortest"), fields.integer("longest"))

    @property
    def mean(self) -> float:
        """Mean context length."""
        return self.tokens / self.count


@dataclass(frozen=True, slots=True)
class Effort:
    """What the simulation took; whatever the engine, the results are the same."""

    engine: str
    """fast, plain or reference."""
    commands: int
    """DRAM and PIM commands of all channels in the simulated stages, those of a slower mode included."""
    run: int
    """Those of them that the engine ran; the others are of channels that did the same as another one, or reused."""
    reused: int = 0
    """Those of them whose stages were known from an earlier simulation."""

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From the run record."""
        return cls(fields.text("engine"), *(fields.integer(name) for name in ("commands", "run", "reused")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One simulated iteration of one system."""

    system: str
    hardware_digest: str
    model: str
    variant: str | None
    batch: int
    tp: int
    pp: int
    iteration_ps: int
    tokens_per_s: float
    utilization: Utilization
    energy: Energy
    stages: tuple[StageSpan, ...]
    """As simulated; the iteration contains each `repeats` times."""
    operators: tuple[OperatorSpan, ...]
    """Of the simulated stages."""
    commands: Mapping[str, int]
    """DRAM and PIM commands of the whole iteration, by name."""
    wall_s: float
    version: str
    layers: int | None = None
    """Decoder blocks, where they ran without embedding and head; None for the whole model."""
    interleaving: str | None = None
    """on or off, as it was decided."""
    phase: str | None = None
    """decode, prefill, forward or training; None in records that do not say, which are decode steps."""
    requests: RequestSummary | None = None
    dram_energy_mj: Mapping[str, float] = field(default_factory=dict[str, float])
    """Energy of the DRAM by command, with BACKGROUND for standby."""
    processor_energy_mj: Mapping[str, float] = field(default_factory=dict[str, float])
    """Energy of NPU or GPU: mac, vector, scratchpad, static."""
    area_overhead: float | None = None
    """What second row buffers add to the area of the DRAM, as a share of it; None without PIM."""
    channel_tokens: tuple[int, ...] = ()
    """Context tokens whose KV cache each channel holds."""
    pim_busy: float | None = None
    """Share of the iteration in which a channel has PIM work, mean over channels."""
    effort: Effort | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys that this version does not know; they survive reading and writing."""

    @property
    def devices(self) -> int:
        """Devices that work together."""
        return self.tp * self.pp

    @property
    def unit(self) -> str:
        """What `tokens_per_s` counts: tokens of a decode step, else requests, whatever their length."""
        return "tokens" if self.phase in (None, "decode") else "requests"

    @property
    def energy_per_token_mj(self) -> dict[str, float]:
        """Energy of all devices for one token, by part, in mJ."""
        return {part: spent * self.devices / self.batch for part, spent in self.energy.to_json().items()}

    @property
    def power_w(self) -> dict[str, float]:
        """Average power of one device, by part, in W."""
        seconds = self.iteration_ps / PS_PER_S
        return {part: spent / MJ_PER_J / seconds if seconds else 0.0 for part, spent in self.energy.to_json().items()}

    @property
    def label(self) -> str:
        """Model and variant, for people; a model's name may hold its variant."""
        named = self.variant is None or self.model.endswith(f"-{self.variant}")
        return self.model if named else f"{self.model}-{self.variant}"

    def to_json(self) -> dict[str, Any]:
        """The record with the keys of schema 1; times in ns with at most three decimals."""
        known = {name: write(self) for name, write in _WRITERS.items()}
        return {"schema": SCHEMA} | known | dict(self.extra)

    @classmethod
    def from_json(cls, value: object, where: str = "record") -> Self:
        """The run of a record. Raises ResultError with `where` and what is wrong."""
        fields = Fields(value, where)
        _check_schema(fields)
        return cls(
            **{name: fields.text(name) for name in ("system", "hardware_digest", "model", "version")},
            **{name: fields.integer(name) for name in ("batch", "tp", "pp")},
            **{name: fields.number(name) for name in ("tokens_per_s", "wall_s")},
            iteration_ps=fields.picoseconds("iteration_ns"),
            utilization=Utilization.read(fields.section("utilization")),
            energy=Energy.read(fields.section("energy_mj")),
            stages=tuple(StageSpan.read(stage) for stage in fields.sections("stages")),
            operators=tuple(OperatorSpan.read(operator) for operator in fields.sections("operators")),
            commands=fields.section("commands").counts(),
            **_optional(fields),
        )

    def save(self, path: Path) -> None:
        """Write the record; the file appears whole or not at all. Raises ResultError."""
        write_atomically(path, json_text(self.to_json()))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a record. Raises ResultError if the file is missing, not JSON, or no record."""
        return cls.from_json(read_json(path), str(path))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several systems on one job, in the order in which they were named."""

    runs: tuple[Run, ...]

    @property
    def speedup(self) -> dict[str, float]:
        """Throughput of each system over each one named before it, keyed `later/earlier`."""
        return {
            f"{run.system}/{base.system}": run.tokens_per_s / base.tokens_per_s
            for i, base in enumerate(self.runs)
            for run in self.runs[i + 1 :]
        }

    def to_json(self) -> dict[str, Any]:
        """`runs` and `speedup`."""
        return {"runs": [run.to_json() for run in self.runs], "speedup": self.speedup}

    @classmethod
    def from_json(cls, value: object, where: str = "record") -> Self:
        """The runs of a comparison; speed-ups follow from them. Raises ResultError."""
        runs = Fields(value, where).sections("runs")
        return cls(tuple(Run.from_json(run.values, run.where) for run in runs))

    def save(self, path: Path) -> None:
        """Write the comparison; the file appears whole or not at all. Raises ResultError."""
        write_atomically(path, json_text(self.to_json()))


def json_text(value: object) -> str:
    """JSON for files and for standard output, one line per key."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def load_runs(path: Path) -> tuple[Run, ...]:
    """The runs in a record, in a comparison, or in a folder: its `result.json`, or the points of a sweep.

    Points that failed have none. Raises ResultError.
    """
    points = sorted((path / POINTS).glob("*.json"))
    if points:
        return tuple(run for point in points for run in load_runs(point))
    file = path / "result.json" if path.is_dir() else path
    fields = Fields(read_json(file), str(file))
    if "run" in fields.values and "error" in fields.values:
        return () if fields.values["run"] is None else (Run.from_json(fields.values["run"], str(file)),)
    if "runs" in fields.values:
        return Comparison.from_json(fields.values, fields.where).runs
    return (Run.from_json(fields.values, fields.where),)


def _check_schema(fields: Fields) -> None:
    schema = fields.values.get("schema")
    if schema != SCHEMA:
        found = "no schema number" if schema is None else f"schema {schema}"
        raise ResultError(f"{fields.where}: {found}; this version reads run records of schema {SCHEMA}")


def _optional(fields: Fields) -> dict[str, Any]:
    """Fields that a record may leave out."""
    has = fields.values
    return {
        "variant": fields.optional_text("variant"),
        "layers": fields.optional_integer("layers"),
        "interleaving": fields.optional_text("interleaving"),
        "phase": fields.optional_text("phase"),
        "requests": RequestSummary.read(fields.section("requests")) if has.get("requests") is not None else None,
        "dram_energy_mj": fields.section("dram_energy_mj").numbers() if "dram_energy_mj" in has else {},
        "processor_energy_mj": fields.section("processor_energy_mj").numbers() if "processor_energy_mj" in has else {},
        "area_overhead": fields.optional_number("area_overhead"),
        "channel_tokens": fields.integers("channel_tokens"),
        "pim_busy": fields.optional_number("pim_busy"),
        "effort": Effort.read(fields.section("effort")) if has.get("effort") is not None else None,
        "extra": fields.others(("schema", *_WRITERS)),
    }


def _as_is(*names: str) -> dict[str, Callable[[Run], Any]]:
    return {name: attrgetter(name) for name in names}


_WRITERS: dict[str, Callable[[Run], Any]] = {
    **_as_is("system", "hardware_digest", "model", "variant", "batch", "tp", "pp", "layers", "interleaving", "phase"),
    "iteration_ns": lambda run: to_ns(run.iteration_ps),
    **_as_is("tokens_per_s"),
    "utilization": lambda run: run.utilization.to_json(),
    "energy_mj": lambda run: run.energy.to_json(),
    "dram_energy_mj": lambda run: dict(run.dram_energy_mj),
    "processor_energy_mj": lambda run: dict(run.processor_energy_mj),
    **_as_is("energy_per_token_mj", "power_w", "area_overhead"),
    "requests": lambda run: None if run.requests is None else asdict(run.requests),
    "channel_tokens": lambda run: list(run.channel_tokens),
    **_as_is("pim_busy"),
    "stages": lambda run: [stage.to_json() for stage in run.stages],
    "operators": lambda run: [operator.to_json() for operator in run.operators],
    "commands": lambda run: dict(run.commands),
    "effort": lambda run: None if run.effort is None else asdict(run.effort),
    **_as_is("wall_s", "version"),
}
"""Keys of a record, in order, each with how it is taken from a run."""
