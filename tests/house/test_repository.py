"""What the repository as a whole promises."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOPS = (
    "neupims",
    "workloads",
    "hwconfigs",
    "docs",
    "tests",
    "benchmarks",
    ".ci",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
)
MACHINE_PATH = re.compile(rf"(?<![\w.~/-])/(?:{'|'.join(('work', 'home', 'root', 'Users', 'mnt'))})(?![\w-])")
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def texts() -> Iterator[tuple[Path, str]]:
    """All text files of the repository."""
    for top in TOPS:
        for path in sorted([ROOT / top, *(ROOT / top).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                try:
                    yield path, path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue


def test_no_file_knows_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]} is a path of one machine"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        for match in MACHINE_PATH.finditer(line)
    ]
    assert found == []


def test_machine_paths_are_recognised() -> None:
    slash = "/"
    assert MACHINE_PATH.search(f"see {slash}home{slash}me{slash}x")
    assert MACHINE_PATH.search(f'"{slash}work"')
    assert not MACHINE_PATH.search(f"net{slash}work{slash} or ..{slash}work or {slash}working or {slash}work-group")


def test_the_readme_has_its_two_commands() -> None:
    blocks = SHELL_BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 2
    assert "neupims compare" in blocks[0]
    assert "pip install -q -e '.[test]'" in blocks[1]
    assert blocks[1].endswith(".venv/bin/python -m pytest -n 2\n")


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    taken = re.search(r"^tests=\$\((.*)\)$", script, re.MULTILINE)
    assert taken
    command = subprocess.run(["bash", "-c", taken[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert command.stdout == SHELL_BLOCK.findall(readme)[1]
