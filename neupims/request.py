"""A request and a batch of them: plain data that several rooms speak of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence in a batch.

    `length` counts the tokens of its context, prompt and generated ones together, the new token
    included. `channel` is the memory channel that holds its KV cache, or None until one is assigned.
    """

    id: int
    length: int
    channel: int | None = None


Batch = tuple[Request, ...]
