"""Imported configurations against transformers itself: parameters, and the products that torch counts in a run.

What torch counts and we do not, or otherwise, is left out of the comparison: it runs the last layers of a prompt (OPT's
output projection and the head) for all tokens and not for the last one only, the causal convolution of a state space
on a padded input, and the scan of Mamba and Mamba-2 as matrix products.
"""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from huggingface_configs import PUBLISHED, SMALL, Config

from neupims.graph import Graph, Model, load_model

WHY = "compares with transformers, which is not installed (pip install 'neupims[oracle]')"
torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TOKENS = 12
CLASSES = {"bert": "AutoModel", "vit": "AutoModel", "t5": "AutoModelForSeq2SeqLM"}
STATE_SPACES = ("mamba", "mamba2", "jamba")


def ours(tmp_path: Path, config: Config) -> Model:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return load_model(str(path))


def theirs(config: Config, device: str) -> Any:
    keys = {key: value for key, value in config.items() if key != "model_type"}
    record = transformers.AutoConfig.for_model(config["model_type"], **keys)
    made = getattr(transformers, CLASSES.get(config["model_type"], "AutoModelForCausalLM"))
    eager = {} if config["model_type"] in ("mamba", "mamba2", "rwkv") else {"attn_implementation": "eager"}
    with torch.device(device):
        model = made.from_config(record, **eager).eval()
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    return model


def parameters(model: Any, config: Config) -> int:
    """Of the model; transformers 5 ties the output matrix of T5 whatever tie_word_embeddings says, so it is added."""
    untied = config["model_type"] == "t5" and not config.get("tie_word_embeddings", True)
    head = model.lm_head.weight.numel() if untied else 0
    return sum(tensor.numel() for tensor in model.parameters()) + head


def products(model: Any, inputs: dict[str, Any], names: tuple[str, ...]) -> int:
    """Multiply-accumulates of the named operators, of all if none is named, while the model runs."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    counts = {str(operator): flops for operator, flops in counter.get_flop_counts()["Global"].items()}
    return sum(flops for operator, flops in counts.items() if not names or operator in names) // 2


def inputs_of(config: Config) -> dict[str, Any]:
    if config["model_type"] == "vit":
        return {"pixel_values": torch.zeros(1, 3, config["image_size"], config["image_size"])}
    tokens = torch.arange(TOKENS)[None] + 3
    return {"input_ids": tokens, **({"decoder_input_ids": tokens} if config["model_type"] == "t5" else {})}


def behind_the_last_layer(graph: Graph) -> int:
    """MACs of what we do for the last token of a prompt only."""
    last = [item for item in graph.items if item not in graph.blocks][-4:]
    return sum(item.macs for item in last if item.kind == "linear")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_have_their_parameters(name: str, tmp_path: Path) -> None:
    config, expected = PUBLISHED[name]
    assert parameters(theirs(config, "meta"), config) == expected == ours(tmp_path, config).params


@pytest.mark.parametrize("name", SMALL)
def test_small_models_have_their_parameters_and_products(name: str, tmp_path: Path) -> None:
    config, model = SMALL[name], ours(tmp_path, SMALL[name])
    reference = theirs(config, "cpu")
    assert model.params == parameters(reference, config)
    graph = model.trace((TOKENS,), "prefill" if model.passes == "decode" else "forward")
    expected = graph.macs - sum(op.macs for op in graph.operators if op.kind == "causal_conv")
    if model.passes == "decode":
        expected += (TOKENS - 1) * behind_the_last_layer(graph)
    if config["model_type"] in STATE_SPACES:
        expected -= sum(op.macs for op in graph.operators if op.kind in ("logit", "attend"))
    counted = ("aten.mm", "aten.addmm") if config["model_type"] in STATE_SPACES else ()
    assert products(reference, inputs_of(config), counted) == expected


EXPORTED = ("gpt2", "gpt_neox", "opt", "llama", "mistral", "qwen3", "gemma", "bert", "vit")


@pytest.mark.parametrize("name", EXPORTED)
def test_the_exported_module_is_the_configuration_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module from `torch.export`: parameters and products as torch counts them, layers as one block."""
    config = SMALL[name]
    module, inputs = theirs(config, "cpu"), inputs_of(config)
    if hasattr(module.config, "use_cache"):
        module.config.use_cache = False
    made = ModuleType("made")
    made.factory = lambda: (module, tuple(inputs.values()))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made", made)
    graph = load_model("made:factory").trace((1,))
    assert graph.params == parameters(module, config)
    assert graph.macs == products(module, inputs, ())
    assert [block.count for block in graph.blocks] == [3]


@pytest.mark.parametrize("name", EXPORTED)
def test_the_onnx_file_of_the_module_does_the_same(name: str, tmp_path: Path) -> None:
    """Buffers are initializers of an ONNX file too, so that its weights are not the parameters alone."""
    pytest.importorskip("onnx", reason=WHY)
    pytest.importorskip("onnxscript", reason="torch writes ONNX files with onnxscript, which is not installed")
    config = SMALL[name]
    module, inputs = theirs(config, "cpu"), inputs_of(config)
    if hasattr(module.config, "use_cache"):
        module.config.use_cache = False
    file = str(tmp_path / "net.onnx")
    torch.onnx.export(module, tuple(inputs.values()), file, dynamo=True, verbose=False)
    graph = load_model(file).trace((1,))
    assert graph.macs == products(module, inputs, ())
    assert [block.count for block in graph.blocks] == [3]
