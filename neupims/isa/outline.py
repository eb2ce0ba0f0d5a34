"""Which parts of the model run in which stage: what a scheduler decides and a lowering carries out."""

from dataclasses import dataclass
from typing import Literal

Operators = Literal["qkv", "attention", "ffn"]
"""Operator groups of a decoder block: norm and QKV; logit, softmax and attend; projection to second residual."""


@dataclass(frozen=True, slots=True)
class Part:
    """One operator group of one layer for one sub-batch."""

    operators: Operators
    sub_batch: int
    layer: int


@dataclass(frozen=True, slots=True)
class StageOutline:
    """The parts of two programs that start together, and how often the stage stands in the iteration."""

    name: str
    npu: tuple[Part, ...]
    attention: tuple[Part, ...]
    """Decode attention; runs in PIM where the system has it, else on the NPU after its other parts."""
    repeats: int = 1
    barrier: bool = True
    """Whether it begins when the stage before has ended; see `isa.work.Plan`."""


Outline = tuple[StageOutline, ...]
