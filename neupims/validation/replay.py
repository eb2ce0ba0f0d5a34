"""What a real engine computed in each iteration, worked out from the lengths and arrivals of its requests.

The rules are those of vLLM's scheduler (version 1, first come first served, prompts in chunks): requests that run get
one token each, the rest of the budget goes to prompts in order of arrival, as long as the whole prompt finds room in
the KV cache; when the cache is full, the request that came last gives its blocks back and waits at the head of the
queue. An iteration is put together while the one before it still runs, so what ended there is not known yet.

Not known from the records are the tokens themselves: prompts that begin alike share blocks in the real engine.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from neupims.errors import RequestError
from neupims.validation.paging import Pool
from neupims.validation.served import Engine, Served


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens of one request in one iteration."""

    request: int
    new: int
    length: int
    """Tokens of context after it."""


Iteration = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """Iterations, when each ended, and which gave the first and the last token of each request."""

    iterations: tuple[Iteration, ...]
    ends: tuple[float, ...]
    """Seconds since the first arrival."""
    first: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(slots=True)
class _Progress:
    """How far each request is."""

    served: Sequence[Served]
    made: list[int]
    """Tokens generated."""
    held: list[int]
    """Tokens in the KV cache."""
    first: list[int]
    last: list[int]

    def total(self, request: int) -> int:
        return self.served[request].prompt + self.made[request]

    def done(self, request: int) -> bool:
        return self.made[request] == self.served[request].output

    def advance(self, part: Part, iteration: int) -> float | None:
        """Count a part; the recorded time of the first or last token that comes out of it."""
        request, served = part.request, self.served[part.request]
        self.held[request] = part.length
        if part.length < self.total(request):
            return None
        self.made[request] += 1
        if self.done(request):
            self.last[request] = iteration
            return served.last
        if self.made[request] == 1:
            self.first[request] = iteration
            return served.first
        return None


@dataclass(slots=True)
class _Scheduler:
    """Puts iterations together."""

    engine: Engine
    progress: _Progress
    pool: Pool
    waiting: deque[int] = field(default_factory=deque[int])
    running: list[int] = field(default_factory=list[int])

    def iteration(self) -> Iteration:
        """The next iteration; empty if there is nothing to compute."""
        parts: list[Part] = []
        before = len(self.running)
        left = self._running(parts, self.engine.budget)
        if len(self.running) == before:
            self._waiting(parts, left)
        return tuple(parts)

    def forget(self, ended: Sequence[int]) -> None:
        """Requests whose last token is known to be out."""
        for request in ended:
            (self.running if request in self.running else self.waiting).remove(request)
            self.pool.release(request)

    def _running(self, parts: list[Part], left: int) -> int:
        for place, request in enumerate(tuple(self.running)):
            if not left or place >= len(self.running):
                break
            if not self.progress.done(request) and self._make_room(request, left):
                left -= self._add(parts, request, left)
        return left

    def _waiting(self, parts: list[Part], left: int) -> None:
        while left and self.waiting and len(self.running) < self.engine.requests:
            request, total = self.waiting[0], self.progress.total(self.waiting[0])
            if self.pool.lacking(request, total) > self.pool.free:
                break
            self.running.append(self.waiting.popleft())
            self.progress.held[request] = self.pool.resume(request, total)
            left -= self._add(parts, request, left)

    def _make_room(self, request: int, left: int) -> bool:
        """Take blocks from the requests that came last; whether this one was not among them."""
        tokens = min(self.progress.total(request), self.progress.held[request] + left)
        while self.pool.lacking(request, tokens) > self.pool.free:
            victim = self.running.pop()
            self.pool.release(victim)
            self.progress.held[victim] = 0
            self.waiting.appendleft(victim)
            if victim == request:
                return False
        return True

    def _add(self, parts: list[Part], request: int, left: int) -> int:
        before = self.progress.held[request]
        new = min(self.progress.total(request) - before, left)
        self.pool.take(request, before + new)
        self.pool.fill(request, before, before + new)
        parts.append(Part(request, new, before + new))
        return new


def replay(served: Sequence[Served], engine: Engine, seconds: Callable[[Iteration], float], *, follow: bool) -> Replay:
    """All iterations of a run.

    An iteration takes `seconds`, except the first, whose length is recorded, as the second cannot be put together
    before the first is launched, which takes long the first time; with `follow`, the clock is set to the recorded
    time wherever a first or last token comes out. RequestError for a request that the KV cache cannot hold.
    """
    _check_room(served, engine)
    count = len(served)
    progress = _Progress(served, [0] * count, [0] * count, [-1] * count, [-1] * count)
    scheduler = _Scheduler(engine, progress, Pool(engine.blocks, engine.block_tokens))
    arriving, ended = deque(range(count)), deque[tuple[int, list[int]]]()
    iterations: list[Iteration] = []
    ends: list[float] = []
    while arriving or scheduler.waiting or scheduler.running:
        index, now = len(ends), _now(ends)
        while ended and ended[0][0] < index - 1:
            scheduler.forget(ended.popleft()[1])
        while arriving and served[arriving[0]].queued <= now + SLACK:
            scheduler.waiting.append(arriving.popleft())
        parts = scheduler.iteration()
        known = [time for part in parts if (time := progress.advance(part, index)) is not None]
        end = _end(ends, parts, served, seconds)
        ends.append(known[0] if known and follow else end)
        iterations.append(parts)
        ended.append((index, [part.request for part in parts if progress.last[part.request] == index]))
        if not (parts or scheduler.waiting or scheduler.running) and arriving:
            ends[-1] = served[arriving[0]].queued
    return Replay(tuple(iterations), tuple(ends), tuple(progress.first), tuple(progress.last))


SLACK = 1e-3
"""Seconds between a result and the next iteration that is put together; who arrives in between still takes part."""


def _check_room(served: Sequence[Served], engine: Engine) -> None:
    most = engine.blocks * engine.block_tokens
    for number, request in enumerate(served):
        if request.prompt + request.output - 1 > most:
            raise RequestError(
                f"request {number}: {request.prompt} tokens of prompt and {request.output} of output are more than the "
                f"{most} that the KV cache of the engine holds"
            )


def _now(ends: Sequence[float]) -> float:
    """When the next iteration is put together: as the last but one ends; but the second, when the first does."""
    return ends[max(len(ends) - 2, 0)] if ends else 0.0


def _end(
    ends: Sequence[float], parts: Iteration, served: Sequence[Served], seconds: Callable[[Iteration], float]
) -> float:
    if not ends:
        return min(request.scheduled for request in served if request.scheduled > served[0].scheduled)
    return ends[-1] + (seconds(parts) if parts else 0.0)
