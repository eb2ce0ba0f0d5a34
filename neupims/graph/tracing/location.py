"""Where an architecture calls the tracer: file and line, for messages."""

import inspect
from os import sep
from pathlib import Path
from types import TracebackType

PACKAGE = f"{Path(__file__).parents[1]}{sep}"


def call_site() -> str:
    """`file:line` of the innermost call from outside of this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return "unknown place" if frame is None else place(frame.f_code.co_filename, frame.f_lineno)


def raised_in(file: str, trace: TracebackType | None) -> str:
    """`file:line` where an error left a file, or the file alone if it never was there."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return file_name(file) if line is None else place(file, line)


def place(file: str, line: int) -> str:
    """`file:line`."""
    return f"{file_name(file)}:{line}"


def file_name(file: str) -> str:
    """The file as a reader would name it: relative to the current folder if it lies in it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
