"""Decoders as the config.json of transformers describes them: what each key says in the words of our record.

Sizes are those of the class that `AutoModelForCausalLM` makes; defaults of absent keys are those of its configuration.
"""

from neupims.graph.importers.fields import Fields
from neupims.graph.importers.parts import (
    Values,
    biased,
    experts,
    gated,
    late_window,
    named_sizes,
    rank,
    sparse_steps,
    window,
)


def gpt2(f: Fields) -> Values:
    """GPT-2."""
    f.only("add_cross_attention", False, False)
    width, heads = f.integer("n_embd"), f.integer("n_head")
    positions = f.integer("n_positions")
    return {
        **biased(f, width, heads, "tie_word_embeddings"),
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
        **biased(f, width, heads, None),
        **named_sizes(f),
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
        **biased(f, width, f.integer("num_attention_heads"), "tie_word_embeddings"),
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
        **biased(f, width, heads, "tie_word_embeddings"),
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
        **gated(f),
        "qkv_bias": bias,
        "projection_bias": bias,
        "ffn_bias": f.boolean("mlp_bias", False),
    }


def mistral(f: Fields) -> Values:
    """Mistral: Llama with a sliding window."""
    return {**gated(f), **window(f, range(f.integer("num_hidden_layers")))}


def mixtral(f: Fields) -> Values:
    """Mixtral: Mistral with experts in all layers."""
    layers = range(f.integer("num_hidden_layers"))
    return {**mistral(f), **experts(f, "num_local_experts", f.integer("intermediate_size"), layers)}


def phi3(f: Fields) -> Values:
    """Phi-3: q, k and v are one layer, and so are the two halves of the feed-forward network."""
    values = mistral(f)
    share = f.section("rope_parameters").number("partial_rotary_factor", f.number("partial_rotary_factor", 1.0))
    return {**values, "rotated": int(values["head_dim"] * share), "fused": True, "fused_gate": True}


def qwen2(f: Fields) -> Values:
    """Qwen 2 and 2.5: biases of q, k and v."""
    return {**gated(f), **late_window(f), "qkv_bias": True}


def qwen3(f: Fields) -> Values:
    """Qwen 3: norms of the heads of q and k."""
    bias = f.boolean("attention_bias", False)
    return {
        **gated(f, wide=f.integer("head_dim", 128)),
        **late_window(f),
        "head_norm": True,
        "qkv_bias": bias,
        "projection_bias": bias,
    }


def qwen2_moe(f: Fields) -> Values:
    """Qwen 1.5 and 2 with experts, of which one, with a gate, is for all tokens."""
    return {
        **qwen2(f),
        **experts(f, "num_experts", f.integer("moe_intermediate_size"), sparse_steps(f)),
        "qkv_bias": f.boolean("qkv_bias", True),
        "shared_hidden": f.integer("shared_expert_intermediate_size"),
        "shared_gate": True,
    }


def qwen3_moe(f: Fields) -> Values:
    """Qwen 3 with experts."""
    key = "num_experts" if "num_experts" in f.values else "num_local_experts"
    head_dim = f.integer("head_dim", f.integer("hidden_size") // f.integer("num_attention_heads"))
    return {
        **qwen3(f),
        "head_dim": head_dim,
        "rotated": head_dim,
        **experts(f, key, f.integer("moe_intermediate_size"), sparse_steps(f)),
    }


def gemma(f: Fields) -> Values:
    """Gemma: wide heads, embeddings multiplied by the root of the width."""
    key = "hidden_activation" if f.values.get("hidden_activation") else "hidden_act"
    bias = f.boolean("attention_bias", False)
    return {
        **gated(f, wide=f.integer("head_dim", 256), tied=True),
        "activation": f.activation(key, "gelu_pytorch_tanh"),
        "scaled": True,
        "qkv_bias": bias,
        "projection_bias": bias,
    }


def gemma2(f: Fields) -> Values:
    """Gemma 2: norms on both sides, every other layer with a window, capped scores and logits."""
    return {
        **gemma(f),
        **window(f, range(0, f.integer("num_hidden_layers"), 2)),
        "norms": "both",
        "score_cap": f.number("attn_logit_softcapping", 0.0),
        "logit_cap": f.number("final_logit_softcapping", 0.0),
    }


def gemma3(f: Fields) -> Values:
    """Gemma 3, the model of text: norms of heads, five layers of six with a window."""
    period = f.integer("sliding_window_pattern", f.integer("_sliding_window_pattern", 6))
    layers = range(f.integer("num_hidden_layers"))
    windowed = window(f, [layer for layer in layers if (layer + 1) % period])
    return {**gemma2(f), **windowed, "head_norm": True}


def deepseek(f: Fields) -> Values:
    """DeepSeek-V2: latent attention, dense layers first, then experts; some are for all tokens."""
    f.only("moe_layer_freq", 1, 1)
    plain, turned, hidden = (
        f.integer(key) for key in ("qk_nope_head_dim", "qk_rope_head_dim", "moe_intermediate_size")
    )
    layers = f.integer("num_hidden_layers")
    bias = f.boolean("attention_bias", False)
    return {
        **gated(f, wide=plain + turned),
        **experts(f, "n_routed_experts", hidden, range(f.count("first_k_dense_replace"), layers)),
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
    mixed = [layer for layer in layers if layer % sparse == first and f.integer("num_experts", 16) > 1]
    hidden = f.integer("intermediate_size")
    return {
        **gated(f, positions=f.integer("max_position_embeddings", 262144)),
        **experts(f, "num_experts", hidden, mixed),
        "rotated": 0,
        "recurrent": tuple(layer for layer in layers if layer % period != offset),
        "inner": f.integer("mamba_expand", 2) * width,
        "states": f.integer("mamba_d_state", 16),
        "taps": f.integer("mamba_d_conv", 4),
        "rank": rank(f, "mamba_dt_rank", width),
        "conv_bias": f.boolean("mamba_conv_bias", True),
        "mixer_bias": f.boolean("mamba_proj_bias", False),
    }
