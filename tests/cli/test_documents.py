import json
from pathlib import Path

import pytest

from neupims.results.record import Comparison


def test_models_list(neupims):
    [line] = [line for line in neupims("models", "list").out.splitlines() if line.split()[:1] == ["gpt3"]]
    assert line.split()[1:5] == ["7b,", "13b,", "30b,", "175b"]
    [gpt3] = [entry for entry in neupims("models", "list", "--json").json if entry["name"] == "gpt3"]
    assert gpt3.keys() == {"name", "family", "paper", "variants"}
    assert gpt3["paper"]["arxiv"] == "2005.14165"


def test_models_show_has_the_keys_of_the_contract(neupims):
    shown = neupims("models", "show", "gpt3", "--variant", "7b", "--json").json
    assert shown.keys() >= {"name", "variant", "family", "paper", "params", "macs", "input", "state_bytes", "operators"}
    assert shown["input"] == {"phase": "decode", "batch": 1, "context": 1024}


def test_models_show_counts_what_is_asked(neupims):
    one, two = (neupims("models", "show", "gpt3-7b", "--batch", batch, "--json").json for batch in (1, 2))
    assert two["macs"] == 2 * one["macs"]
    prompt = neupims("models", "show", "gpt3-7b", "--phase", "prefill", "--json").json
    assert prompt["macs"] > 900 * one["macs"]


def test_models_show_is_a_table(neupims):
    out = neupims("models", "show", "gpt3-7b").out
    assert out.startswith("gpt3-7b: Language Models are Few-Shot Learners, arXiv:2005.14165\n")
    assert "layer.attention.qkv" in out


def test_hardware_list(neupims):
    assert {"gpu-a100", "npu-only", "npu-pim", "neupims"} <= {
        entry["name"] for entry in neupims("hardware", "list", "--json").json
    }
    assert "NeuPIMs" in neupims("hardware", "list").out


def test_a_broken_file_of_the_user_does_not_hide_the_others(neupims):
    Path("hwconfigs").mkdir()
    Path("hwconfigs/broken.yaml").write_text("title: broken\n")
    lines = neupims("hardware", "list").out.splitlines()
    assert any(line.split()[0] == "neupims" for line in lines)
    assert any("wrong: see neupims hardware check broken" in line for line in lines)


@pytest.mark.parametrize("command", ["hardware show", "show hardware"])
def test_hardware_show_gives_each_value_and_its_source(neupims, command):
    args = command.split()
    shown = neupims(*args, "neupims", "--json").json
    assert shown["system"]["memory"]["organization"]["channels"] == 32
    assert shown["sources"]["memory.organization.channels"]
    lines = neupims(*args, "neupims", "--set", "memory.channels=16").out.splitlines()
    [channels] = [line for line in lines if line.startswith("memory.organization.channels")]
    assert channels.split()[1] == "16"


def test_hardware_check_says_which_systems_are_valid(neupims):
    result = neupims("hardware", "check")
    assert result.code == 0
    assert "neupims: valid\n" in result.out


def test_hardware_schema_is_json_schema(neupims):
    schema = neupims("hardware", "schema").json
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "memory" in schema["properties"]


@pytest.fixture
def kept(handmade):
    Comparison((handmade("npu-pim", 1.0), handmade("neupims", 1.6))).save(Path("runs/a/result.json"))
    handmade("neupims", 1.6, batch=512).save(Path("one.json"))


def test_plot_takes_folders_and_records(neupims, kept):
    result = neupims("plot", "runs/a", "one.json", "--out", "figure.pdf")
    assert (result.code, result.out) == (0, "figure.pdf and figure.csv\n")
    assert Path("figure.pdf").read_bytes().startswith(b"%PDF")
    assert len(Path("figure.csv").read_text().splitlines()) == 4


def test_plot_draws_the_stages_of_one_run(neupims, kept):
    assert neupims("plot", "runs/a", "--kind", "timeline", "--system", "neupims", "--out", "t.svg").code == 0
    assert Path("t.svg").exists()
    result = neupims("plot", "runs/a", "--kind", "timeline")
    assert result.code == 2
    assert "choose one with --system" in " ".join(result.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["none.json"], "none.json: cannot be read: no such file or directory\n"),
        (
            ["one.json", "--out", "a.bmp"],
            "a.bmp: no such kind of picture; its name must end in one of .png, .svg, .pdf\n",
        ),
        (["one.json", "--system", "gpu"], "--system gpu: no such run among the results, which hold neupims\n"),
    ],
)
def test_plot_refuses_what_it_cannot_draw(neupims, kept, args, sentence):
    result = neupims("plot", *args)
    assert (result.code, result.out, result.err) == (1, "", sentence)


def test_a_timeline_needs_operators(neupims, handmade):
    handmade("gpu-a100", operators=()).save(Path("bare.json"))
    result = neupims("plot", "bare.json", "--kind", "timeline")
    assert result.err == "the run of gpu-a100 has no operators to draw\n"
    assert result.code == 1


def test_json_on_standard_output_is_one_document(neupims, kept):
    listed = json.loads(neupims("models", "list", "--json").out)
    assert {"gpt3", "llama"} <= {entry["name"] for entry in listed}


def test_show_graph_is_of_the_batch(neupims):
    shown = neupims("show", "graph", "--model", "gpt3-7b", "--batch", 3, "--json").json
    assert shown["phase"] == "decode"
    assert len(shown["lengths"]) == 3
    assert "layer.attention.logit" in neupims("show", "graph", "--model", "gpt3-7b", "--batch", 3).out


def test_show_commands_and_timeline_are_of_a_run(neupims, library):
    commands = neupims("show", "commands", "neupims", "--batch", 3, "--json").json
    assert {"command": "ACT", "count": 1000, "energy_mj": 10.0} in commands
    assert "PIM_GEMV" in neupims("show", "commands", "neupims", "--batch", 3).out
    assert "traceEvents" in neupims("show", "timeline", "neupims", "--batch", 3, "--json").json
    assert "stage C" in neupims("show", "timeline", "neupims", "--batch", 3).out
    assert len(library.batch) == 3


def test_show_plan_is_what_is_lowered(neupims, library):
    [row] = neupims("show", "plan", "neupims", "--batch", 3, "--layers", 2, "--json").json
    assert (row["stage"], row["repeats"], row["name"], row["bytes_read"]) == ("A", 48, "layer0.all_reduce1", 4096)
    assert library.settings == {"tp": 8, "pp": 1, "layers": 2, "periods": 1, "interleaving": None, "phase": None}
    assert "layer0.all_reduce1" in neupims("show", "plan", "neupims", "--batch", 3).out


def test_show_graph_draws_a_picture(neupims):
    args = "show", "graph", "--model", "mamba-130m", "--batch", 2, "--length", 9
    assert neupims(*args, "--picture", "block.svg").out == "block.svg and block.csv\n"
    assert Path("block.svg").read_text().startswith("<?xml")
    assert "in_proj,conv,2x1536,False" in Path("block.csv").read_text().splitlines()
    neupims(*args, "--picture", "all.svg", "--block", "all")
    assert "layer,final_norm,2x768,False" in Path("all.csv").read_text().splitlines()


def test_show_graph_takes_a_phase(neupims):
    shown = neupims("show", "graph", "--model", "gpt3-7b", "--batch", 1, "--length", 9, "--phase", "prefill", "--json")
    assert (shown.json["phase"], shown.json["lengths"]) == ("prefill", [9])


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (["--block", "layer"], 2, "--block says what a picture shows"),
        (["--picture", "a.gif"], 1, "a.gif: no such kind of picture; its name must end in one of .png, .svg, .pdf\n"),
        (["--picture", "a.png", "--block", "b"], 1, "gpt3-7b: --block b: there is none; blocks: layer, all\n"),
    ],
)
def test_pictures_of_graphs_that_cannot_be_drawn(neupims, args, code, sentence):
    result = neupims("show", "graph", "--model", "gpt3-7b", "--batch", 1, *args)
    assert result.code == code
    assert sentence in result.err
