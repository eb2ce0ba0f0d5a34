"""Which files may import what. The floors between rooms are import-linter's."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOMES = {
    "matplotlib": ("neupims/reports/",),
    "plotly": ("neupims/reports/",),
    "yaml": ("neupims/hardware/", "neupims/cli/"),
    "typer": ("neupims/cli/",),
}


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def importers(room: str, library: str) -> list[str]:
    """Files of a room that import a library."""
    files = sorted((ROOT / room).rglob("*.py"))
    found = [path for path in files if any(name.partition(".")[0] == library for name in imports(path))]
    return [path.relative_to(ROOT).as_posix() for path in found]


@pytest.mark.parametrize("library", ["numba", "torch"])
def test_heavy_libraries_are_imported_in_one_file(library: str) -> None:
    assert len(importers("neupims", library)) <= 1


@pytest.mark.parametrize("library", HOMES)
def test_libraries_stay_in_their_rooms(library: str) -> None:
    assert [file for file in importers("neupims", library) if not file.startswith(HOMES[library])] == []


def test_workloads_know_the_graph_only() -> None:
    names = {(path.name, name) for path in (ROOT / "workloads").rglob("*.py") for name in imports(path)}
    project = {(file, name) for file, name in names if name.partition(".")[0] == "neupims"}
    assert {(file, name) for file, name in project if not f"{name}.".startswith("neupims.graph.")} == set()


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text("import a.b\n\n\ndef f():\n    from c import d\n", encoding="utf-8")
    assert list(imports(file)) == ["a.b", "c"]
