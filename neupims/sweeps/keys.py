"""What a point of a sweep can have: settings of a job, options of the model, and values of the hardware."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from neupims.errors import ConfigError
from neupims.hardware.document import Section
from neupims.hardware.schema import key_paths
from neupims.request import JobSpec

COUNTS = ("tp", "pp", "layers", "periods", "batch", "length")
TEXTS = ("system", "model", "variant", "phase", "dataset", "requests")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "interleaving": ("on", "off", "auto"),
    "dataset": ("sharegpt", "alpaca"),
    "phase": ("decode", "prefill", "forward", "training"),
}
JOB_KEYS = ("system", "model", "variant", "phase", "tp", "pp", "layers", "periods", "interleaving")
REQUEST_KEYS = ("requests", "dataset", "length", "batch", "seed")
MODEL_FILES = (".json", ".onnx")
"""Ends of names of models that are files."""
OPTION = "option."
"""Begins the name of an option of the model."""


def is_known(key: str) -> bool:
    """Whether a point can have `key`; a value of the hardware may leave out the sections in between."""
    if key in (*JOB_KEYS, *REQUEST_KEYS) or key.startswith(OPTION):
        return True
    section, _, rest = key.partition(".")
    return bool(rest) and any(
        path == key or (path.startswith(f"{section}.") and path.endswith(f".{rest}")) for path in hardware_keys()
    )


def allowed_keys(key: str) -> Sequence[str]:
    """Keys among which the nearest to a wrong one is looked for."""
    return _paths() if "." in key else (*JOB_KEYS, *REQUEST_KEYS)


@cache
def hardware_keys() -> tuple[str, ...]:
    """Dotted names of all values that a system may have."""
    names = _paths()
    sections = {name.rpartition(".")[0] for name in names}
    return tuple(name for name in names if name not in sections)


@cache
def _paths() -> tuple[str, ...]:
    """The same with the sections that values are in."""
    return tuple(key_paths(Section("", {})))


def job_spec(values: Mapping[str, Any], places: Mapping[str, str], folder: Path) -> JobSpec:
    """The job of a point, for one system; files are looked for from `folder` on.

    Raises:
        ConfigError: a value is of the wrong kind; `places` says where each was given.
    """
    given = {key: _checked(key, value, places.get(key, key)) for key, value in values.items() if value is not None}
    options = {key.removeprefix(OPTION): value for key, value in given.items() if key.startswith(OPTION)}
    plain = {key: value for key, value in given.items() if key in (*JOB_KEYS, *REQUEST_KEYS)}
    if "requests" in plain:
        plain["requests"] = folder / plain["requests"]
    if Path(plain.get("model", "")).suffix in MODEL_FILES:
        plain["model"] = str(folder / plain["model"])
    settings = [f"{key}={_yaml(value)}" for key, value in given.items() if key not in plain and key[:7] != OPTION]
    systems = (system_name(plain.pop("system"), folder),) if "system" in plain else ()
    return JobSpec(systems=systems, options=options, overrides=tuple(settings), **plain)


def system_name(name: str, folder: Path) -> str:
    """The name of a system, or the path of its file, from `folder` on."""
    return str(folder / name) if Path(name).suffix in (".yaml", ".yml") else name


def _checked(key: str, value: Any, place: str) -> Any:
    if key in COUNTS and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigError(f"{place}: {key}: {_yaml(value)} is not allowed, must be a whole number of at least 1")
    if key == "seed" and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ConfigError(f"{place}: seed: {_yaml(value)} is not allowed, must be a whole number of at least 0")
    if key in TEXTS and not isinstance(value, str):
        raise ConfigError(f"{place}: {key}: {_yaml(value)} is not allowed, must be a name")
    if key in CHOICES and value not in CHOICES[key]:
        raise ConfigError(f"{place}: {key}: {_yaml(value)} is not allowed, must be one of {', '.join(CHOICES[key])}")
    return value


def _yaml(value: Any) -> str:
    """A value as one writes it."""
    if isinstance(value, list):
        return f"[{', '.join(_yaml(item) for item in cast('list[Any]', value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
