"""A config.json becomes a model: published parameters, blocks, caches, and a sentence for what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_configs import PUBLISHED, SMALL, TINY

from neupims.errors import ModelError
from neupims.graph import Graph, Model, load_model, verify

Load = Callable[..., Model]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The model of a configuration, written to a file of that name."""

    def loaded(config: dict[str, Any], name: str = "config.json", **options: object) -> Model:
        path = tmp_path / name
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
        return load_model(str(path), options=options)

    return loaded


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameters(name: str, load: Load) -> None:
    config, expected = PUBLISHED[name]
    assert load(config).params == expected


@pytest.mark.parametrize("name", SMALL)
def test_all_families_decode_and_prefill_or_pass(name: str, load: Load) -> None:
    model = load(SMALL[name])
    graphs = [model.trace((5, 3), phase) for phase in phases(model)]
    for graph in graphs:
        verify(graph)
        assert graph.params == model.params
        assert sum(op.macs for op in graph.operators) == graph.macs > 0


def phases(model: Model) -> tuple[Any, ...]:
    return ("forward",) if model.passes == "forward" else ("decode", "prefill")


@pytest.mark.parametrize("name", [name for name in SMALL if name.partition(" ")[0] not in ("t5", "bert", "vit")])
def test_a_prompt_of_one_token_is_a_decode_step(name: str, load: Load) -> None:
    """But for latent attention, which a decode step computes in another order."""
    model = load(SMALL[name])
    decode, prefill = model.decode((1,)), model.prefill((1,))
    assert decode.state_bytes == prefill.state_bytes
    if "deepseek" not in name:
        assert decode.macs == prefill.macs


def test_llama_is_what_the_workload_says(load: Load) -> None:
    config, _ = PUBLISHED["llama-3-8b"]
    ours, described = load(config).decode((300, 20)), load_model("llama-3-8b").decode((300, 20))
    assert ours.operators == described.operators


def test_gpt2_is_gpt3_in_the_words_of_the_workload(load: Load) -> None:
    config, _ = PUBLISHED["gpt2-xl"]
    sizes = {"layers": 48, "heads": 25, "width": 1600, "vocabulary": 50257, "positions": 1024}
    ours, described = load(config).decode((300, 20)), load_model("gpt3-7b", options=sizes).decode((300, 20))
    assert [(op.kind, op.macs, op.bytes_read) for op in ours.operators] == [
        (op.kind, op.macs, op.bytes_read) for op in described.operators
    ]


def test_the_name_is_that_of_the_folder_or_of_the_file(load: Load, tmp_path: Path) -> None:
    assert load(TINY).name == tmp_path.name
    assert load(TINY, "Tiny.json").name == "Tiny"
    load(TINY)
    assert load_model(str(tmp_path)).name == tmp_path.name


def test_a_folder_is_one_only_with_a_slash(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gpt3-7b"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (folder / "config.json").write_text(json.dumps(TINY), encoding="utf-8")
    assert load_model("./gpt3-7b").layers == 3
    assert load_model("gpt3-7b").layers == 32


def test_options_override_the_record(load: Load) -> None:
    assert load(TINY, layers="7").layers == 7
    with pytest.raises(ModelError, match=r": unknown option 'layer'; options: .*; did you mean layers\?$"):
        load(TINY, layer=7)


def test_a_window_bounds_the_cache_and_what_is_read(load: Load) -> None:
    plain = load({**TINY, "model_type": "mistral", "sliding_window": None}).decode((3, 40))
    window = load({**TINY, "model_type": "mistral", "sliding_window": 5}).decode((3, 40))
    kv, layers, size = 2 * 8, 3, 2
    assert plain.state_bytes == 2 * layers * kv * (3 + 40) * size
    assert window.state_bytes == 2 * layers * kv * (3 + 5) * size
    assert plain.macs - window.macs == 2 * layers * 4 * 8 * (40 - 5)


def names(graph: Graph) -> list[tuple[str, int]]:
    return [(block.name, block.count) for block in graph.blocks]


def test_layers_that_differ_repeat_in_groups(load: Load) -> None:
    assert names(load(PUBLISHED["gemma-2-9b"][0]).decode((4,))) == [("group", 21)]
    assert names(load(PUBLISHED["gemma-3-1b"][0]).decode((4,))) == [("group", 4), ("layer", 2)]
    assert names(load(PUBLISHED["deepseek-v3"][0]).decode((4,))) == [("layer", 3), ("layer", 58)]
    assert names(load(PUBLISHED["jamba-v0.1"][0]).decode((4,))) == [("group", 4)]


def test_latent_attention_keeps_one_small_vector_for_each_token(load: Load) -> None:
    graph = load(PUBLISHED["deepseek-v3"][0]).decode((100, 7))
    assert graph.state_bytes == 61 * 107 * (512 + 64) * 2


def test_layer_types_say_which_layers_have_a_window(load: Load) -> None:
    types = ["sliding_attention", "full_attention", "full_attention"]
    config = {**TINY, "model_type": "gemma2", "layer_types": types, "sliding_window": 2}
    assert names(load(config).decode((9,))) == [("layer", 1), ("layer", 2)]


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        ({"model_type": None}, 2, "model_type: is missing, must be one of gpt2, "),
        ({"model_type": "lama"}, 2, "model_type: 'lama' is not known, must be one of gpt2, "),
        ({"hidden_size": None}, 4, "hidden_size: is missing, must be an integer of at least 1"),
        ({"hidden_size": 0}, 4, "hidden_size: 0 is not allowed, must be an integer of at least 1"),
        ({"hidden_size": "32"}, 4, 'hidden_size: "32" is not allowed, must be an integer of at least 1'),
        (
            {"head_dim": None, "hidden_size": 33},
            5,
            "num_attention_heads: 4 is not allowed, must divide the width of 33",
        ),
        ({"num_key_value_heads": 3}, 6, "num_key_value_heads: 3 is not allowed, must divide the 4 heads"),
        ({"hidden_act": "selu"}, 14, 'hidden_act: "selu" is not allowed, must be one of gelu, gelu_new, '),
        ({"mlp_bias": 1}, 14, "mlp_bias: 1 is not allowed, must be true or false"),
    ],
)
def test_a_wrong_key_has_its_sentence(
    change: dict[str, Any], line: int, problem: str, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as error:
        load({**TINY, **change})
    assert str(error.value).startswith(f"config.json:{line}: {problem}")


def test_a_missing_key_names_the_nearest(load: Load) -> None:
    config = {("vocabsize" if key == "vocab_size" else key): value for key, value in TINY.items()}
    with pytest.raises(ModelError, match=r"vocab_size: is missing, .*; did you mean vocabsize\?$"):
        load(config)


def test_an_unknown_type_names_the_nearest(load: Load) -> None:
    with pytest.raises(ModelError, match=r"'gemma3' is not known, .*; did you mean gemma2\?$|gemma3_text\?$"):
        load({**TINY, "model_type": "gemma3"})


def test_what_is_not_known_is_refused_and_not_left_out(load: Load) -> None:
    with pytest.raises(ModelError, match=r"alibi: true is not allowed, must be false, the only value known here$"):
        load({**TINY, "model_type": "falcon", "alibi": True})
    with pytest.raises(
        ModelError, match=r"num_experts_per_tok: 9 is not allowed, must be at most num_local_experts, 4$"
    ):
        load({**TINY, "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 9})
    with pytest.raises(ModelError, match=r"layer_types: .* must be a list of 3 of full_attention, sliding_attention$"):
        load({**TINY, "model_type": "gemma2", "layer_types": ["full_attention"]})


def test_a_file_that_is_no_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text('{\n "a": 1,,\n}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"^config\.json:2: this is no JSON: "):
        load_model("config.json")
    Path("config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match=r"^config\.json: must be a JSON object, with model_type and sizes$"):
        load_model("config.json")
    with pytest.raises(ModelError, match=r"^absent\.json: the file cannot be read: "):
        load_model("absent.json")


def test_imported_models_have_no_variants(load: Load, tmp_path: Path) -> None:
    load(TINY)
    with pytest.raises(ModelError, match=r"is imported and has no variants, but variant '7b' is asked for$"):
        load_model(str(tmp_path / "config.json"), "7b")


def test_a_context_that_is_too_long_is_said_of_the_file(load: Load) -> None:
    model = load(TINY)
    with pytest.raises(
        ModelError, match=r"config\.json: input 'positions': a context of 65 tokens is longer than the 64 "
    ):
        model.decode((65,))
