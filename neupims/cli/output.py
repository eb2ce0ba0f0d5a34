"""What leaves the program: text on standard output, progress and notes on standard error."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import Any

import typer

PIPE_CLOSED = 141
"""Exit code when the reader went away, as of a program that SIGPIPE ended."""

Progress = Callable[[str, float], None]
"""Takes what is being done and how much of all is done, from 0 to 1."""

PATIENCE_S = 1.0
"""Shorter runs show no progress; lines of it are no closer together."""


def emit(text: str) -> None:
    """Write to standard output; leave quietly if nobody reads it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(PIPE_CLOSED) from None


def emit_json(value: object) -> None:
    """Print one JSON document."""
    from neupims.results.record import json_text

    emit(json_text(value))


def emit_rich(*renderables: Any) -> None:
    """Print what rich can render: as wide as the terminal, or 120 columns where there is none."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    with console.capture() as capture:
        for renderable in renderables:
            console.print(renderable)
    emit(capture.get())


def note(text: str) -> None:
    """Tell the user something that is no result."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(quiet: bool) -> Generator[Progress, None, None]:
    """Show progress on standard error, once it has taken a while: a bar, or lines if it is no terminal."""
    if quiet:
        yield lambda _what, _done: None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


def _lines() -> Progress:
    told, shown = [monotonic()], [""]

    def report(what: str, done: float) -> None:
        if what != shown[0] and monotonic() - told[0] > PATIENCE_S:
            told[0], shown[0] = monotonic(), what
            note(f"{what} ({done:.0%})")

    return report


@contextmanager
def _bar() -> Generator[Progress, None, None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("starting", total=1.0)
    timer = Timer(PATIENCE_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda what, done: bar.update(task, description=what, completed=done)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
