"""The profiles `neupims-authors`, `npu-pim-authors` and `npu-only-authors` against the published NeuPIMs simulator.

Each run is one decode iteration of one decoder block (two for each half of the batch where it is interleaved); compared
are its operators, its stages and its end, in cycles of 1 ns. Both sides count alike: the published log takes two cycles
more for stage A, and one more for every other stage and for the end, than its operators last; so do our figures here.
Some runs were stopped after stage B; their total is the end of that stage.
Logit stands for logit and softmax, which the log does not tell apart.

Uniform batches run everywhere: 256x8 is eight requests of 256 tokens, one on each of the first eight channels. The
other batches are files that are not shipped. `8-heads` is what one device has of GPT3-7B at tensor parallel degree 4.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from neupims.errors import NeupimsError, RequestError
from neupims.graph import list_models, load_model
from neupims.hardware.load import load_system
from neupims.request import Batch, Request
from neupims.results.record import Run
from neupims.serving.readers import read_requests
from neupims.simulation import simulate
from neupims.validation.check import Case, Check, References
from neupims.validation.published_rows import TOTAL, PublishedRun, read_rows, shipped_runs

CHANNELS = 32
"""Of every published system; a uniform batch goes round them."""

UNIFORM = re.compile(r"[su](\d{1,6})_b(\d{1,5})(_ch0)?\.csv")
"""Files that need not be there: so many tokens, so many requests, all on channel 0 or not."""

STAGE_LIMIT, OPERATOR_LIMIT = 0.03, 0.05
"""Largest error of stages and totals, and of operators, where they need not be exact."""

SLOW_FROM, SLOW_CHAIN_FROM = 256, 64
"""Requests from which a run takes more than a few seconds; fewer where the NPU runs attention head by head."""

FIRST_STAGE, OTHER_STAGE, END = 2, 1, 1
"""Cycles that the published log counts beyond those of the operators."""

BRANCHES: Mapping[str, tuple[str, str]] = {
    "neupims-authors": ("NeuPIMs as published (two row buffers)", "published NeuPIMs simulator, main"),
    "npu-pim-authors": ("NPU+PIM as published (one row buffer)", "published NeuPIMs simulator, npu+pim"),
    "npu-only-authors": ("NPU-only as published", "published NeuPIMs simulator, npu-only"),
}
"""Section and source, by profile."""

DRAWN = "drawn from {} lengths for this comparison, longest first, one channel after the other; not public"
SOURCES = (
    ("share-gpt2", "folder request-traces of github.com/casys-kaist/NeuPIMs"),
    ("sgpt_clb", DRAWN.format("ShareGPT")),
    ("alpaca", DRAWN.format("Alpaca")),
)
"""Where a request file can be had, by the beginning of its name."""

TOGETHER = "logit ends earlier or later than theirs by what attend makes up for: the stage agrees to the cycle"

PS = 1000
"""Picoseconds of a cycle."""

OPERATOR = re.compile(r"(?:sb\d\.)?layer\d+\.(.+)")


def cases_of(runs: Iterable[PublishedRun], prefix: str) -> tuple[Case, ...]:
    """One case for each run."""
    return tuple(_case(run, f"{prefix}.{run.name}") for run in runs)


def user_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a user's table, one for each of its runs. Raises ResultError for a table that is wrong."""
    return cases_of(read_rows(path), "rows")


def _case(run: PublishedRun, name: str) -> Case:
    section, _ = BRANCHES.get(run.system, (f"{run.system} against a published run", ""))
    return Case(
        name=name,
        section=section,
        measure=lambda references: compare(run, name, references),
        needs=() if UNIFORM.fullmatch(run.requests) else (run.requests,),
        source=next((source for start, source in SOURCES if run.requests.startswith(start)), ""),
        slow=_is_slow(run),
    )


def _is_slow(run: PublishedRun) -> bool:
    most = SLOW_CHAIN_FROM if run.system == "npu-only-authors" else SLOW_FROM
    return run.interleaving == "on" or run.batch >= most


def compare(run: PublishedRun, name: str, references: References) -> Iterator[Check]:
    """Every figure of a published run beside ours.

    Raises:
        NeupimsError: the run cannot be simulated, or does not have one of the figures.
    """
    ours = cycles(simulated(run, batch_of(run, references)))
    ours[TOTAL] = ours.get(f"end.{_last_stage(run)}", ours[TOTAL])
    _, against = BRANCHES.get(run.system, ("", "published NeuPIMs simulator"))
    for key, theirs in run.cycles.items():
        if key not in ours:
            raise NeupimsError(f"no {key} in this run, which has {', '.join(ours)}")
        tolerance = 0 if run.is_exact(key) else STAGE_LIMIT if _is_stage(key) else OPERATOR_LIMIT
        yield Check(f"{name}.{key}", against, ours[key], theirs, "cycles", tolerance, _note(run, key))


def _note(run: PublishedRun, key: str) -> str:
    """Where a stage agrees and its halves do not: that they make up for each other."""
    stage = key.removesuffix(".attention.logit").removesuffix(".attention.attend")
    end = stage if stage in run.cycles else TOTAL
    return TOGETHER if stage != key and run.is_exact(end) and not run.is_exact(key) else ""


def _last_stage(run: PublishedRun) -> str:
    """The stage in which the published run was stopped, or none."""
    stages = {key[0] for key in run.cycles if key[1:2] in ("", ".")}
    return max(stages, default="")


def _is_stage(key: str) -> bool:
    return key == TOTAL or len(key) == 1


def simulated(run: PublishedRun, batch: Batch) -> Run:
    """The same run here: one decoder block, or two where the batch is interleaved."""
    system = load_system(run.system, ["memory.controller.refresh=off"] if run.refresh == "off" else [])
    model = load_model(_known(run.model), options={"heads": run.heads, "width": run.width})
    layers = 2 if run.interleaving == "on" else 1
    mode = "on" if run.interleaving == "on" else "off"
    return simulate(system, model, batch, tp=run.tp, layers=layers, interleaving=mode)


def _known(model: str) -> str:
    """The model of this name; a name that is only that of a shape stands for GPT-3 with its heads and width."""
    gpt3 = next(found for found in list_models() if found.name == "gpt3")
    names = [f"gpt3-{variant}" for variant in gpt3.variants]
    return model.lower() if model.lower() in names else names[0]


def batch_of(run: PublishedRun, references: References) -> Batch:
    """The requests of a run: of the file, or by the rule in its name. RequestError if they are not as many as said."""
    path = references.find(run.requests)
    batch = uniform(run.requests) if path is None else read_requests(path)
    if len(batch) != run.batch:
        raise RequestError(f"{run.requests}: holds {len(batch)} requests, the run has {run.batch}")
    return batch


def uniform(name: str) -> Batch:
    """Requests of one length by the name of their file, or none."""
    found = UNIFORM.fullmatch(name)
    if found is None:
        return ()
    step = 0 if found[3] else 1
    return tuple(Request(number, int(found[1]), number * step % CHANNELS) for number in range(int(found[2])))


def cycles(run: Run) -> dict[str, int]:
    """Cycles of operators, stages and the whole as the published log counts them; operators also without their stage.

    `end.A` is when stage A has ended.
    """
    figures: dict[str, int] = {}
    for number, stage in enumerate(run.stages):
        inside = [operator for operator in run.operators if stage.start_ps <= operator.start_ps < stage.end_ps]
        named = {found[1]: span for span in inside if (found := OPERATOR.fullmatch(span.name))}
        for name, span in named.items():
            figures[f"{stage.name}.{name}"] = figures[name] = (span.end_ps - span.start_ps) // PS
        figures[stage.name] = (stage.end_ps - stage.start_ps) // PS + (OTHER_STAGE if number else FIRST_STAGE)
        figures[f"end.{stage.name}"] = figures[TOTAL] = stage.end_ps // PS + END
    return figures


CASES = cases_of(shipped_runs(), "published")
