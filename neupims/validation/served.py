"""Requests that a real engine served, and the settings that decide what it computes in each iteration."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neupims.errors import RequestError

Document = dict[str, Any]
TIMES = ("queued_ts", "scheduled_ts", "first_token_ts", "last_token_ts")


@dataclass(frozen=True, slots=True)
class Served:
    """One request as recorded; times in seconds since the first arrival."""

    prompt: int
    output: int
    """Tokens generated."""
    queued: float
    scheduled: float
    """When it was first taken into an iteration."""
    first: float
    """When its first token came out."""
    last: float

    @property
    def per_token(self) -> float:
        """Seconds for each token after the first."""
        return (self.last - self.first) / (self.output - 1)


@dataclass(frozen=True, slots=True)
class Engine:
    """What bounds an iteration of an engine with a paged KV cache and prompts in chunks."""

    blocks: int
    """Blocks of the KV cache that requests can have."""
    block_tokens: int
    budget: int
    """Most tokens computed in one iteration."""
    requests: int
    """Most requests that run at a time."""


def read_served(path: Path) -> tuple[Served, ...]:
    """Requests of a file of JSON lines, in order of arrival; RequestError for a line that is none."""
    records = [_record(f"{path}:{number}", line) for number, line in enumerate(_lines(path), 1)]
    if not records:
        raise RequestError(f"{path}: empty; each line holds a request with {', '.join(TIMES)}")
    origin = min(record["queued_ts"] for record in records)
    served = (
        Served(record["input_toks"], record["output_toks"], *(record[time] - origin for time in TIMES))
        for record in records
    )
    return tuple(sorted(served, key=lambda request: request.queued))


def read_engine(path: Path) -> Engine:
    """Settings of the engine from the JSON file beside the requests; RequestError if one is missing."""
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
        cache, options = document["kv_cache"], document["engine_kwargs"]
        # One block is never handed out; block tables point to it where they are empty.
        return Engine(
            blocks=cache["num_gpu_blocks"] - 1,
            block_tokens=cache["block_size"],
            budget=options["max_num_batched_tokens"],
            requests=options["max_num_seqs"],
        )
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise RequestError(f"{path}: not the settings of a vLLM engine: {type(error).__name__}: {error}") from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: cannot be read: {error}") from None


def _record(where: str, line: str) -> Document:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise RequestError(f"{where}: not JSON: {error}") from None
    missing = [key for key in ("input_toks", "output_toks", *TIMES) if key not in record]
    if missing:
        raise RequestError(f"{where}: no {', '.join(missing)}")
    return record
