"""How a training step is done."""

from dataclasses import dataclass
from typing import Literal

Optimizer = Literal["adamw", "adam", "momentum", "sgd"]
Loss = Literal["cross_entropy", "squared_error"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices that are no part of the architecture."""

    optimizer: Optimizer
    recompute: bool
    """Whether blocks keep only what comes into them and compute the rest again in the backward pass."""
