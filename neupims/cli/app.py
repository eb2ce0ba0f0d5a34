"""The program `neupims`: its commands, and what the shell gets to see when something is wrong."""

import sys
from typing import Annotated

import typer

from neupims import __version__
from neupims.cli import bench, hardware, models, plot, reproduce, run, show, sweep, validate
from neupims.cli.output import emit, note
from neupims.errors import NeupimsError

INTERRUPTED = 130

app = typer.Typer(
    name="neupims",
    help="Simulate accelerators that pair a systolic-array NPU with processing-in-memory DRAM.",
    epilog="With no options, `neupims compare` runs four systems on one decode batch of GPT3-30B.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compare")(run.compare)
app.command("run")(run.run)
app.command("sweep")(sweep.sweep)
app.command("plot")(plot.plot)
app.command("reproduce")(reproduce.reproduce)
app.command("validate")(validate.validate)
app.command("bench")(bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(hardware.app, name="hardware")
app.add_typer(show.app, name="show")


def main() -> None:
    """Run the program. Exit codes: 0 done, 1 the input is wrong, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except NeupimsError as error:
        note(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _print_version(wanted: bool) -> None:
    if wanted:
        emit(f"neupims {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass
