"""What is asked for, by name: systems, a model, requests and settings; and the same loaded and checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from neupims import __version__
from neupims.errors import ModelError, RequestError
from neupims.graph import Model, load_model
from neupims.hardware.load import load_system
from neupims.hardware.system import SystemSpec
from neupims.lowering.decoder import read_decoder
from neupims.request import (
    DEFAULT_BATCH,
    DEFAULT_DATASET,
    DEFAULT_SAMPLES,
    Batch,
    Interleaving,
    JobSpec,
    Phase,
    Request,
)
from neupims.results.digest import digest
from neupims.serving.datasets import steady_batch
from neupims.serving.readers import read_requests

DEFAULT_TP: Mapping[str, int] = {"gpt3-7b": 4, "gpt3-13b": 4, "gpt3-30b": 8, "gpt3-175b": 8}
"""Tensor-parallel degrees in the model files of the published simulator, except that it has 4 for GPT3-30B (with two
pipeline stages): the weights and the KV cache of 256 requests do not fit on four devices of 32 GiB."""
MOST_DEVICES = (1, 2, 4, 8)
WEIGHTS_FOR_TP, BYTES_OF_DEVICE = 4 << 30, 22 << 30
"""What one of the devices of the shipped systems, of 32 GiB and more, gets: of weights, and of weights and states."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the library is asked to simulate."""

    systems: tuple[SystemSpec, ...]
    model: Model
    batch: Batch
    tp: int
    pp: int
    layers: int | None
    periods: int
    interleaving: Interleaving | None
    requests: str
    """Where the requests come from, for people."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    phase: Phase | None = None
    notes: tuple[str, ...] = ()
    """What was left out, for people."""

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of `simulate` and `compare`."""
        settings = {"tp": self.tp, "pp": self.pp, "layers": self.layers, "periods": self.periods}
        return settings | {"interleaving": self.interleaving, "phase": self.phase}

    def resolved(self) -> dict[str, Any]:
        """Everything that the results depend on, as plain data."""
        placed = any(request.channel is not None for request in self.batch)
        options = {"options": dict(self.options)} if self.options else {}
        return {
            "version": __version__,
            "model": {"name": self.model.name, "variant": self.model.variant, **options},
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


def load_job(spec: JobSpec) -> Job:
    """Load what `spec` names.

    Raises:
        NeupimsError: of whatever is wrong; RequestError for settings that exclude each other.
    """
    if (conflict := spec.conflict()) is not None:
        raise RequestError(conflict)
    model = load_model(spec.model, spec.variant, options=dict(spec.options))
    batch, source = _requests(spec, default_batch(model))
    systems, notes = load_systems(spec.systems, spec.overrides)
    tp = spec.tp or default_tp(model)
    return Job(
        systems=systems,
        model=model,
        batch=batch,
        tp=tp,
        pp=spec.pp or default_pp(model, tp, batch, spec.phase),
        layers=spec.layers,
        periods=spec.periods,
        interleaving=spec.interleaving,
        requests=source,
        options=spec.options,
        phase=spec.phase,
        notes=notes,
    )


def load_systems(names: Sequence[str], settings: Sequence[str]) -> tuple[tuple[SystemSpec, ...], tuple[str, ...]]:
    """The systems with the settings put in, and notes on what was left out.

    One that lacks the part a setting is about keeps what it has. A setting that no system has a place for is an error
    of the first.
    """
    plain = {name: load_system(name) for name in names} if len(names) > 1 and settings else {}
    fitting = {setting: [name for name in plain if has_key(plain[name], setting)] for setting in settings}
    loaded, notes = list[SystemSpec](), list[str]()
    for name in names:
        skipped = [setting for setting in settings if fitting[setting] and name not in fitting[setting]]
        loaded.append(load_system(name, [setting for setting in settings if setting not in skipped]))
        notes += [f"{name}: not changed by --set {setting}, it has no such part" for setting in skipped]
    return tuple(loaded), tuple(notes)


def has_key(system: SystemSpec, setting: str) -> bool:
    """Whether the system has the key of `key=value`, in full or without the sections in between."""
    key = setting.partition("=")[0].strip()
    section, _, rest = key.partition(".")
    keys = set(_keys(system.model_dump(), ""))
    return key in keys or any(name.startswith(f"{section}.") and name.endswith(f".{rest}") for name in keys)


def default_tp(model: Model) -> int:
    """Tensor-parallel devices that hold the weights of a decoder beside a batch of some hundred requests, or one.

    The fewest that divide its heads and take WEIGHTS_FOR_TP of weights each, or as many as divide them.
    """
    if model.name in DEFAULT_TP or model.passes != "decode":
        return DEFAULT_TP.get(model.name, 1)
    graph = model.smallest
    try:
        shape = read_decoder(graph)
    except ModelError:
        return 1
    dividing = [tp for tp in MOST_DEVICES if not any(n % tp for n in (shape.heads, shape.kv_heads, shape.ffn))]
    return next((tp for tp in dividing if graph.weight_bytes <= tp * WEIGHTS_FOR_TP), dividing[-1])


def default_pp(model: Model, tp: int, batch: Batch, phase: Phase | None = None) -> int:
    """Pipeline stages that leave each device no more than BYTES_OF_DEVICE of weights and states.

    One for the models of the paper, and never more than layers or requests.
    """
    if model.name in DEFAULT_TP:
        return 1
    graph = model.trace([request.length for request in batch], phase)
    layers = max((block.count for block in graph.blocks), default=1)
    wanted = -(-(graph.weight_bytes + graph.state_bytes) // (tp * BYTES_OF_DEVICE))
    return min(1 << max(0, wanted - 1).bit_length(), layers, len(batch))


def default_batch(model: Model) -> int:
    """Requests, or samples, of a batch if none are asked for."""
    return model.architecture.batch or (DEFAULT_BATCH if model.passes == "decode" else DEFAULT_SAMPLES)


def _requests(spec: JobSpec, usual: int) -> tuple[Batch, str]:
    if spec.requests is not None:
        batch = read_requests(spec.requests)
        return _first(batch, spec.batch, spec.requests), str(spec.requests)
    size = spec.batch or usual
    if spec.length is not None:
        return tuple(Request(index, spec.length) for index in range(size)), f"{spec.length} tokens each"
    dataset, seed = spec.dataset or DEFAULT_DATASET, spec.seed or 0
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
