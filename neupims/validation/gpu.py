"""The GPU roofline against requests that a real RTX 4090 served (vLLM 0.19, Llama-3.1-8B, bf16).

The records give four times for each request and no iterations; `replay` works these out. As long as every recorded
time falls where the replay puts it, first tokens and last tokens that come out cut the run into windows with known
iterations: these are compared one by one, by how many requests decode in them. Then the tokens stop being enough
(prompts that begin alike share blocks), and the rest of the run is compared as a whole: the replay runs on the
modelled clock, and each request's time per output token is set against its own.

The engine was idle only before the first request, whose iteration is lengthened by loading kernels, so there is no
prompt that ran alone; iterations filled with prompts show what computing one costs.

Nothing is fitted: efficiencies are those of the hardware file, measured by others or assumed there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import fmean, median, quantiles

from neupims.graph import load_model
from neupims.hardware.load import load_system
from neupims.hardware.npu import GpuSpec
from neupims.isa.work import RooflineWork
from neupims.lowering.decoder import read_decoder
from neupims.lowering.roofline import Chunk, lower_roofline
from neupims.machine.gpu import work_ps
from neupims.request import Request
from neupims.validation.check import Case, Check, References
from neupims.validation.replay import Iteration, Replay, replay
from neupims.validation.served import Engine, Served, read_engine, read_served

SYSTEM, MODEL = "gpu-rtx4090", "llama-3.1-8b"
REQUESTS, ENGINE = "requests.jsonl", "meta.json"
AGAINST = "RTX 4090, vLLM 0.19, Llama-3.1-8B: 300 ShareGPT requests"
SECTION = "Real GPUs"
SOURCE = (
    "a folder with the times of each request in an engine of vLLM (arrival, queued, scheduled, first and last token) "
    "and its token counts as requests.jsonl, and beside it the resolved configuration as meta.json"
)
MS, PS = 1e-3, 1e-12

Seconds = Callable[[Iteration], float]


@dataclass(frozen=True, slots=True)
class Window:
    """Time between two recorded events, and the iterations in it."""

    seconds: float
    iterations: tuple[Iteration, ...]

    @property
    def decoding(self) -> float:
        """Requests that decode, on average."""
        return fmean(sum(part.new == 1 for part in parts) for parts in self.iterations)

    @property
    def prompt_tokens(self) -> float:
        """Tokens of prompts in an iteration, on average."""
        return fmean(sum(part.new for part in parts if part.new > 1) for parts in self.iterations)


def modelled(system: str = SYSTEM, model: str = MODEL) -> Seconds:
    """Seconds that an iteration takes on the roofline of a GPU system."""
    gpu = load_system(system).processor
    assert isinstance(gpu, GpuSpec)
    shape = read_decoder(load_model(model).decode([1]))

    @cache
    def time(work: RooflineWork) -> int:
        return work_ps(work, gpu)

    def seconds(parts: Iteration) -> float:
        batch = tuple(Request(part.request, part.length) for part in parts if part.new == 1)
        chunks = [Chunk(part.new, part.length) for part in parts if part.new > 1]
        stages, repeats = lower_roofline(
            shape, batch, gpu.memory_bytes, chunks=chunks, tp=1, pp=1, head=True, all_reduce=False
        )
        each = (sum(time(work) for work in works if isinstance(work, RooflineWork)) for _, works in stages)
        return sum(times * ps for times, ps in zip(repeats, each, strict=True)) * PS

    return seconds


def windows(served: Sequence[Served], found: Replay) -> list[Window]:
    """The run between recorded events, as far as the replay puts every one of them where it was."""
    events = agreed(served, found)
    pairs = pairwise(events)
    return [Window(end - start, found.iterations[a + 1 : b + 1]) for (start, a), (end, b) in pairs]


def agreed(served: Sequence[Served], found: Replay) -> list[tuple[float, int]]:
    """Recorded time and iteration of the events in order, up to the first that contradicts the replay.

    Events of one iteration have one recorded time, later iterations later ones.
    """
    times = [request.first for request in served] + [request.last for request in served]
    events: list[tuple[float, int]] = []
    before = (-1.0, -1)
    for event in sorted(zip(times, (*found.first, *found.last), strict=True)):
        later, further = event[0] > before[0], event[1] > before[1]
        if later != further or event[1] < before[1]:
            return [earlier for earlier in events if earlier[0] < event[0]]
        if later:
            events.append(event)
            before = event
    return events


@dataclass(frozen=True, slots=True)
class Band:
    """Sizes of decode batches that are compared together."""

    low: int
    high: int
    """First size beyond it."""
    tolerance: float
    note: str = ""

    @property
    def name(self) -> str:
        """As in `batch-24-27`."""
        return f"batch-{self.low}-{self.high - 1}"

    def holds(self, size: float) -> bool:
        """Whether a mean size lies in it."""
        return self.low <= size < self.high


FULL = 512
"""Tokens of prompts in an iteration, on average over a window, from which arithmetic decides and not memory."""

DECODE_NOTE = (
    "The model is too fast by an amount that grows with the requests and their context. Two changes would close the "
    "gap in all bands alike, and the records cannot tell them apart: attention at 0.62 of the bandwidth instead of the "
    "assumed 0.78, or 55 us more for each request in each iteration, as for sampling from 128256 logits in fp32, which "
    "the model leaves out but for reading them. It is no constant of the iteration: 1.75 ms each would make batches "
    "below 24 6 % too slow."
)
FEW = "Few iterations, and neighbouring windows jitter by up to 10 ms: one is longer by what the next is shorter. "
PROMPT_NOTE = (
    "About 13 of 200 ms are activations of 2048 tokens that the model moves to memory and back between operators; the "
    "real L2 of 72 MB holds most of them. In the windows each further prompt token costs 85 us, which is 164 TFLOP/s."
)
MANY_NOTE = (
    f"{DECODE_NOTE} Requests that were displaced compute again what the replay thinks was lost; with whom a prompt "
    "shares its beginning is not recorded."
)

KINDS: dict[str, tuple[Callable[[float], bool], tuple[Band, ...]]] = {
    "decode": (lambda prompt: prompt == 0, (Band(24, 28, 0.08, FEW + DECODE_NOTE), Band(28, 34, 0.08, DECODE_NOTE))),
    "mixed": (
        lambda prompt: 0 < prompt < FULL,
        (Band(16, 24, 0.1, FEW + DECODE_NOTE), Band(24, 28, 0.08, DECODE_NOTE)),
    ),
    "prompts": (lambda prompt: prompt >= FULL, (Band(1, 16, 0.06, FEW + PROMPT_NOTE), Band(16, 40, 0.05, PROMPT_NOTE))),
}
"""Windows by tokens of prompts in an iteration: none, some, or so many that they fill it."""

REQUESTS_BY_BATCH = (
    *(Band(16, 24, 0.05, DECODE_NOTE), Band(24, 34, 0.08, MANY_NOTE), Band(34, 38, 0.08, MANY_NOTE)),
    *(Band(38, 42, 0.08, MANY_NOTE), Band(42, 51, 0.12, MANY_NOTE)),
)


def iterations(references: References) -> Iterator[Check]:
    """Milliseconds of an iteration in windows whose iterations are known, by kind and batch size."""
    served, engine = _records(references)
    seconds = modelled()
    known = windows(served, replay(served, engine, seconds, follow=True))
    for kind, (fits, bands) in KINDS.items():
        for band in bands:
            chosen = [w for w in known if fits(w.prompt_tokens) and band.holds(w.decoding)]
            done = [parts for window in chosen for parts in window.iterations]
            ours = fmean(map(seconds, done))
            theirs = sum(window.seconds for window in chosen) / len(done)
            name = f"gpu.rtx4090.iteration.{kind}.{band.name}"
            yield Check(name, AGAINST, ours / MS, theirs / MS, "ms", band.tolerance, band.note)


def requests(references: References) -> Iterator[Check]:
    """Milliseconds per output token, by the requests that decoded beside; and the run as a whole."""
    served, engine = _records(references)
    found = replay(served, engine, modelled(), follow=False)
    ours, theirs = _per_token(served, found), [request.per_token for request in served]
    beside = [companions(served, request) for request in served]
    for band in REQUESTS_BY_BATCH:
        mine, real = ([t for t, n in zip(times, beside, strict=True) if band.holds(n)] for times in (ours, theirs))
        name = f"gpu.rtx4090.request.{band.name}"
        yield Check(name, AGAINST, fmean(mine) / MS, fmean(real) / MS, "ms per token", band.tolerance, band.note)
    yield from _whole(served, found, ours, theirs)


def companions(served: Iterable[Served], one: Served) -> float:
    """Requests between their first and their last token, on average while `one` was, itself included."""
    overlaps = (min(other.last, one.last) - max(other.first, one.first) for other in served)
    return sum(overlap for overlap in overlaps if overlap > 0) / (one.last - one.first)


def _whole(served: Sequence[Served], found: Replay, ours: Sequence[float], theirs: Sequence[float]) -> Iterator[Check]:
    errors = [abs(mine / real - 1) for mine, real in zip(ours, theirs, strict=True)]
    waits = [found.ends[first] - request.queued for first, request in zip(found.first, served, strict=True)]
    real_waits = [request.first - request.queued for request in served]
    end, unit = max(request.last for request in served), "ms per token"
    spread = "Of single requests: which of them are displaced, and when, differs where prompts share blocks."
    rows = (
        ("mean", fmean(ours) / MS, fmean(theirs) / MS, unit, 0.08, MANY_NOTE),
        ("median", median(ours) / MS, median(theirs) / MS, unit, 0.08, MANY_NOTE),
        ("median-error", median(errors), 0, "of theirs", 0.08, MANY_NOTE),
        ("p90-error", quantiles(errors, n=10)[-1], 0, "of theirs", 0.15, spread),
        ("first-token", fmean(waits), fmean(real_waits), "s", 0.08, "Waiting for others, most of it. " + MANY_NOTE),
        ("all-served", found.ends[-1], end, "s", 0.08, MANY_NOTE),
    )
    for name, mine, real, unit, tolerance, note in rows:
        yield Check(f"gpu.rtx4090.request.{name}", AGAINST, mine, real, unit, tolerance, note)


def _per_token(served: Sequence[Served], found: Replay) -> list[float]:
    spans = zip(found.first, found.last, served, strict=True)
    return [(found.ends[last] - found.ends[first]) / (request.output - 1) for first, last, request in spans]


def _records(references: References) -> tuple[tuple[Served, ...], Engine]:
    records = references.find(REQUESTS)
    assert records is not None
    return read_served(records), read_engine(records.with_name(ENGINE))


CASES: tuple[Case, ...] = (
    Case("gpu.rtx4090.iteration", SECTION, iterations, (REQUESTS, ENGINE), SOURCE),
    Case("gpu.rtx4090.request", SECTION, requests, (REQUESTS, ENGINE), SOURCE),
)
