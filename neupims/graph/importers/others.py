"""Models other than decoders of attention as the config.json of transformers describes them."""

from typing import Any

from neupims.graph.importers.fields import Fields

Values = dict[str, Any]
"""Fields of a record."""


def mamba(f: Fields) -> Values:
    """Mamba."""
    width = f.integer("hidden_size")
    rank = f.values.get("time_step_rank")
    return {
        **_state_space(f, width),
        "inner": f.integer("intermediate_size", f.integer("expand", 2) * width),
        "rank": -(-width // 16) if rank in (None, "auto") else f.integer("time_step_rank"),
        "tied": f.boolean("tie_word_embeddings", True),
    }


def mamba2(f: Fields) -> Values:
    """Mamba-2."""
    width = f.integer("hidden_size")
    inner, heads, size = f.integer("expand", 2) * width, f.integer("num_heads"), f.integer("head_dim")
    if heads * size != inner:
        problem = f"{heads} is not allowed, heads of head_dim {size} must make up expand * hidden_size, {inner}"
        raise f.error("num_heads", problem)
    return {
        **_state_space(f, width),
        "inner": inner,
        "heads": heads,
        "groups": f.integer("n_groups", 8),
        "tied": f.boolean("tie_word_embeddings", False),
    }


def _state_space(f: Fields, width: int) -> Values:
    return {
        "layers": f.integer("num_hidden_layers"),
        "width": width,
        "vocabulary": f.integer("vocab_size"),
        "states": f.integer("state_size"),
        "taps": f.integer("conv_kernel", 4),
        "activation": f.activation("hidden_act", "silu"),
        "conv_bias": f.boolean("use_conv_bias", True),
        "mixer_bias": f.boolean("use_bias", False),
    }


def rwkv(f: Fields) -> Values:
    """RWKV-4."""
    width = f.integer("hidden_size")
    return {
        "layers": f.integer("num_hidden_layers"),
        "width": width,
        "inner": f.integer("attention_hidden_size", width),
        "hidden": f.integer("intermediate_size", 4 * width),
        "vocabulary": f.integer("vocab_size"),
        "tied": f.boolean("tie_word_embeddings", False),
    }


def bert(f: Fields) -> Values:
    """BERT."""
    f.only("is_decoder", False, False)
    return {
        **_encoder(f),
        "pooled": f.integer("hidden_size"),
        "vocabulary": f.integer("vocab_size"),
        "positions": f.integer("max_position_embeddings"),
        "segments": f.integer("type_vocab_size", 2),
    }


def vit(f: Fields) -> Values:
    """ViT."""
    height, width = _pair(f, "image_size", 224)
    patch_height, patch_width = _pair(f, "patch_size", 16)
    return {
        **_encoder(f),
        "pooled": f.integer("pooler_output_size", f.integer("hidden_size")),
        "pooler_activation": f.activation("pooler_act", "tanh"),
        "qkv_bias": f.boolean("qkv_bias", True),
        "channels": f.integer("num_channels", 3),
        "height": height,
        "image_width": width,
        "patch_height": patch_height,
        "patch_width": patch_width,
    }


def t5(f: Fields) -> Values:
    """T5, and its version 1.1."""
    layers = f.integer("num_layers")
    words = {"relu": "relu", "gated-gelu": "gelu", "gated-silu": "silu", "gelu": "gelu"}
    return {
        "encoder_layers": layers,
        "decoder_layers": f.integer("num_decoder_layers", layers),
        "width": f.integer("d_model"),
        "heads": f.integer("num_heads"),
        "head_dim": f.integer("d_kv"),
        "hidden": f.integer("d_ff"),
        "vocabulary": f.integer("vocab_size"),
        "buckets": f.integer("relative_attention_num_buckets", 32),
        "activation": f.choice("feed_forward_proj", words, "relu"),
        "gated": str(f.values.get("feed_forward_proj")).startswith("gated"),
        "tied": f.boolean("tie_word_embeddings", True),
    }


def _encoder(f: Fields) -> Values:
    width, heads = f.integer("hidden_size"), f.integer("num_attention_heads")
    if width % heads:
        raise f.error("num_attention_heads", f"{heads} is not allowed, must divide the width of {width}")
    return {
        "layers": f.integer("num_hidden_layers"),
        "width": width,
        "heads": heads,
        "hidden": f.integer("intermediate_size"),
        "activation": f.activation("hidden_act", "gelu"),
    }


def _pair(f: Fields, key: str, default: int) -> tuple[int, int]:
    """A size that is one number, or a list of height and width."""
    given = f.values.get(key)
    if isinstance(given, list):
        height, width = (*f.integers(key), 0, 0)[:2]
        if height < 1 or width < 1:
            raise f.error(key, f"{given} is not allowed, must be an integer, or a list of height and width")
        return height, width
    size = f.integer(key, default)
    return size, size
