"""Models from outside through the commands."""

import json
from pathlib import Path

import pytest

GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 256, "n_positions": 512, "vocab_size": 1024}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.json").write_text(json.dumps(GPT2), encoding="utf-8")
    mistral = {"model_type": "mistral", "num_hidden_layers": 2, "hidden_size": 256, "num_attention_heads": 2}
    mistral |= {"intermediate_size": 512, "vocab_size": 1024, "max_position_embeddings": 512, "sliding_window": 64}
    Path("window.json").write_text(json.dumps(mistral), encoding="utf-8")
    vit = {"model_type": "vit", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2}
    Path("vit.json").write_text(json.dumps({**vit, "intermediate_size": 128}), encoding="utf-8")


def test_models_show(neupims) -> None:
    shown = json.loads(neupims("models", "show", "small.json", "--json", "--context", "8").out)
    assert (shown["name"], shown["family"], shown["input"]["phase"]) == ("small", "language", "decode")
    assert shown["params"] == 1024 * 256 + 512 * 256 + 2 * (12 * 256**2 + 13 * 256) + 2 * 256


def test_models_of_one_pass(neupims) -> None:
    shown = json.loads(neupims("models", "show", "vit.json", "--json").out)
    assert shown["input"]["phase"] == "forward"
    wrong = neupims("models", "show", "vit.json", "--phase", "decode")
    assert (wrong.code, wrong.err.strip()) == (1, "vit: it has no decode; it has forward and training")


def test_a_system_runs_what_it_knows(neupims) -> None:
    options = ("--batch", "2", "--length", "64", "--json")
    run = neupims("run", "gpu-a100", "--model", "small.json", *options)
    assert run.code == 0, run.err
    assert json.loads(run.out)["model"] == "small"
    assert neupims("run", "gpu-a100", "--model", "window.json", *options).code == 0


def test_a_window_that_matters_bounds_what_attention_reads(neupims) -> None:
    def attention(length: int) -> int:
        run = neupims("run", "npu-only", "--model", "window.json", "--batch", "2", "--length", str(length), "--json")
        return sum(item["macs"] for item in json.loads(run.out)["operators"] if item["name"].endswith(".attention"))

    assert attention(64) == attention(65) == attention(512) > attention(63)


def test_a_wrong_file_ends_with_one_sentence(neupims) -> None:
    Path("small.json").write_text(json.dumps({**GPT2, "n_head": 3}, indent=1), encoding="utf-8")
    wrong = neupims("models", "show", "small.json")
    assert (wrong.code, wrong.err.strip()) == (
        1,
        "small.json:4: n_head: 3 is not allowed, must divide the width of 256",
    )
