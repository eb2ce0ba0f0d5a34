"""Files that appear whole or not at all, and records found again by path."""

import json
import os
from pathlib import Path
from typing import Any

from neupims.errors import ResultError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` (UTF-8) beside `path` and rename it into place; folders are made as needed.

    A reader sees the old file or the new one, never a part. Raises ResultError if that is impossible.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(part, data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ResultError(f"{path}: cannot be written: {reason(error)}") from error


def read_json(path: Path) -> Any:
    """The JSON document in a file. Raises ResultError if there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {reason(error)}") from error
    except ValueError as error:
        raise ResultError(f"{path}: not a JSON file: {error}") from error


def reason(error: OSError) -> str:
    """What the operating system said, in lower case: `permission denied`."""
    return (error.strerror or str(error)).lower()


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number that JSON knows")
