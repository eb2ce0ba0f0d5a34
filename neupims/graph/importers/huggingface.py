"""A config.json of transformers as a model: which description each `model_type` has, and its numbers.

Parameters are those of the class that transformers makes of it: `AutoModelForCausalLM` of decoders,
`AutoModelForSeq2SeqLM` of T5, `AutoModel` (with its pooler) of BERT and ViT.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from neupims.errors import ModelError
from neupims.graph.architecture import Architecture, Describe, Paper
from neupims.graph.config import Config, configure, did_you_mean, listed
from neupims.graph.importers import decoders, others
from neupims.graph.importers.decoder import decoder
from neupims.graph.importers.encoders import T5, Encoder, bert, t5, vit
from neupims.graph.importers.fields import Fields, read_fields
from neupims.graph.importers.mamba import Mamba, mamba
from neupims.graph.importers.record import Decoder
from neupims.graph.importers.rwkv import Rwkv, rwkv
from neupims.graph.model import Model
from neupims.graph.sequences import Phase
from neupims.graph.tracer import Tracer


@dataclass(frozen=True, slots=True)
class Source:
    """How a `model_type` becomes a model."""

    read: Callable[[Fields], Mapping[str, Any]]
    title: str
    arxiv: str | None
    config: type[Config] = Decoder
    describe: Describe = decoder
    family: str = "language"
    passes: Phase = "decode"


SOURCES: Mapping[str, Source] = {
    "gpt2": Source(decoders.gpt2, "Language Models are Unsupervised Multitask Learners", None),
    "gpt_neox": Source(decoders.gpt_neox, "GPT-NeoX-20B: An Open-Source Autoregressive Language Model", "2204.06745"),
    "opt": Source(decoders.opt, "OPT: Open Pre-trained Transformer Language Models", "2205.01068"),
    "llama": Source(decoders.llama, "Llama 2: Open Foundation and Fine-Tuned Chat Models", "2307.09288"),
    "mistral": Source(decoders.mistral, "Mistral 7B", "2310.06825"),
    "mixtral": Source(decoders.mixtral, "Mixtral of Experts", "2401.04088"),
    "qwen2": Source(decoders.qwen2, "Qwen2 Technical Report", "2407.10671"),
    "qwen2_moe": Source(decoders.qwen2_moe, "Qwen2 Technical Report", "2407.10671"),
    "qwen3": Source(decoders.qwen3, "Qwen3 Technical Report", "2505.09388"),
    "qwen3_moe": Source(decoders.qwen3_moe, "Qwen3 Technical Report", "2505.09388"),
    "gemma": Source(decoders.gemma, "Gemma: Open Models Based on Gemini Research and Technology", "2403.08295"),
    "gemma2": Source(decoders.gemma2, "Gemma 2: Improving Open Language Models at a Practical Size", "2408.00118"),
    "gemma3_text": Source(decoders.gemma3, "Gemma 3 Technical Report", "2503.19786"),
    "phi3": Source(decoders.phi3, "Phi-3 Technical Report", "2404.14219"),
    "falcon": Source(decoders.falcon, "The Falcon Series of Open Language Models", "2311.16867"),
    "deepseek_v2": Source(decoders.deepseek, "DeepSeek-V2", "2405.04434"),
    "deepseek_v3": Source(decoders.deepseek3, "DeepSeek-V3 Technical Report", "2412.19437"),
    "jamba": Source(decoders.jamba, "Jamba: A Hybrid Transformer-Mamba Language Model", "2403.19887"),
    "mamba": Source(
        others.mamba, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", "2312.00752", Mamba, mamba
    ),
    "mamba2": Source(others.mamba2, "Transformers are SSMs", "2405.21060", Mamba, mamba),
    "rwkv": Source(others.rwkv, "RWKV: Reinventing RNNs for the Transformer Era", "2305.13048", Rwkv, rwkv),
    "bert": Source(
        others.bert,
        "BERT: Pre-training of Deep Bidirectional Transformers",
        "1810.04805",
        Encoder,
        bert,
        passes="forward",
    ),
    "vit": Source(
        others.vit, "An Image is Worth 16x16 Words", "2010.11929", Encoder, vit, family="vision", passes="forward"
    ),
    "t5": Source(
        others.t5, "Exploring the Limits of Transfer Learning with T5", "1910.10683", T5, t5, passes="forward"
    ),
}


def load_config(path: Path, options: Mapping[str, object]) -> Model:
    """The model of a config.json; options override values of its record.

    Raises:
        ModelError: the file cannot be read, its model_type is unknown, or a key is missing or has a wrong value.
    """
    fields = read_fields(path)
    source = _source(fields)
    values = source.read(fields)
    name = model_name(path)
    architecture = Architecture(
        name,
        Paper(source.title, source.arxiv),
        source.family,
        about=source.describe.__doc__ or "",
        config=source.config,
        variants={},
        describe=partial(_described, fields.file, source.describe),
        file=str(path),
        passes=source.passes,
    )
    return Model(architecture, None, configure(source.config, name, values, options))


def model_name(path: Path) -> str:
    """A file's name without its suffix, or that of its folder if it is called config.json."""
    return path.resolve().parent.name if path.stem == "config" else path.stem


def _source(fields: Fields) -> Source:
    given = fields.values.get("model_type")
    if given is None:
        raise fields.error("model_type", f"is missing, must be one of {listed(SOURCES)}")
    if given not in SOURCES:
        longer = [name for name in SOURCES if name.startswith(f"{given}_")]
        hint = f"; did you mean {longer[0]}?" if longer else did_you_mean(str(given), SOURCES)
        raise fields.error("model_type", f"{given!r} is not known, must be one of {listed(SOURCES)}{hint}")
    return SOURCES[given]


def _described(file: str, describe: Describe, net: Tracer, cfg: Config) -> None:
    """What does not fit is said of the file, not of the line of this package that noticed it."""
    try:
        describe(net, cfg)
    except ModelError as error:
        raise ModelError(f"{file}: {str(error).partition(': ')[2]}") from None
