"""The library as one uses it in a notebook: the names and options of the command line.

```python
import neupims
run = neupims.simulate("neupims", model="gpt3-7b", batch=64, tp=4)
frame = neupims.load_results(neupims.sweep("batches.yaml", out="runs/batches").folder)
```
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neupims import simulation
from neupims.errors import ConfigError, ResultError
from neupims.job import Job, load_job
from neupims.machine.dram.memory import Engine
from neupims.reports.summary import summary_rows
from neupims.request import DEFAULT_SYSTEMS, JobSpec
from neupims.results.record import Comparison, Run, load_runs
from neupims.sweeps.document import read_sweep
from neupims.sweeps.execute import dask, local
from neupims.sweeps.points import expand
from neupims.sweeps.run import TABLE, Swept, run_sweep

if TYPE_CHECKING:
    from pandas import DataFrame

Settings = Mapping[str, Any]
NONE: Settings = {}


def simulate(system: str | Path, *, set: Settings = NONE, engine: Engine = "fast", **options: Any) -> Run:
    """One decode iteration on one system, a name or a YAML file.

    Args:
        system: Name or file.
        set: Values of the hardware by dotted name, such as {"memory.organization.channels": 16}.
        engine: fast, plain or reference; the results are the same.
        options: As on the command line: model, variant, tp, pp, layers, periods, interleaving, requests, dataset,
            length, batch, seed; and `options`, values of the model by name.

    Raises:
        NeupimsError: of whatever is wrong.
    """
    job = _job((system,), set, options)
    return simulation.simulate(job.systems[0], job.model, job.batch, engine=engine, **job.settings)


def compare(
    systems: Sequence[str | Path] = DEFAULT_SYSTEMS, *, set: Settings = NONE, engine: Engine = "fast", **options: Any
) -> Comparison:
    """Several systems on the same model and requests; arguments and errors as those of `simulate`."""
    job = _job(systems, set, options)
    return simulation.compare(job.systems, job.model, job.batch, engine=engine, **job.settings)


def sweep(
    file: str | Path,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    processes: int = 1,
    executor: str = "local",
    address: str | None = None,
) -> Swept:
    """Run the points of a sweep's file; what its folder knows already is kept if it is resumed.

    Args:
        file: YAML; see docs/reference/sweep.md.
        out: Folder of the results; runs/NAME unless given.
        resume: Go on with what is in the folder.
        processes: Of this machine.
        executor: local or dask.
        address: Of a Dask scheduler; one is started for `dask` if there is none.

    Raises:
        ConfigError: the file is wrong, or there is no such executor.
        ResultError: the folder cannot be used.
    """
    if executor not in ("local", "dask"):
        raise ConfigError(f"executor: {executor} is not allowed, must be one of local, dask")
    path = Path(file)
    read = read_sweep(path)
    chosen = local(processes) if executor == "local" else dask(address, processes)
    folder = Path(out) if out is not None else Path("runs") / read.name
    text = path.read_text(encoding="utf-8")
    return run_sweep(read, expand(read), folder, text=text, resume=resume, executor=chosen)


def load_results(*paths: str | Path) -> "DataFrame":
    """One row for each run of records, comparisons, folders of runs and folders of sweeps, as a pandas data frame.

    Raises:
        ResultError: one of them holds no results.
    """
    import pandas as pd

    if not paths:
        raise ResultError("load_results: names no results; give records, comparisons or folders")
    return pd.concat([_frame(Path(path)) for path in paths], ignore_index=True)


def _frame(path: Path) -> "DataFrame":
    import pandas as pd

    if (path / TABLE).is_file():
        return pd.read_parquet(path / TABLE)
    return pd.DataFrame(summary_rows(load_runs(path)))


def _job(systems: Sequence[str | Path], settings: Settings, options: Mapping[str, Any]) -> Job:
    overrides = tuple(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items()
    )
    return load_job(JobSpec(systems=tuple(map(str, systems)), overrides=overrides, **options))
