"""Legal plans: what every lowering promises and every machine relies on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neupims.isa.dependencies import dependency_problems
from neupims.isa.memory import GWRITE, TILE
from neupims.isa.work import Loads, NpuWork, PimMatrix, PimRequest, PimWork, Plan, Records, Stage, Stores


@dataclass(frozen=True, slots=True)
class Bounds:
    """The memory that a plan is for."""

    channels: int
    banks: int
    """Banks per channel."""
    rows: int
    bursts_per_row: int
    burst_bytes: int


def verify(plan: Plan, bounds: Bounds) -> None:
    """Raise ValueError with the first ten problems of a plan, if it has any."""
    found = problems(plan, bounds)
    if found:
        raise ValueError("illegal plan: " + "; ".join(found[:10]))


def problems(plan: Plan, bounds: Bounds) -> list[str]:
    """Everything that is wrong with a plan, one sentence for each."""
    found: list[str] = []
    if len(plan.stages) != len(plan.repeats):
        found.append(f"{len(plan.stages)} stages have {len(plan.repeats)} repeats")
    if any(repeats < 1 for repeats in plan.repeats):
        found.append("a stage is repeated less than once")
    for stage in plan.stages:
        found += [f"{stage.name}: {problem}" for problem in _stage(stage, bounds)]
    if plan.barriers is not None and len(plan.barriers) != len(plan.stages):
        return [*found, f"{len(plan.stages)} stages have {len(plan.barriers)} barriers"]
    for numbers in plan.groups():
        found += dependency_problems([plan.stages[number] for number in numbers])
    return found


def _stage(stage: Stage, bounds: Bounds) -> Iterator[str]:
    for work in stage.npu:
        if isinstance(work, NpuWork):
            yield from (f"{work.name}: {problem}" for problem in npu_problems(work, bounds))
    for work in stage.pim:
        check = matrix_problems(work, bounds) if isinstance(work, PimMatrix) else pim_problems(work, bounds)
        yield from (f"{work.name}: {problem}" for problem in check)


def npu_problems(work: NpuWork, bounds: Bounds) -> Iterator[str]:
    """What is wrong with the steps, loads and stores of an operator."""
    loaded = work.loads.runs
    yield from (f"loads: {problem}" for problem in _runs(loaded, bounds, len(work.loads.bytes), write=False))
    yield from (f"stores: {problem}" for problem in _runs(work.stores.runs, bounds, len(work.stores.bytes), write=True))
    yield from _loads(work.loads, loaded, bounds)
    yield from _steps(work.steps, work.loads, 0 if work.chain else 1)
    yield from _stores(work.stores, len(work.steps))


def _runs(runs: Records, bounds: Bounds, blocks: int, write: bool) -> Iterator[str]:
    limits = (("channel", bounds.channels), ("bank", bounds.banks), ("row", bounds.rows), ("block", blocks))
    for name, count in limits:
        if np.any((runs[name] < 0) | (runs[name] >= count)):
            yield f"a run has a {name} outside 0 to {count - 1}"
    if np.any((runs["column"] < 0) | (runs["bursts"] < 1)):
        yield "a run is empty"
    if np.any(runs["column"] + runs["bursts"] > bounds.bursts_per_row):
        yield "a run leaves its row"
    if np.any(np.diff(runs["block"]) < 0):
        yield "runs are not sorted by block"
    if np.any(runs["write"] != write):
        yield "a run goes in the wrong direction"


def _loads(loads: Loads, runs: Records, bounds: Bounds) -> Iterator[str]:
    count = len(loads.bytes)
    if len(loads.early) != count:
        yield f"{count} loads have {len(loads.early)} early flags"
    if np.any(loads.bytes < 1):
        yield "a load is empty"
    if np.all((runs["block"] >= 0) & (runs["block"] < count)):
        moved = np.bincount(runs["block"], runs["bursts"], count) * bounds.burst_bytes
        if np.any(moved < loads.bytes):
            yield "the runs of a load hold less than its bytes"


def _steps(steps: Records, loads: Loads, least_stream: int) -> Iterator[str]:
    if not len(steps):
        yield "there are no steps"
        return
    wanted = steps["loads"]
    if np.any(np.diff(wanted) < 0) or wanted[0] < 0:
        yield "steps do not want ever more loads"
    if wanted[-1] != len(loads.bytes):
        yield f"the last step wants {wanted[-1]} of {len(loads.bytes)} loads"
    if np.any(steps["stream"] < least_stream):
        yield "a step streams nothing"
    if np.any(steps["frees"] < 0) or steps["frees"].sum() != loads.bytes.sum():
        yield f"steps free {steps['frees'].sum()} of {loads.bytes.sum()} bytes"
    arrived = np.concatenate(([0], np.cumsum(loads.bytes)))[np.clip(wanted, 0, len(loads.bytes))]
    if np.any(np.cumsum(steps["frees"]) > arrived):
        yield "a step frees what is not there yet"


def _stores(stores: Stores, steps: int) -> Iterator[str]:
    if len(stores.step) != len(stores.bytes):
        yield f"{len(stores.bytes)} stores follow {len(stores.step)} steps"
    if np.any(np.diff(stores.step) < 0):
        yield "stores are not in the order of their steps"
    if np.any((stores.step < 0) | (stores.step >= steps)):
        yield "a store follows a step that does not exist"
    if len(np.unique(stores.runs["block"])) != len(stores.bytes):
        yield "a store has no runs"


def pim_problems(work: PimWork, bounds: Bounds) -> Iterator[str]:
    """What is wrong with the programs of a sub-batch."""
    results = work.heads * work.tiles_apart
    if work.requests and work.requests[0].continues:
        yield "the first request continues another one"
    for request in work.requests:
        if request.continues and len(request.output):
            yield f"request {request.request}: a further part writes an output"
        for name, program, count in (("logit", request.logit, work.heads), ("attend", request.attend, results)):
            found = _program(program, request.channel, count, bounds)
            yield from (f"request {request.request}: {name}: {problem}" for problem in found)
        yield from (f"request {request.request}: {problem}" for problem in _gates(request))
        for name, runs, count in (("scores", request.scores, work.heads), ("output", request.output, results)):
            found = _runs(runs, bounds, count, write=True)
            yield from (f"request {request.request}: {name}: {problem}" for problem in found)


def matrix_problems(work: PimMatrix, bounds: Bounds) -> Iterator[str]:
    """What is wrong with the programs of a matrix in the banks."""
    if len(work.output) != len(work.vectors):
        yield f"{len(work.vectors)} vectors have {len(work.output)} results"
    for index, (program, output) in enumerate(zip(work.vectors, work.output, strict=False)):
        for channel in range(bounds.channels):
            part = program[program["channel"] == channel]
            if len(part):
                yield from (f"vector {index}: {problem}" for problem in _instructions(part, bounds))
        reports = program[program["kind"] == TILE]["block"]
        if np.unique(reports).tolist() != list(range(work.channels)):
            yield f"vector {index}: the results that are reported are not 0 to {work.channels - 1}"
        yield from (f"vector {index}: output: {problem}" for problem in _runs(output, bounds, 1, write=True))


def _program(program: Records, channel: int, results: int, bounds: Bounds) -> Iterator[str]:
    tiles = program[program["kind"] == TILE]
    if np.any(program["channel"] != channel) or not 0 <= channel < bounds.channels:
        yield f"an instruction is not for channel {channel}"
    yield from _instructions(program, bounds)
    reports = tiles[tiles["block"] >= 0]
    reported = np.repeat(reports["block"], reports["groups"]) + _counting(reports["groups"])
    if np.unique(reported).tolist() != list(range(results)):
        yield f"the results that are reported are not 0 to {results - 1}"


def _instructions(program: Records, bounds: Bounds) -> Iterator[str]:
    tiles = program[program["kind"] == TILE]
    if not len(program) or program["kind"][0] != GWRITE:
        yield "the program does not begin with a GWRITE"
    for name, count in (("bank", bounds.banks), ("row", bounds.rows)):
        if np.any((program[name] < 0) | (program[name] >= count)):
            yield f"an instruction has a {name} outside 0 to {count - 1}"
    if np.any((tiles["groups"] < 1) | (tiles["macs"] < 1)):
        yield "a tile computes nothing"


def _gates(request: PimRequest) -> Iterator[str]:
    if np.any(request.logit["gate"] != -1):
        yield "a logit instruction has a gate"
    gates = request.attend["gate"]
    if len(gates) and gates[0] != 0:
        yield "the attend program does not wait for the scores at its first instruction"
    if np.any(~np.isin(gates[1:], [-1, *request.scores["block"][1:].tolist()])):
        yield "an attend instruction waits for scores that nobody writes"
    feeding = request.scores[request.scores["feeds_pim"] > 0]
    if np.any(feeding["channel"] != request.channel):
        yield "scores are written to another channel"
    sources = request.attend[request.attend["kind"] == GWRITE]
    read = set(zip(sources["bank"].tolist(), sources["row"].tolist(), strict=True))
    if len(feeding) and read != set(zip(feeding["bank"].tolist(), feeding["row"].tolist(), strict=True)):
        yield "the attend program does not read the rows to which the scores are written"


def _counting(counts: Records) -> Records:
    ends = np.cumsum(counts, dtype=np.int64)
    return np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
