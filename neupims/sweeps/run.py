"""Running a sweep: what is known is kept, the rest is run, and all of it becomes one table."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from neupims import __version__
from neupims.errors import NeupimsError
from neupims.job import load_job, load_systems
from neupims.reports.summary import csv_text
from neupims.request import JobSpec
from neupims.results.digest import digest
from neupims.results.files import write_atomically
from neupims.simulation import simulate
from neupims.sweeps.document import SweepSpec
from neupims.sweeps.execute import PASSING, TOO_LITTLE, Executor, in_turn
from neupims.sweeps.points import Point
from neupims.sweeps.store import Outcome, Store
from neupims.sweeps.table import DIGEST_DIGITS, parquet, table_rows

Progress = Callable[[str, float], None]
TABLE, TABLE_CSV = "results.parquet", "results.csv"


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that has been run."""

    folder: Path
    rows: tuple[dict[str, Any], ...]
    """Of the table, in the order of the points."""
    ran: int
    """Points that were run now; the others were known."""

    @property
    def failed(self) -> int:
        """Points that have an error."""
        return sum(row["error"] is not None for row in self.rows)


def run_sweep(
    sweep: SweepSpec,
    points: Sequence[Point],
    folder: Path,
    *,
    text: str = "",
    resume: bool = False,
    executor: Executor = in_turn,
    progress: Progress | None = None,
) -> Swept:
    """Run the points that `folder` does not know yet, and write the table of all.

    Each outcome is written when it is there, so nothing but the points at work is lost when the process is killed.
    `text`, that of the sweep's file, is kept beside the results.

    Raises:
        ResultError: the folder cannot be written, holds other results, or is in use.
    """
    store = Store(folder)
    with store.opened(text, resume):
        missing, began, passing = _missing(points, store), monotonic(), dict[str, Outcome]()
        for number, (place, outcome) in enumerate(executor(run_point, [point.spec for point in missing]), start=1):
            if outcome.error in PASSING:
                passing[missing[place].key] = outcome
            else:
                store.keep(missing[place].key, outcome)
            if progress is not None:
                progress(pace(number, len(missing), monotonic() - began), number / len(missing))
        rows = table_rows(points, [store.known(point.key) or passing.get(point.key) for point in points])
        write_atomically(folder / TABLE_CSV, csv_text(rows))
        write_atomically(folder / TABLE, parquet(rows, _provenance(sweep, points, text)))
    return Swept(folder, tuple(rows), len(missing))


def run_point(spec: JobSpec) -> Outcome:
    """Simulate one point; what the user did wrong is its outcome, too."""
    try:
        job = load_job(spec)
        return Outcome(simulate(job.systems[0], job.model, job.batch, **job.settings))
    except NeupimsError as error:
        return Outcome(None, str(error))
    except MemoryError:
        return Outcome(None, TOO_LITTLE)


def _missing(points: Sequence[Point], store: Store) -> list[Point]:
    """Points without an outcome, one of those that do the same."""
    first = {point.key: point for point in reversed(points)}
    return [point for point in points if first[point.key] is point and store.known(point.key) is None]


def pace(done: int, count: int, seconds: float) -> str:
    """How far a sweep is, how fast it goes, and how long the rest will take at that rate."""
    rate = done / max(seconds, 1e-3)
    speed = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
    left = timedelta(seconds=round((count - done) / rate))
    return f"{done} of {count} points, {speed}, {left} left"


def _provenance(sweep: SweepSpec, points: Sequence[Point], text: str) -> dict[str, str]:
    """Where a table comes from: the file, the version, and each value of the hardware, by the digests in the rows."""
    named = dict.fromkeys((point.spec.systems, point.spec.overrides) for point in points)
    specs = [system.model_dump(mode="json") for names, settings in named for system in load_systems(names, settings)[0]]
    hardware = {digest(spec)[:DIGEST_DIGITS]: spec for spec in specs}
    listed = json.dumps(hardware, sort_keys=True)
    return {"sweep": sweep.name, "version": __version__, "file": text, "digest": digest(text), "hardware": listed}
