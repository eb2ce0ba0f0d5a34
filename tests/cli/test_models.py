"""`neupims models`: models of tokens and of one pass, their options, and their operator graphs."""

import pytest

from neupims.graph import Tracer, load_model, themes


def test_show_takes_the_pass_that_the_model_is_made_for(neupims):
    shown = neupims("models", "show", "biformer", "--batch", 2, "--json").json
    assert shown["input"] == {"phase": "forward", "batch": 2, "context": 1024}
    assert shown["variant"] == "t"
    assert shown["macs"] == load_model("biformer-t").trace((1, 1)).macs
    assert neupims("models", "show", "gpt3-7b", "--json").json["input"]["phase"] == "decode"
    lines = neupims("models", "show", "biformer", "--batch", 2).out.splitlines()
    assert any(line.startswith("forward of 2 samples: 4.43 G MACs") for line in lines)


def test_show_takes_options_of_the_model(neupims):
    args = "models", "show", "informer", "--set", "attention=full", "--set", "factor = 3"
    shown = neupims(*args, "--json").json
    options = {"attention": "full", "factor": "3"}
    assert shown["macs"] == load_model("informer", options=options).trace((1,)).macs
    assert (shown["options"]["attention"], shown["options"]["factor"]) == ("full", 3)
    assert "attention=full factor=3" in neupims(*args).out


def test_context_is_the_length_of_each_request(neupims):
    shown = neupims("models", "show", "mixtral-8x7b", "--batch", 3, "--context", 100, "--json").json
    assert shown["macs"] == load_model("mixtral-8x7b").decode((100,) * 3).macs
    shown = neupims("models", "show", "mixtral-8x7b", "--context", 100, "--phase", "prefill", "--json").json
    assert shown["macs"] == load_model("mixtral-8x7b").prefill((100,)).macs


def test_a_training_step_says_what_it_trains_and_keeps(neupims):
    args = "models", "show", "s2ft-llama-2-7b", "--context", 100, "--phase", "training"
    shown, step = neupims(*args, "--json").json, load_model("s2ft-llama-2-7b").training((100,))
    assert (shown["macs"], shown["trained_params"]) == (step.macs, 56_643_584)
    assert shown["kept_bytes"] == step.kept_bytes
    lines = neupims(*args).out.splitlines()
    assert any("453 MB of state, 56.6 M trained" in line for line in lines)


def test_trace_is_the_document_of_the_graph(neupims):
    shown = neupims("models", "trace", "pointer-network", "--variant", "h512", "--set", "steps=3", "--json").json
    assert shown == load_model("pointer-network-h512", options={"steps": 3}).trace((1024,)).to_json()


def test_trace_is_a_table_of_blocks_and_operators(neupims):
    lines = neupims("models", "trace", "gpt3-7b", "--batch", 2).out.splitlines()
    assert lines[2].startswith("decode of 2 x 1024 tokens: ")
    [block] = [line for line in lines if line.startswith("layer ")]
    assert block.split()[:6] == ["layer", "32×", "block", "1", "carried", "on"]
    [qkv] = [line for line in lines if line.startswith("  attention.qkv ")]
    assert qkv.split()[1:6] == ["linear", "2x4096", "w:4096x12288", "w:12288", "2x12288"]
    [logit] = [line for line in lines if line.startswith("  attention.logit ")]
    assert logit.split()[1:6] == ["logit", "2x4096", "2x4096", "k:2048x4096", "32x2048"]


def test_words_are_those_of_the_tracer(neupims):
    shown = {name for theme in neupims("models", "words", "--json").json for name in theme["words"]}
    own = {name for name in dir(Tracer) if not name.startswith("_")}
    assert own - shown == {"finish", "apply", "view", "own", "named", "error"}
    lines = neupims("models", "words").out.splitlines()
    assert "  linear              x [..., in] times a weight [in, width], plus a bias [width]: [..., width]." in lines
    assert all(about for theme in themes() for _, about in theme.words)


@pytest.mark.parametrize("command", ["show", "trace"])
@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["poolformer", "--phase", "decode"], "poolformer-s12: it has no decode; it has forward and training\n"),
        (["gpt3-7b", "--phase", "forward"], "gpt3-7b: it has no forward; it has decode, prefill and training\n"),
        (["gpt3-7b", "--set", "layers"], "--set layers: is not of the form OPTION=VALUE, such as layers=2\n"),
        (["gpt3-7b", "--set", "layers=two"], "gpt3-7b: option 'layers': 'two' is not an integer\n"),
        (
            ["informer", "--set", "attention=fll"],
            "informer-ett: option 'attention': 'fll' is not one of prob, full; did you mean full?\n",
        ),
    ],
)
def test_what_a_model_has_not(neupims, command, args, sentence):
    result = neupims("models", command, *args)
    assert (result.code, result.out, result.err) == (1, "", sentence)
