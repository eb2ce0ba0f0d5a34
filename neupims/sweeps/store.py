"""The folder of a sweep: one file for each point, which appears whole or not at all, and one owner at a time."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from neupims.errors import ResultError
from neupims.results.fields import Fields
from neupims.results.files import read_json, reason, write_atomically
from neupims.results.record import POINTS, Run, json_text

LOCK, SWEEP = ".lock", "sweep.yaml"
KEY_DIGITS = 24
"""Hexadecimal digits of a digest that a file's name has."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a point: a run, or the sentence of its error."""

    run: Run | None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As its file has it."""
        return {"run": None if self.run is None else self.run.to_json(), "error": self.error}


class Store:
    """Outcomes by the digests of their points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def opened(self, text: str, resume: bool) -> Generator[None, None, None]:
        """Own the folder; `text` is that of the sweep's file, which is kept with the results.

        Raises:
            ResultError: it cannot be written, another sweep owns it, or it holds results and is not to be resumed.
        """
        self._make()
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise ResultError(
                f"{self.folder}: another sweep is at work here; wait for it or choose another --out"
            ) from None
        except OSError as error:
            raise ResultError(f"{self.folder}: cannot be written: {reason(error)}") from error
        try:
            if not resume and any(self._points()):
                raise ResultError(
                    f"{self.folder}: holds results already; --resume goes on with them, --out chooses another"
                )
            write_atomically(self.folder / SWEEP, text)
            self._sweep_parts()
            yield
        finally:
            lock.release()

    def known(self, key: str) -> Outcome | None:
        """What a point came to, if its file is there and whole."""
        path = self._path(key)
        try:
            fields = Fields(read_json(path), str(path))
            run = fields.values.get("run")
            return Outcome(None if run is None else Run.from_json(run, str(path)), fields.optional_text("error"))
        except ResultError:
            return None

    def keep(self, key: str, outcome: Outcome) -> None:
        """Write the file of a point. Raises ResultError if it cannot be written."""
        write_atomically(self._path(key), json_text(outcome.to_json()))

    def _path(self, key: str) -> Path:
        return self.folder / POINTS / f"{key[:KEY_DIGITS]}.json"

    def _points(self) -> list[Path]:
        return list((self.folder / POINTS).glob("*.json"))

    def _make(self) -> None:
        try:
            (self.folder / POINTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultError(f"{self.folder}: cannot be made: {reason(error)}") from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ResultError(f"{self.folder}: cannot be written: no permission")

    def _sweep_parts(self) -> None:
        """Take away what an owner that was killed had begun to write."""
        for part in (*self.folder.glob(".*.part"), *(self.folder / POINTS).glob(".*.part")):
            part.unlink(missing_ok=True)
