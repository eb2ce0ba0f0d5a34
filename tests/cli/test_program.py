import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import neupims
from neupims.cli import output


def program(*args: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "neupims", *args], capture_output=True, text=True, **options)


def test_help_needs_no_heavy_library():
    code = (
        "import sys; sys.argv = ['neupims', '--help']\n"
        "from neupims.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('numpy', 'pydantic', 'yaml', 'simpy', 'numba', 'matplotlib', 'networkx')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "compare" in shown
    assert shown.splitlines()[-1] == "[]"


def test_every_command_has_help():
    commands = ["compare", "run", "validate", "plot", "models list", "hardware check", "show plan"]
    for command in map(str.split, commands):
        done = program(*command, "--help")
        assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_that_of_the_package():
    assert program("--version").stdout == f"neupims {neupims.__version__}\n"


def test_an_error_has_no_traceback():
    done = program("hardware", "show", "nothing")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_each_problem_of_a_file_has_a_line(tmp_path):
    (tmp_path / "bad.yaml").write_text("base: neupims\nname: bad\nmemory:\n  clock_gz: 1\n  timing:\n    t_rpp_ns: 2\n")
    done = program("hardware", "check", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 1
    places = [line.split(":")[:3] for line in done.stderr.splitlines()]
    assert sorted(places) == [["bad.yaml", "4", "3"], ["bad.yaml", "6", "5"]]


def test_a_closed_pipe_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "neupims", "hardware", "schema"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (output.PIPE_CLOSED, b"")


def test_an_interruption_ends_quietly(neupims, library, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["neupims.simulation"], "compare", interrupted)
    result = neupims("compare", "--batch", 1)
    assert (result.code, result.out, result.err) == (130, "", "")
    assert not Path("runs").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(output, "monotonic", lambda: now[0])
    return now


def test_a_quick_run_shows_no_progress(clock, capsys):
    with output.progress(quiet=False) as tell:
        tell("stage A", 0.1)
    assert capsys.readouterr().err == ""


def test_a_slow_run_tells_each_step_once(clock, capsys):
    with output.progress(quiet=False) as tell:
        clock[0] = output.PATIENCE_S + 0.1
        tell("stage A", 0.25)
        tell("stage A", 0.3)
        clock[0] *= 2
        tell("stage A", 0.4)
        tell("stage B", 0.5)
        tell("stage C", 0.6)  # too soon for another line
    assert capsys.readouterr().err == "stage A (25%)\nstage B (50%)\n"


def test_json_asks_for_quiet(clock, capsys):
    with output.progress(quiet=True) as tell:
        clock[0] = output.PATIENCE_S + 0.1
        tell("stage A", 0.25)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_once_patience_is_over(monkeypatch):
    monkeypatch.setattr(output, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with output.progress(quiet=False) as tell:
        tell("neupims: stage C", 0.5)
    assert "neupims: stage C" in sys.stderr.getvalue()


def test_a_terminal_gets_no_bar_before(monkeypatch):
    monkeypatch.setattr(output, "PATIENCE_S", 60.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with output.progress(quiet=False) as tell:
        tell("neupims: stage C", 0.5)
    assert sys.stderr.getvalue() == ""
