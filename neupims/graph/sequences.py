"""What a model is traced over: the sequences of an autoregressive model, or the samples of any other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from neupims.errors import ModelError

Phase = Literal["decode", "prefill", "forward", "training"]
"""One new token for each request; all tokens of each prompt; one pass over a batch of samples; or a training step."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """One sequence for each request: its new tokens and its context. Tokens of all requests are packed, not padded."""

    phase: Phase
    new: tuple[int, ...]
    """Tokens computed now, for each request."""
    lengths: tuple[int, ...]
    """Tokens of context for each request, the new ones included."""

    @property
    def batch(self) -> int:
        """Number of requests."""
        return len(self.lengths)

    @property
    def keeps(self) -> bool:
        """Whether there is a next step for which caches and states are kept."""
        return self.phase != "training"

    @property
    def tokens(self) -> int:
        """New tokens of all requests: rows of every activation."""
        return sum(self.new)

    @property
    def context(self) -> int:
        """Tokens of context of all requests: rows of the KV cache."""
        return sum(self.lengths)


def decode_step(lengths: Iterable[int]) -> Sequences:
    """Each request computes one new token, the last of its context of `lengths[i]` tokens."""
    checked = _checked(lengths, "decode")
    return Sequences("decode", (1,) * len(checked), checked)


def prompts(lengths: Iterable[int]) -> Sequences:
    """Each request computes all `lengths[i]` tokens of its prompt at once."""
    checked = _checked(lengths, "prefill")
    return Sequences("prefill", checked, checked)


def samples(lengths: Iterable[int]) -> Sequences:
    """One pass over a sample of each request; those with tokens have `lengths[i]` of them, without a cache."""
    checked = _checked(lengths, "forward")
    return Sequences("forward", checked, checked)


def training_batch(lengths: Iterable[int]) -> Sequences:
    """A training step over whole sequences of `lengths[i]` tokens, or over one sample of each request."""
    checked = _checked(lengths, "training")
    return Sequences("training", checked, checked)


PHASES: dict[Phase, Callable[[Iterable[int]], Sequences]] = {
    "decode": decode_step,
    "prefill": prompts,
    "forward": samples,
    "training": training_batch,
}


def _checked(lengths: Iterable[int], phase: Phase) -> tuple[int, ...]:
    checked = tuple(lengths)
    if not checked:
        raise ModelError(f"{phase}: no requests; give the length of at least one")
    for index, length in enumerate(checked):
        if type(length) is not int or length < 1:
            raise ModelError(f"{phase}: length of request {index} is {length!r}; it must be an integer of at least 1")
    return checked
