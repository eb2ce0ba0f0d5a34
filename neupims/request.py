"""A request and a batch of them, and what is asked of the simulator: plain data that several rooms speak of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

DEFAULT_MODEL = "gpt3-30b"
DEFAULT_BATCH, DEFAULT_SAMPLES = 256, 32
"""Requests of an autoregressive model, and samples of any other."""
DEFAULT_SYSTEMS = ("gpu-a100", "npu-only", "npu-pim", "neupims")
DEFAULT_DATASET = "sharegpt"


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens of a context whose KV cache is in one memory channel."""

    channel: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence in a batch.

    `length` counts the tokens of its context, prompt and generated ones together, the new token
    included. `channel` is the memory channel that holds its KV cache, or None until one is assigned.
    """

    id: int
    length: int
    channel: int | None = None
    parts: tuple[Part, ...] = ()
    """Where the KV cache lies if its tokens are spread over several channels, of which `channel` is the last."""


Batch = tuple[Request, ...]

Interleaving = Literal["on", "off", "auto"]
Phase = Literal["decode", "prefill", "forward", "training"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What is asked for; None leaves a choice to the default."""

    systems: tuple[str, ...] = DEFAULT_SYSTEMS
    """Names or YAML files."""
    model: str = DEFAULT_MODEL
    variant: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the model, by name."""
    phase: Phase | None = None
    """None: a decode step of an autoregressive model, a forward pass of any other."""
    tp: int | None = None
    pp: int | None = None
    layers: int | None = None
    periods: int = 1
    """Layers, or passages from one to the next, that are simulated to stand for the others."""
    interleaving: Interleaving | None = None
    requests: Path | None = None
    """A file of requests; else they are drawn from `dataset` with `seed`, or have `length` tokens each."""
    dataset: str | None = None
    length: int | None = None
    batch: int | None = None
    seed: int | None = None
    overrides: tuple[str, ...] = ()
    """KEY=VALUE for hardware, put into all systems that have the key."""

    def conflict(self, prefix: str = "") -> str | None:
        """Which settings exclude each other, if any do; `prefix` stands before their names."""
        sources = [name for name in ("requests", "dataset", "length") if getattr(self, name) is not None]
        if len(sources) > 1:
            return f"{prefix}{sources[0]} and {prefix}{sources[1]} exclude each other"
        if self.seed is not None and sources and sources[0] != "dataset":
            what = "a file" if sources[0] == "requests" else "a given length"
            return f"{prefix}seed belongs to {prefix}dataset; requests of {what} are not drawn"
        return None
