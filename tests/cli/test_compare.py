import csv
import re
from pathlib import Path

import pytest
import yaml

from neupims.results.record import load_runs

FOUR = ["gpu-a100", "npu-only", "npu-pim", "neupims"]


def test_without_options_four_systems_serve_the_default_job(neupims, library):
    result = neupims("compare")
    assert (result.code, result.err) == (0, "")
    assert [system.name for system in library.systems] == FOUR
    assert len(library.batch) == 256
    assert library.settings == {
        "tp": 8,
        "pp": 1,
        "layers": None,
        "periods": 1,
        "interleaving": None,
        "engine": "fast",
        "cache": None,
        "phase": None,
    }
    assert result.out.startswith("gpt3-30b · batch 256 · mean context ")
    assert "3.00×" in result.out


def test_a_folder_in_runs_keeps_everything(neupims, library):
    out = neupims("compare").out
    [folder] = Path("runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", folder.name)
    assert out.endswith(f"\nrecord, tables and pictures: {folder}/\n")
    pictures = ["compare", *(f"timeline-{system}" for system in FOUR)]
    files = {"result.json", "config.yaml", *(f"{name}.{kind}" for name in pictures for kind in ("png", "csv"))}
    assert {file.name for file in folder.iterdir()} == files
    assert [run.system for run in load_runs(folder)] == FOUR
    with (folder / "compare.csv").open() as file:
        assert [row["system"] for row in csv.DictReader(file)] == FOUR


def test_the_configuration_is_kept_as_resolved(neupims, library):
    neupims("compare", "--system", "neupims", "--set", "memory.channels=16", "--batch", 3, "--out", "kept")
    config = yaml.safe_load(Path("kept/config.yaml").read_text())
    assert config["systems"]["neupims"]["memory"]["organization"]["channels"] == 16
    assert config["requests"]["lengths"] == [request.length for request in library.batch]
    assert config["requests"]["source"] == "sharegpt, seed 0"
    assert config["model"]["name"] == "gpt3-30b"


def test_json_is_all_that_is_printed_and_nothing_is_written(neupims, library):
    result = neupims("compare", "--json", "--batch", 2)
    assert [run["system"] for run in result.json["runs"]] == FOUR
    assert result.json["speedup"]["neupims/npu-pim"] == pytest.approx(1.5)
    assert result.err == ""
    assert list(Path().iterdir()) == []


def test_json_and_a_folder_can_be_had_together(neupims, library):
    result = neupims("compare", "--json", "--batch", 2, "--out", "deep/folder")
    assert load_runs(Path("deep/folder"))[3].to_json() == result.json["runs"][3]


def test_options_reach_the_library(neupims, library):
    neupims(
        "compare", "--system", "neupims", "--model", "gpt3", "--variant", "7b", "--tp", 2, "--pp", 3,
        "--layers", 1, "--periods", 2, "--interleaving", "on", "--dataset", "alpaca", "--batch", 5, "--seed", 7,
        "--json",
    )  # fmt: skip
    assert library.settings == {
        "tp": 2,
        "pp": 3,
        "layers": 1,
        "periods": 2,
        "interleaving": "on",
        "engine": "fast",
        "cache": None,
        "phase": None,
    }
    assert len(library.batch) == 5
    other = list(library.batch)
    neupims("compare", "--model", "gpt3-7b", "--dataset", "alpaca", "--batch", 5, "--seed", 8, "--json")
    assert list(library.batch) != other


def test_the_published_devices_are_the_default(neupims, library):
    for model, tp in {"gpt3-7b": 4, "gpt3-175b": 8}.items():
        neupims("compare", "--model", model, "--json")
        assert library.settings["tp"] == tp


def test_requests_come_from_a_file(neupims, library):
    Path("requests.csv").write_text("seq_len,ch_idx\n5,1\n7,0\n9,2\n")
    neupims("compare", "--requests", "requests.csv", "--json")
    assert [(request.length, request.channel) for request in library.batch] == [(5, 1), (7, 0), (9, 2)]
    neupims("compare", "--requests", "requests.csv", "--batch", 2, "--json")
    assert [request.length for request in library.batch] == [5, 7]


def test_more_requests_than_the_file_holds_are_refused(neupims, library):
    Path("requests.csv").write_text("seq_len\n5\n")
    result = neupims("compare", "--requests", "requests.csv", "--batch", 2)
    assert (result.code, result.out) == (1, "")
    assert result.err == "requests.csv: holds 1 requests, --batch asks for 2\n"


def test_a_setting_is_for_the_systems_that_have_its_part(neupims, library):
    result = neupims("compare", "--set", "memory.channels=16", "--json")
    assert result.err == "gpu-a100: not changed by --set memory.channels=16, it has no such part\n"
    channels = [system.memory and system.memory.organization.channels for system in library.systems]
    assert channels == [None, 16, 16, 16]


def test_a_setting_for_the_gpu_leaves_the_others_alone(neupims, library):
    result = neupims("compare", "--set", "processor.peak_tflops=100", "--json")
    assert library.systems[0].processor.peak_tflops == 100
    assert len(result.err.splitlines()) == 3


def test_a_setting_that_fits_no_system_is_an_error(neupims, library):
    result = neupims("compare", "--set", "memory.chanels=16")
    assert result.code == 1
    assert result.err.startswith("--set memory.chanels=16: memory.chanels: unknown key, did you mean ")
    assert len(result.err.splitlines()) == 1
    assert library.systems == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--system", "neupim"], "neupim: unknown system, did you mean neupims?"),
        (["--model", "gpt4"], "unknown model 'gpt4'; models: "),
        (["--requests", "no.csv"], "no.csv: cannot be read: No such file or directory"),
        (["--out", "file"], "file: cannot be a folder: file is a file"),
        (["--out", "file/deep"], "file/deep: cannot be a folder: "),
    ],
)
def test_wrong_input_is_one_line_and_exit_1_before_anything_runs(neupims, library, args, sentence):
    Path("file").write_text("")
    result = neupims("compare", *args)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(sentence)
    assert len(result.err.splitlines()) == 1
    assert library.systems == []


def test_a_folder_without_permission_is_refused_at_once(neupims, library, monkeypatch):
    Path("locked").mkdir()
    monkeypatch.setattr("neupims.cli.folder.os.access", lambda path, mode: Path(path).name != "locked")
    result = neupims("compare", "--out", "locked/here")
    assert result.code == 1
    assert result.err == "locked/here: cannot be written: no permission to write in locked\n"
    assert library.systems == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--requests", "a.csv", "--dataset", "alpaca"], "--requests and --dataset exclude each other"),
        (["--requests", "a.csv", "--seed", "1"], "--seed belongs to --dataset; requests of a file are not drawn"),
        (["--interleaving", "maybe"], "'maybe'"),
        (["--batch", "0"], "--batch"),
        (["--wrong"], "No such option"),
    ],
)
def test_wrong_usage_is_exit_2(neupims, library, args, sentence):
    result = neupims("compare", *args)
    assert (result.code, result.out) == (2, "")
    assert sentence in " ".join(result.err.replace("│", " ").split())


def test_llama_runs_on_all_four_systems(neupims):
    command = ["compare", "--model", "llama-2-7b", "--layers", 1, "--batch", 8, "--tp", 8, "--length", 100, "--json"]
    result = neupims(*command)
    assert (result.code, result.err) == (0, "")
    assert [run["system"] for run in result.json["runs"]] == FOUR
    (macs,) = {sum(operator["macs"] for operator in run["operators"]) for run in result.json["runs"]}
    weights = 4 * 4096 * 4096 + 3 * 4096 * 11008
    assert 8 * macs == 8 * weights + 8 * 2 * 4096 * 100
