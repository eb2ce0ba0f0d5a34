"""A sweep from its file to its table, and what is left of one that was killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from neupims.results.record import load_runs
from neupims.sweeps.document import read_sweep
from neupims.sweeps.execute import KILLED, local
from neupims.sweeps.points import expand
from neupims.sweeps.run import TABLE, TABLE_CSV, pace, run_point, run_sweep
from neupims.sweeps.store import Outcome

SMALL = "base: {model: gpt3-7b, layers: 1, option.width: 128, option.heads: 1, option.layers: 1, tp: 1}\n"
GPUS = SMALL + "axes:\n  system: [gpu-a100]\n  batch: {from: 1, to: 40}\n"
MIXED = SMALL + "axes:\n  system: [gpu-a100, neupims]\n  batch: [4, 8]\n"
FAILING = SMALL.replace("tp: 1", "pp: 1") + "axes:\n  system: [gpu-a100]\n  tp: [1, 3]\n"


def swept(path, folder, **options):
    sweep = read_sweep(path)
    return run_sweep(sweep, expand(sweep), folder, text=path.read_text(), **options)


def tables(folder):
    return tuple((folder / name).read_bytes() for name in (TABLE, TABLE_CSV))


def test_the_table_has_a_row_for_each_point(written, tmp_path):
    done = swept(written(MIXED), tmp_path / "out")
    assert [(row["system"], row["batch"]) for row in done.rows] == [
        *(("gpu-a100", 4), ("gpu-a100", 8)),
        *(("neupims", 4), ("neupims", 8)),
    ]
    assert all(row["tokens_per_s"] > 0 and row["error"] is None for row in done.rows)
    table = pq.read_table(tmp_path / "out" / TABLE)
    assert table.to_pylist() == [dict(row) for row in done.rows]
    assert table.schema.metadata[b"neupims.file"].decode() == MIXED
    hardware = json.loads(table.schema.metadata[b"neupims.hardware"])
    assert {row["hardware_digest"] for row in done.rows} == set(hardware)
    assert {spec["name"] for spec in hardware.values()} == {"gpu-a100", "neupims"}
    assert len(load_runs(tmp_path / "out")) == 4


def test_a_point_that_fails_is_a_row_with_its_error(written, tmp_path):
    done = swept(written(FAILING), tmp_path / "out")
    assert done.failed == 1
    assert done.rows[0]["error"] is None
    assert "tp 3 does not divide" in done.rows[1]["error"]
    assert done.rows[1]["tokens_per_s"] is None
    assert len(load_runs(tmp_path / "out")) == 1


def test_an_error_that_need_not_come_again_is_tried_again(written, tmp_path):
    path, folder = written(MIXED), tmp_path / "out"

    def short_of_memory(task, specs):
        for place, spec in enumerate(specs):
            yield place, Outcome(None, KILLED) if place == 1 else task(spec)

    done = swept(path, folder, executor=short_of_memory)
    assert [row["error"] for row in done.rows] == [None, KILLED, None, None]
    again = swept(path, folder, resume=True)
    assert (again.ran, again.failed) == (1, 0)


def test_what_the_code_and_the_model_are_is_part_of_the_key(written, monkeypatch):
    sweep = read_sweep(written(MIXED))
    before = expand(sweep)[0].key
    monkeypatch.setattr("neupims.sweeps.points.code_version", lambda _: "other code")
    assert expand(sweep)[0].key != before


def test_points_that_do_the_same_are_run_once(written, tmp_path):
    same = SMALL + "axes:\n  system: [gpu-a100]\n  variant: [null, 7b]\n  batch: [4]\n"
    done = swept(written(same), tmp_path / "out")
    assert (len(done.rows), done.ran) == (2, 1)
    assert done.rows[0]["tokens_per_s"] == done.rows[1]["tokens_per_s"]


def test_any_number_of_processes_gives_the_same_bytes(written, tmp_path):
    path = written(MIXED)
    swept(path, tmp_path / "one")
    swept(path, tmp_path / "two", executor=local(2))
    assert tables(tmp_path / "one") == tables(tmp_path / "two")


def test_resuming_runs_what_is_missing(written, tmp_path):
    path, folder = written(GPUS), tmp_path / "out"
    whole = swept(path, folder)
    before = tables(folder)
    lost = sorted((folder / "points").iterdir())[::7]
    for point in lost:
        point.unlink()
    told: list[tuple[str, float]] = []
    again = swept(path, folder, resume=True, progress=lambda *step: told.append(step))
    assert (whole.ran, again.ran) == (40, len(lost))
    assert [fraction for _, fraction in told] == [(n + 1) / len(lost) for n in range(len(lost))]
    assert tables(folder) == before


def killed_when(folder: Path, points: int, *arguments: str) -> None:
    """Start a sweep on the command line and kill it once so many points are there, or let it end."""
    command = [sys.executable, "-m", "neupims", "sweep", *arguments, "--out", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    while process.poll() is None and len(list((folder / "points").glob("*.json"))) < points:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_sweep_that_is_killed_again_and_again_ends_with_the_same_bytes(written, tmp_path, processes):
    path, folder = written(GPUS), tmp_path / "killed"
    swept(path, tmp_path / "whole")
    chance = random.Random(processes)
    points = 0
    for _ in range(4):
        points = len(list((folder / "points").glob("*.json"))) + chance.randrange(1, 9)
        killed_when(folder, points, str(path), "--resume", "-j", processes)
    left = {point.stem: json.loads(point.read_text()) for point in (folder / "points").glob("*.json")}
    assert 4 <= len(left) <= 40
    done = swept(path, folder, resume=True)
    assert done.ran == 40 - len(left)
    assert tables(folder) == tables(tmp_path / "whole")


def test_pace_says_how_long_it_will_take():
    assert pace(10, 40, 5.0) == "10 of 40 points, 2.0 a second, 0:00:15 left"
    assert pace(1, 61, 60.0) == "1 of 61 points, 1.0 a minute, 1:00:00 left"


def test_a_bug_is_not_hidden_in_a_row(monkeypatch, written):
    [point, *_] = expand(read_sweep(written(GPUS)))
    monkeypatch.setattr("neupims.sweeps.run.simulate", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_point(point.spec)
