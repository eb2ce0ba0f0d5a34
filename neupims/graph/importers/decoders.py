"""Decoders as the config.json of transformers describes them: what each key says in the words of our record.

Sizes are those of the class that `AutoModelForCausalLM` makes; defaults of absent keys are those of its configuration.
"""

from collections.abc import Iterable
from typing import Any

from neupims.graph.importers.fields import Fields

Values = dict[str, Any]
"""Fields of the record."""

SIGHTS = ("full_attention", "sliding_attention")
"""What layer_types may hold."""


def gpt2(f: Fields) -> Values:
    """GPT-2."""
    f.only("add_cross_attention", False, False)
    width, heads = f.integer("n_embd"), f.integer("n_head")
    positions = f.integer("n_positions")
    return {
        **_biased(f, width, heads, "tie_word_embeddings"),
        "layers": f.integer("n_layer"),
        "hidden": f.integer("n_inner", 4 * width),
        "positions": positions,
        "learned": positions,
        "activation": f.activation("activation_function", "gelu_new"),
        "fused": True,
    }


def gpt_neox(f: Fields) -> Values:
    """GPT-NeoX and Pythia."""
    width, heads = f.integer("hidden_size"), f.integer("num_attention_heads")
    share = f.section("rope_parameters").number("partial_rotary_factor", f.number("rotary_pct", 0.25))
    bias = f.boolean("attention_bias", True)
    return {
        **_biased(f, width, heads, None),
        **_named_sizes(f),
        "tied": f.boolean("tie_word_embeddings", False),
        "rotated": int(width // heads * share),
        "parallel": 2 if f.boolean("use_parallel_residual", True) else 0,
        "activation": f.activation("hidden_act", "gelu"),
        "fused": True,
        "qkv_bias": bias,
        "projection_bias": bias,
    }


def opt(f: Fields) -> Values:
    """OPT; that of 350M has its norms behind, and a token table that is narrower than its layers."""
    f.only("layer_norm_elementwise_affine", True, True)
    width, positions = f.integer("hidden_size"), f.integer("max_position_embeddings")
    before, bias = f.boolean("do_layer_norm_before", True), f.boolean("enable_bias", True)
    table = f.integer("word_embed_proj_dim", width)
    return {
        **_biased(f, width, f.integer("num_attention_heads"), "tie_word_embeddings"),
        "layers": f.integer("num_hidden_layers"),
        "hidden": f.integer("ffn_dim"),
        "positions": positions,
        "learned": positions + 2,
        "table_width": 0 if table == width else table,
        "norms": "before" if before else "behind",
        "final_norm": before and not f.boolean("_remove_final_layer_norm", False),
        "activation": f.activation("activation_function", "relu"),
        "qkv_bias": bias,
        "projection_bias": bias,
        "ffn_bias": bias,
    }


def falcon(f: Fields) -> Values:
    """Falcon: 7B shares one head of keys and values, 40B and 180B a few; norms have biases, layers as said."""
    f.only("alibi", False, False)
    width, heads = f.integer("hidden_size"), f.integer("num_attention_heads")
    renewed, side_by_side = f.boolean("new_decoder_architecture", False), f.boolean("parallel_attn", True)
    bias = f.boolean("bias", False)
    shared = 1 if f.boolean("multi_query", True) else heads
    return {
        **_biased(f, width, heads, "tie_word_embeddings"),
        "layers": f.integer("num_hidden_layers"),
        "kv_heads": f.integer("num_kv_heads", heads) if renewed else shared,
        "hidden": f.integer("ffn_hidden_size", 4 * width),
        "positions": f.integer("max_position_embeddings", 2048),
        "rotated": width // heads,
        "parallel": f.integer("num_ln_in_parallel_attn", 2 if renewed else 1) if renewed or side_by_side else 0,
        "activation": f.activation("activation", "gelu"),
        "fused": True,
        "qkv_bias": bias,
        "projection_bias": bias,
        "ffn_bias": bias,
    }


def llama(f: Fields) -> Values:
    """Llama 1 to 3."""
    bias = f.boolean("attention_bias", False)
    return {
        **_gated(f),
        "qkv_bias": bias,
        "projection_bias": bias,
        "ffn_bias": f.boolean("mlp_bias", False),
    }


def mistral(f: Fields) -> Values:
    """Mistral: Llama with a sliding window."""
    return {**_gated(f), **_window(f, range(f.integer("num_hidden_layers")))}


def mixtral(f: Fields) -> Values:
    """Mixtral: Mistral with experts in all layers."""
    layers = range(f.integer("num_hidden_layers"))
    return {**mistral(f), **_experts(f, "num_local_experts", f.integer("intermediate_size"), layers)}


def phi3(f: Fields) -> Values:
    """Phi-3: q, k and v are one layer, and so are the two halves of the feed-forward network."""
    values = mistral(f)
    share = f.section("rope_parameters").number("partial_rotary_factor", f.number("partial_rotary_factor", 1.0))
    return {**values, "rotated": int(values["head_dim"] * share), "fused": True, "fused_gate": True}


def qwen2(f: Fields) -> Values:
    """Qwen 2 and 2.5: biases of q, k and v."""
    return {**_gated(f), **_late_window(f), "qkv_bias": True}


def qwen3(f: Fields) -> Values:
    """Qwen 3: norms of the heads of q and k."""
    bias = f.boolean("attention_bias", False)
    head_dim = {"head_dim": f.integer("head_dim", 128)}
    return {
        **_gated(f, **head_dim),
        **_late_window(f),
        "head_norm": True,
        "qkv_bias": bias,
        "projection_bias": bias,
    }


def qwen2_moe(f: Fields) -> Values:
    """Qwen 1.5 and 2 with experts, of which one, with a gate, is for all tokens."""
    return {
        **qwen2(f),
        **_experts(f, "num_experts", f.integer("moe_intermediate_size"), _sparse_steps(f)),
        "qkv_bias": f.boolean("qkv_bias", True),
        "shared_hidden": f.integer("shared_expert_intermediate_size"),
        "shared_gate": True,
    }


def qwen3_moe(f: Fields) -> Values:
    """Qwen 3 with experts."""
    key = "num_experts" if "num_experts" in f.values else "num_local_experts"
    head_dim = {"head_dim": f.integer("head_dim", f.integer("hidden_size") // f.integer("num_attention_heads"))}
    return {
        **qwen3(f),
        **head_dim,
        "rotated": head_dim["head_dim"],
        **_experts(f, key, f.integer("moe_intermediate_size"), _sparse_steps(f)),
    }


def gemma(f: Fields) -> Values:
    """Gemma: wide heads, embeddings multiplied by the root of the width."""
    key = "hidden_activation" if f.values.get("hidden_activation") else "hidden_act"
    bias = f.boolean("attention_bias", False)
    return {
        **_gated(f, head_dim=f.integer("head_dim", 256), tied=True),
        "activation": f.activation(key, "gelu_pytorch_tanh"),
        "scaled": True,
        "qkv_bias": bias,
        "projection_bias": bias,
    }


def gemma2(f: Fields) -> Values:
    """Gemma 2: norms on both sides, every other layer with a window, capped scores and logits."""
    return {
        **gemma(f),
        **_window(f, range(0, f.integer("num_hidden_layers"), 2)),
        "norms": "both",
        "score_cap": f.number("attn_logit_softcapping", 0.0),
        "logit_cap": f.number("final_logit_softcapping", 0.0),
    }


def gemma3(f: Fields) -> Values:
    """Gemma 3, the model of text: norms of heads, five layers of six with a window."""
    period = f.integer("sliding_window_pattern", f.integer("_sliding_window_pattern", 6))
    layers = range(f.integer("num_hidden_layers"))
    window = _window(f, [layer for layer in layers if (layer + 1) % period])
    return {**gemma2(f), **window, "head_norm": True}


def deepseek(f: Fields) -> Values:
    """DeepSeek-V2: latent attention, dense layers first, then experts; some are for all tokens."""
    f.only("moe_layer_freq", 1, 1)
    plain, turned, hidden = (
        f.integer(key) for key in ("qk_nope_head_dim", "qk_rope_head_dim", "moe_intermediate_size")
    )
    layers = f.integer("num_hidden_layers")
    bias = f.boolean("attention_bias", False)
    return {
        **_gated(f, head_dim=plain + turned),
        **_experts(f, "n_routed_experts", hidden, range(f.count("first_k_dense_replace"), layers)),
        "rotated": turned,
        "latent_rank": f.integer("kv_lora_rank"),
        "query_rank": f.count("q_lora_rank"),
        "value_dim": f.integer("v_head_dim"),
        "shared_hidden": hidden * f.count("n_shared_experts"),
        "qkv_bias": bias,
        "projection_bias": bias,
        "ffn_bias": f.boolean("mlp_bias", False),
    }


def deepseek3(f: Fields) -> Values:
    """DeepSeek-V3: experts are scored one by one, and a constant keeps them in balance."""
    return {**deepseek(f), "ffn_bias": False, "scores": "sigmoid", "corrected": True}


def jamba(f: Fields) -> Values:
    """Jamba: Mamba in most layers, attention without positions in the others, experts in every other one."""
    layers, width = range(f.integer("num_hidden_layers")), f.integer("hidden_size")
    period, offset = f.integer("attn_layer_period", 8), f.count("attn_layer_offset", 4)
    sparse, first = f.integer("expert_layer_period", 2), f.count("expert_layer_offset", 1)
    experts = [layer for layer in layers if layer % sparse == first and f.integer("num_experts", 16) > 1]
    hidden = f.integer("intermediate_size")
    return {
        **_gated(f, positions=f.integer("max_position_embeddings", 262144)),
        **_experts(f, "num_experts", hidden, experts),
        "rotated": 0,
        "recurrent": tuple(layer for layer in layers if layer % period != offset),
        "inner": f.integer("mamba_expand", 2) * width,
        "states": f.integer("mamba_d_state", 16),
        "taps": f.integer("mamba_d_conv", 4),
        "rank": _rank(f, "mamba_dt_rank", width),
        "conv_bias": f.boolean("mamba_conv_bias", True),
        "mixer_bias": f.boolean("mamba_proj_bias", False),
    }


def _rank(f: Fields, key: str, width: int) -> int:
    return -(-width // 16) if f.values.get(key) in (None, "auto") else f.integer(key)


def _named_sizes(f: Fields) -> Values:
    return {
        "layers": f.integer("num_hidden_layers"),
        "hidden": f.integer("intermediate_size"),
        "positions": f.integer("max_position_embeddings"),
    }


def _biased(f: Fields, width: int, heads: int, tie: str | None) -> Values:
    """What decoders with layer norms, biases and plain feed-forward networks have in common."""
    return {
        "width": width,
        "vocabulary": f.integer("vocab_size"),
        "heads": heads,
        "kv_heads": heads,
        "head_dim": _head_dim(f, width, heads),
        "norm": "layer_norm",
        "qkv_bias": True,
        "projection_bias": True,
        "ffn_bias": True,
        "tied": tie is not None and f.boolean(tie, True),
    }


def _gated(f: Fields, *, head_dim: int | None = None, tied: bool = False, positions: int | None = None) -> Values:
    """What decoders with RMS norms, rotary positions and gated feed-forward networks have in common."""
    width, heads = f.integer("hidden_size"), f.integer("num_attention_heads")
    size = head_dim or f.integer("head_dim", 0, least=0) or _head_dim(f, width, heads)
    kv_heads = f.integer("num_key_value_heads", heads)
    if heads % kv_heads:
        raise f.error("num_key_value_heads", f"{kv_heads} is not allowed, must divide the {heads} heads")
    return {
        **_named_sizes(f),
        **({} if positions is None else {"positions": positions}),
        "width": width,
        "vocabulary": f.integer("vocab_size"),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": size,
        "rotated": size,
        "gated": True,
        "activation": f.activation("hidden_act", "silu"),
        "tied": f.boolean("tie_word_embeddings", tied),
    }


def _head_dim(f: Fields, width: int, heads: int) -> int:
    if width % heads:
        key = next(key for key in ("num_attention_heads", "n_head") if key in f.values)
        raise f.error(key, f"{heads} is not allowed, must divide the width of {width}")
    return width // heads


def _experts(f: Fields, count: str, hidden: int, layers: Iterable[int]) -> Values:
    experts, chosen = f.integer(count), f.integer("num_experts_per_tok")
    if chosen > experts:
        raise f.error("num_experts_per_tok", f"{chosen} is not allowed, must be at most {count}, {experts}")
    return {"experts": experts, "chosen": chosen, "expert_hidden": hidden, "sparse": tuple(layers)}


def _sparse_steps(f: Fields) -> list[int]:
    step, dense = f.integer("decoder_sparse_step", 1), f.integers("mlp_only_layers")
    return [layer for layer in range(f.integer("num_hidden_layers")) if (layer + 1) % step == 0 and layer not in dense]


def _window(f: Fields, layers: Iterable[int]) -> Values:
    """The sliding window, in the layers that layer_types names, or else in those given."""
    window, types = f.count("sliding_window"), f.words("layer_types", SIGHTS, f.integer("num_hidden_layers"))
    named = None if types is None else [layer for layer, sight in enumerate(types) if sight == SIGHTS[1]]
    return {"window": window, "windowed": tuple(layers if named is None else named) if window else ()}


def _late_window(f: Fields) -> Values:
    if not f.boolean("use_sliding_window", False):
        return {}
    return _window(f, range(f.integer("max_window_layers"), f.integer("num_hidden_layers")))
