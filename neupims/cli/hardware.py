"""`neupims hardware`: the systems, their numbers and where each comes from."""

from typing import Annotated, Any

import typer

from neupims.cli.options import JsonOutput, Overrides, SystemName
from neupims.cli.output import emit, emit_json, emit_rich

app = typer.Typer(help="Systems: what there is, what is in them, whether a file is right.", no_args_is_help=True)


@app.command("list")
def list_systems(json: JsonOutput = False) -> None:
    """List the systems that can be named."""
    from rich.table import Table

    from neupims.hardware.inherit import system_files

    rows = [{"name": name, "title": _title(name), "file": str(path)} for name, path in system_files().items()]
    if json:
        emit_json(rows)
        return
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(row["name"], row["title"])
    emit_rich(table)


@app.command("show")
def show_system(system: SystemName, overrides: Overrides = None, json: JsonOutput = False) -> None:
    """Show each value of a system and where it comes from."""
    from rich.table import Table

    from neupims.hardware.load import load_system, sources

    spec, notes = load_system(system, overrides or ()), sources(system, overrides or ())
    if json:
        emit_json({"system": spec.model_dump(mode="json"), "sources": notes})
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("key", "value", "source"):
        table.add_column(title, overflow="fold")
    for key, value in _values(spec.model_dump(mode="json"), ""):
        table.add_row(key, str(value), notes.get(key, ""))
    emit_rich(table)


@app.command("check")
def check(
    systems: Annotated[
        list[str] | None, typer.Argument(metavar="SYSTEM", help="Names or files of systems.", show_default="all")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Check systems: every key, and whether each number names its source."""
    from neupims.hardware.inherit import system_files
    from neupims.hardware.load import check_system

    for system in systems or system_files():
        remarks = check_system(system, overrides or ())
        emit("".join(f"{remark}\n" for remark in remarks))
        emit(f"{system}: valid" + (f", {len(remarks)} numbers name no source\n" if remarks else "\n"))


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a system file, for editors."""
    from neupims.hardware.schema import system_schema

    emit_json(system_schema())


def _title(name: str) -> str:
    from neupims.errors import ConfigError
    from neupims.hardware.load import load_system

    try:
        return load_system(name).title
    except ConfigError:
        return f"(wrong: see neupims hardware check {name})"


def _values(values: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Dotted keys and what they hold; parts that a system lacks are left out."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _values(value, f"{prefix}{key}.")  # pyright: ignore[reportUnknownArgumentType]
        elif value is not None:
            found.append((prefix + key, ", ".join(map(str, value)) if isinstance(value, list) else value))  # pyright: ignore
    return found
