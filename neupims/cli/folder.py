"""The folder of a run: the record, the numbers, the pictures and what it was made of."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import yaml

from neupims.errors import ResultError
from neupims.job import Job
from neupims.results.files import write_atomically
from neupims.results.record import Comparison, Run

RUNS = Path("runs")
YAML_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the results of one job go."""

    path: Path

    @classmethod
    def of(cls, job: Job, out: Path | None, wanted: bool) -> Self | None:
        """The folder asked for, or one of its own in `runs/`, or None where none is wanted.

        Raises ResultError at once if nothing could be written there.
        """
        if out is None and not wanted:
            return None
        path = out or RUNS / f"{datetime.now():%Y%m%d-%H%M%S}-{job.digest()}"
        check_writable(path)
        return cls(path)

    def __str__(self) -> str:
        return f"{self.path}{os.sep}"

    def write_comparison(self, comparison: Comparison, job: Job) -> None:
        """Write everything about several systems. Raises ResultError."""
        comparison.save(self.path / "result.json")
        self._write(comparison.runs, job)

    def write_run(self, run: Run, job: Job) -> None:
        """Write everything about one system. Raises ResultError."""
        run.save(self.path / "result.json")
        self._write([run], job)

    def _write(self, runs: Sequence[Run], job: Job) -> None:
        from neupims.reports.bars import bar_figure, bar_rows
        from neupims.reports.figure import save_figure
        from neupims.reports.gantt import timeline_figure, timeline_rows

        text = yaml.safe_dump(job.resolved(), sort_keys=False, default_flow_style=None, width=YAML_WIDTH)
        write_atomically(self.path / "config.yaml", text)
        save_figure(bar_figure(runs), bar_rows(runs), self.path / "compare.png")
        for run in runs:
            if run.operators:
                name = f"timeline-{Path(run.system).stem}.png"
                save_figure(timeline_figure(run), timeline_rows(run), self.path / name)


def check_writable(path: Path) -> None:
    """Raises ResultError if the folder `path` does not exist and cannot be made, or takes no files."""
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not nearest.is_dir():
        raise ResultError(f"{path}: cannot be a folder: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ResultError(f"{path}: cannot be written: no permission to write in {nearest}")
