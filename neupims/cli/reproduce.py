"""`neupims reproduce`: the evaluation of the paper, redone."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neupims.cli.output import emit, progress
from neupims.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame


def reproduce(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder with the sweeps, docs/paper of a checkout."),
    ],
    processes: Annotated[
        int | None, typer.Option("-j", "--processes", min=1, help="Processes.", show_default="one for each processor")
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where results are kept, and taken up again.")] = Path(
        "runs/paper"
    ),
) -> None:
    """Run the sweeps of the paper's evaluation and write README.md: our numbers, theirs, and pictures."""
    from neupims.api import load_results
    from neupims.paper.page import SWEEPS, write_page
    from neupims.sweeps.document import read_sweep
    from neupims.sweeps.execute import local
    from neupims.sweeps.points import expand
    from neupims.sweeps.run import run_sweep

    files = {name: folder / f"{name}.yaml" for name in SWEEPS}
    for path in files.values():
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; {folder} must hold the sweeps {', '.join(SWEEPS)}")
    executor = local(processes or os.cpu_count() or 1)
    frames = dict[str, "DataFrame"]()
    for name, path in files.items():
        read, text = read_sweep(path), path.read_text(encoding="utf-8")
        with progress(quiet=False) as tell:
            done = run_sweep(read, expand(read), runs / name, text=text, resume=True, executor=executor, progress=tell)
        if done.failed:
            raise ConfigError(f"{path}: {done.failed} points failed; see {done.folder / 'results.csv'}")
        frames[name] = load_results(done.folder)
    write_page(folder, frames)
    emit(f"{folder / 'README.md'}\n")
