"""From options to a job: systems, a model and a batch of requests, loaded and checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from neupims import __version__
from neupims.cli.options import DEFAULT_BATCH, Dataset, JobOptions, SimulationOptions
from neupims.cli.output import note
from neupims.errors import RequestError
from neupims.graph import Model, load_model
from neupims.hardware.load import load_system
from neupims.hardware.system import SystemSpec
from neupims.request import Batch
from neupims.results.digest import digest
from neupims.serving.datasets import steady_batch
from neupims.serving.readers import read_requests

DEFAULT_TP: Mapping[str, int] = {"gpt3-7b": 4, "gpt3-13b": 4, "gpt3-30b": 8, "gpt3-175b": 8}
"""Tensor-parallel degrees in the model files of the published simulator, except that it has 4 for GPT3-30B (with two
pipeline stages): the weights and the KV cache of 256 requests do not fit on four devices of 32 GiB."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the library is asked to simulate."""

    systems: tuple[SystemSpec, ...]
    model: Model
    batch: Batch
    tp: int
    pp: int
    layers: int | None
    interleaving: Literal["on", "off", "auto"] | None
    requests: str
    """Where the requests come from, for people."""
    engine: Literal["fast", "plain", "reference"] = "fast"
    cache: Path | None = None
    """Folder of results that are known already."""

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of `simulate` and `compare`."""
        return {"tp": self.tp, "pp": self.pp, "layers": self.layers, "interleaving": self.interleaving}

    @property
    def tools(self) -> dict[str, Any]:
        """Further keyword arguments, on which the results do not depend."""
        from neupims.results.cache import ResultCache

        return {"engine": self.engine, "cache": None if self.cache is None else ResultCache(self.cache)}

    def resolved(self) -> dict[str, Any]:
        """Everything that the results depend on, as plain data."""
        placed = any(request.channel is not None for request in self.batch)
        return {
            "version": __version__,
            "model": {"name": self.model.name, "variant": self.model.variant},
            "settings": self.settings,
            "requests": {
                "source": self.requests,
                "lengths": [request.length for request in self.batch],
                "channels": [request.channel for request in self.batch] if placed else None,
            },
            "systems": {system.name: system.model_dump(mode="json") for system in self.systems},
        }

    def digest(self) -> str:
        """Eight hexadecimal digits that stand for all of it."""
        return digest(self.resolved())[:8]


def build_job(options: JobOptions, systems: Sequence[str]) -> Job:
    """Load what the options name. Raises the NeupimsError of whatever is wrong."""
    model = load_model(options.model, options.variant)
    batch, source = _requests(options)
    return Job(
        systems=load_systems(systems, options.overrides or ()),
        model=model,
        batch=batch,
        tp=options.tp or default_tp(model),
        pp=options.pp,
        layers=options.layers,
        interleaving=None if options.interleaving is None else options.interleaving.value,
        requests=source,
        **_tools(options),
    )


def _tools(options: JobOptions) -> dict[str, Any]:
    if not isinstance(options, SimulationOptions):
        return {}
    return {"engine": options.engine.value, "cache": options.cache}


def load_systems(names: Sequence[str], settings: Sequence[str]) -> tuple[SystemSpec, ...]:
    """The systems with the settings put in; one that lacks the part a setting is about keeps what it has.

    A setting that no system has a place for is an error of the first. What is left out is noted.
    """
    plain = {name: load_system(name) for name in names} if len(names) > 1 and settings else {}
    fitting = {setting: [name for name in plain if has_key(plain[name], setting)] for setting in settings}
    loaded: list[SystemSpec] = []
    for name in names:
        skipped = [setting for setting in settings if fitting[setting] and name not in fitting[setting]]
        loaded.append(load_system(name, [setting for setting in settings if setting not in skipped]))
        for setting in skipped:
            note(f"{name}: not changed by --set {setting}, it has no such part")
    return tuple(loaded)


def has_key(system: SystemSpec, setting: str) -> bool:
    """Whether the system has the key of `key=value`, in full or without the sections in between."""
    key = setting.partition("=")[0].strip()
    section, _, rest = key.partition(".")
    keys = set(_keys(system.model_dump(), ""))
    return key in keys or any(name.startswith(f"{section}.") and name.endswith(f".{rest}") for name in keys)


def default_tp(model: Model) -> int:
    """Tensor-parallel devices that hold the model and a batch of some hundred requests, or one."""
    return DEFAULT_TP.get(model.name, 1)


def _requests(options: JobOptions) -> tuple[Batch, str]:
    if options.requests is not None:
        batch = read_requests(options.requests)
        return _first(batch, options.batch, options.requests), str(options.requests)
    dataset, seed = (options.dataset or Dataset.SHAREGPT).value, options.seed or 0
    size = options.batch or DEFAULT_BATCH
    return steady_batch(dataset, size, seed), f"{dataset}, seed {seed}"


def _first(batch: Batch, count: int | None, path: Path) -> Batch:
    if count is not None and count > len(batch):
        raise RequestError(f"{path}: holds {len(batch)} requests, --batch asks for {count}")
    return batch[:count]


def _keys(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from _keys(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
