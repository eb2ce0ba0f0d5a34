"""Timelines for ui.perfetto.dev and chrome://tracing, in the trace event format of Chrome."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neupims.reports.lanes import lanes
from neupims.results.files import write_atomically
from neupims.results.record import Run
from neupims.results.spans import OperatorSpan, StageSpan

PS_PER_US = 1e6


def chrome_trace(run: Run) -> dict[str, Any]:
    """Stages and operators of the simulated part of a run.

    `ts` and `dur` are microseconds, as the format has them; exact picoseconds are in `args`.
    """
    events = [_name("process_name", 0, f"{run.system}: {run.label}, batch {run.batch}")]
    events += [_name("thread_name", 0, "stages"), *(_stage(stage) for stage in run.stages)]
    for thread, (title, row) in enumerate(_rows(run), 1):
        events += [_name("thread_name", thread, title), *(_operator(span, thread) for span in row)]
    return {"displayTimeUnit": "ns", "traceEvents": events}


def save_trace(run: Run, path: Path) -> None:
    """Write the trace of a run. Raises ResultError."""
    write_atomically(path, json.dumps(chrome_trace(run), separators=(",", ":")) + "\n")


def _rows(run: Run) -> Iterator[tuple[str, tuple[OperatorSpan, ...]]]:
    for lane in lanes(run):
        for i, row in enumerate(lane.rows):
            yield lane.name if i == 0 else f"{lane.name} ({i + 1})", row


def _name(kind: str, thread: int, title: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": 0, "tid": thread, "args": {"name": title}}


def _stage(stage: StageSpan) -> dict[str, Any]:
    return _slice(f"stage {stage.name}", 0, stage.start_ps, stage.end_ps, {"repeats": stage.repeats})


def _operator(span: OperatorSpan, thread: int) -> dict[str, Any]:
    counts = {"macs": span.macs, "bytes_read": span.bytes_read, "bytes_written": span.bytes_written}
    return _slice(span.name, thread, span.start_ps, span.end_ps, {"unit": span.unit} | counts)


def _slice(name: str, thread: int, start_ps: int, end_ps: int, args: dict[str, Any]) -> dict[str, Any]:
    exact = {"start_ps": start_ps, "end_ps": end_ps}
    times = {"ts": start_ps / PS_PER_US, "dur": (end_ps - start_ps) / PS_PER_US}
    return {"ph": "X", "name": name, "pid": 0, "tid": thread, **times, "args": exact | args}
