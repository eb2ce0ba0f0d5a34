"""The package as one uses it in a notebook."""

import subprocess
import sys

import pytest

import neupims
from neupims.errors import ConfigError, RequestError, ResultError
from neupims.hardware.load import load_system
from neupims.results.record import Comparison

SMALL = {"model": "gpt3-7b", "options": {"width": 128, "heads": 1, "layers": 1}, "layers": 1, "tp": 1, "batch": 4}


def test_a_run_is_named_like_on_the_command_line():
    run = neupims.simulate("neupims", interleaving="off", **SMALL)
    assert (run.system, run.batch, run.tp, run.interleaving) == ("neupims", 4, 1, "off")
    assert neupims.simulate("neupims", interleaving="off", engine="plain", **SMALL).iteration_ps == run.iteration_ps


def test_hardware_is_set_by_name():
    slower = neupims.simulate("npu-only", set={"memory.timing.t_faw_ns": 60, "processor.arrays.folded": False}, **SMALL)
    assert slower.hardware_digest != neupims.simulate("npu-only", **SMALL).hardware_digest
    with pytest.raises(ConfigError, match="unknown key, did you mean t_faw_ns"):
        neupims.simulate("npu-only", set={"memory.timing.t_fav_ns": 60}, **SMALL)


def test_one_row_buffer_adds_no_area():
    assert neupims.simulate("neupims", **SMALL).area_overhead == 0.0311
    assert neupims.simulate("neupims", set={"pim.row_buffers": "single"}, **SMALL).area_overhead == 0


def test_a_comparison_has_the_default_systems():
    both = neupims.compare(**SMALL)
    assert [run.system for run in both.runs] == ["gpu-a100", "npu-only", "npu-pim", "neupims"]
    assert both.runs[3].tokens_per_s / both.runs[0].tokens_per_s == both.speedup["neupims/gpu-a100"]


def test_requests_of_one_length_are_not_drawn():
    run = neupims.simulate("gpu-a100", length=100, **SMALL)
    assert run.requests is not None
    assert (run.requests.shortest, run.requests.longest, run.requests.count) == (100, 100, 4)
    with pytest.raises(RequestError, match="dataset and length exclude each other"):
        neupims.simulate("gpu-a100", length=100, dataset="alpaca", **SMALL)


def test_results_of_all_kinds_make_one_frame(tmp_path, handmade):
    file = tmp_path / "study.yaml"
    file.write_text(
        "base: {model: gpt3-7b, layers: 1, option.width: 128, option.heads: 1, option.layers: 1, tp: 1}\n"
        "axes: {system: [gpu-a100], batch: [4, 8]}\n"
    )
    done = neupims.sweep(file, out=tmp_path / "swept")
    handmade("npu-pim").save(tmp_path / "one.json")
    Comparison((handmade("npu-only"), handmade("neupims"))).save(tmp_path / "both" / "result.json")
    frame = neupims.load_results(done.folder, tmp_path / "one.json", tmp_path / "both")
    assert frame["system"].tolist() == ["gpu-a100", "gpu-a100", "npu-pim", "npu-only", "neupims"]
    assert frame["tokens_per_s"].notna().all()
    with pytest.raises(ConfigError, match="executor: slurm is not allowed, must be one of local, dask"):
        neupims.sweep(file, executor="slurm")
    with pytest.raises(ResultError, match="names no results"):
        neupims.load_results()


def test_a_file_of_the_user_is_a_system(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: gpu-a100\nname: mine\ntitle: Mine\n")
    assert neupims.simulate(path, **SMALL).system == "mine"
    assert load_system(path).name == "mine"


def test_the_package_is_light_until_something_is_asked_for():
    code = (
        "import sys, neupims; print(sorted(m for m in ('numba', 'pandas', 'matplotlib', 'simpy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="has no attribute 'simulat'"):
        _ = neupims.simulat  # type: ignore[attr-defined]
