"""Configurations as config.json holds them: published models with their parameters, and small ones of all families."""

from typing import Any

Config = dict[str, Any]


def llama(layers: int, width: int, heads: int, kv: int, hidden: int, vocabulary: int, **more: Any) -> Config:
    """Keys that decoders since Llama have in common."""
    return {
        "model_type": "llama",
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": hidden,
        "vocab_size": vocabulary,
        "max_position_embeddings": 4096,
        **more,
    }


def moe(experts: int, chosen: int, hidden: int) -> Config:
    return {"num_experts": experts, "num_experts_per_tok": chosen, "moe_intermediate_size": hidden}


DEEPSEEK: Config = {
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "moe_layer_freq": 1,
}

PUBLISHED: dict[str, tuple[Config, int]] = {
    "gpt2-xl": (
        {"model_type": "gpt2", "n_layer": 48, "n_head": 25, "n_embd": 1600, "n_positions": 1024, "vocab_size": 50257},
        1_557_611_200,
    ),
    "pythia-6.9b": (
        {
            **llama(32, 4096, 32, 32, 16384, 50432, model_type="gpt_neox", max_position_embeddings=2048),
            "rotary_pct": 0.25,
            "tie_word_embeddings": False,
        },
        6_857_302_016,
    ),
    "opt-350m": (
        {
            **llama(24, 1024, 16, 16, 0, 50272, model_type="opt", max_position_embeddings=2048),
            "ffn_dim": 4096,
            "word_embed_proj_dim": 512,
            "do_layer_norm_before": False,
        },
        331_196_416,
    ),
    "opt-6.7b": (
        {**llama(32, 4096, 32, 32, 0, 50272, model_type="opt", max_position_embeddings=2048), "ffn_dim": 16384},
        6_658_473_984,
    ),
    "llama-2-70b": (llama(80, 8192, 64, 8, 28672, 32000), 68_976_648_192),
    "llama-3-8b": (llama(32, 4096, 32, 8, 14336, 128256), 8_030_261_248),
    "llama-3.2-1b": (
        llama(16, 2048, 32, 8, 8192, 128256, head_dim=64, tie_word_embeddings=True),
        1_235_814_400,
    ),
    "mistral-7b": (llama(32, 4096, 32, 8, 14336, 32000, model_type="mistral", sliding_window=4096), 7_241_732_096),
    "mixtral-8x7b": (
        llama(32, 4096, 32, 8, 14336, 32000, model_type="mixtral", num_local_experts=8, num_experts_per_tok=2),
        46_702_792_704,
    ),
    "qwen2.5-7b": (llama(28, 3584, 28, 4, 18944, 152064, model_type="qwen2"), 7_615_616_512),
    "qwen2-57b-a14b": (
        {
            **llama(28, 3584, 28, 4, 18944, 151936, model_type="qwen2_moe", **moe(64, 8, 2560)),
            "shared_expert_intermediate_size": 20480,
        },
        57_408_658_944,
    ),
    "qwen3-8b": (llama(36, 4096, 32, 8, 12288, 151936, model_type="qwen3", head_dim=128), 8_190_735_360),
    "qwen3-30b-a3b": (
        llama(48, 2048, 32, 4, 6144, 151936, model_type="qwen3_moe", head_dim=128, **moe(128, 8, 768)),
        30_532_122_624,
    ),
    "gemma-2-9b": (
        {
            **llama(42, 3584, 16, 8, 14336, 256000, model_type="gemma2", head_dim=256, sliding_window=4096),
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        9_241_705_984,
    ),
    "gemma-3-1b": (
        {
            **llama(26, 1152, 4, 1, 6912, 262144, model_type="gemma3_text", head_dim=256, sliding_window=512),
            "sliding_window_pattern": 6,
        },
        999_885_952,
    ),
    "phi-3-mini": (
        llama(32, 3072, 32, 32, 8192, 32064, model_type="phi3", sliding_window=2047),
        3_821_079_552,
    ),
    "falcon-40b": (
        {
            **llama(60, 8192, 128, 8, 0, 65024, model_type="falcon", num_kv_heads=8),
            "new_decoder_architecture": True,
        },
        41_303_293_952,
    ),
    "deepseek-v2-lite": (
        {
            **llama(27, 2048, 16, 16, 10944, 102400, model_type="deepseek_v2", **DEEPSEEK),
            **{"n_routed_experts": 64, "num_experts_per_tok": 6, "moe_intermediate_size": 1408},
            **{"n_shared_experts": 2, "first_k_dense_replace": 1, "q_lora_rank": None},
        },
        15_706_484_224,
    ),
    "deepseek-v3": (
        {
            **llama(61, 7168, 128, 128, 18432, 129280, model_type="deepseek_v3", **DEEPSEEK),
            **{"n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048},
            **{"n_shared_experts": 1, "first_k_dense_replace": 3, "q_lora_rank": 1536},
        },
        671_026_404_352,
    ),
    "mamba-2.8b": (
        {
            **{"model_type": "mamba", "hidden_size": 2560, "num_hidden_layers": 64, "vocab_size": 50280},
            **{"state_size": 16, "conv_kernel": 4, "expand": 2, "time_step_rank": 160},
        },
        2_768_345_600,
    ),
    "mamba2-2.7b": (
        {
            **{"model_type": "mamba2", "hidden_size": 2560, "num_hidden_layers": 64, "vocab_size": 50288},
            **{"state_size": 128, "num_heads": 80, "head_dim": 64, "n_groups": 1, "tie_word_embeddings": True},
        },
        2_702_599_680,
    ),
    "jamba-v0.1": (
        {
            **llama(32, 4096, 32, 8, 14336, 65536, model_type="jamba", num_experts=16, num_experts_per_tok=2),
            **{"attn_layer_period": 8, "attn_layer_offset": 4, "expert_layer_period": 2, "expert_layer_offset": 1},
            **{"mamba_d_state": 16, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 256},
        },
        51_570_323_328,
    ),
    "rwkv-4-169m": (
        {"model_type": "rwkv", "hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 50277},
        169_342_464,
    ),
    "bert-large": (
        {
            **llama(24, 1024, 16, 16, 4096, 30522, model_type="bert", max_position_embeddings=512),
            "type_vocab_size": 2,
        },
        335_141_888,
    ),
    "t5-3b": (
        {
            **{"model_type": "t5", "d_model": 1024, "num_layers": 24, "num_heads": 32, "d_kv": 128, "d_ff": 16384},
            "vocab_size": 32128,
        },
        2_851_598_336,
    ),
    "flan-t5-xl": (
        {
            **{"model_type": "t5", "d_model": 2048, "num_layers": 24, "num_heads": 32, "d_kv": 64, "d_ff": 5120},
            **{"vocab_size": 32128, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        },
        2_849_757_184,
    ),
    "vit-large": (
        llama(24, 1024, 16, 16, 4096, 1, model_type="vit", image_size=224, patch_size=16),
        304_351_232,
    ),
}
"""Sizes from the config.json of each model on the Hugging Face hub; parameters as transformers makes it, but
for T5 1.1, whose output matrix is its own in the published files and is tied by transformers 5 regardless."""

TINY = {
    **llama(3, 32, 4, 2, 48, 96, head_dim=8, max_position_embeddings=64),
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
FALCON = {**{key: value for key, value in TINY.items() if key != "head_dim"}, "model_type": "falcon"}
LATENT = {
    **TINY,
    **{"num_key_value_heads": 4, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "head_dim": 4},
    **{"num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_shared_experts": 2, "first_k_dense_replace": 1},
}
STATES = {"hidden_size": 32, "num_hidden_layers": 3, "vocab_size": 96}

SMALL: dict[str, Config] = {
    "gpt2": {"model_type": "gpt2", "vocab_size": 96, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64},
    "gpt_neox": {**TINY, "model_type": "gpt_neox"},
    "gpt_neox sequential": {**TINY, "model_type": "gpt_neox", "use_parallel_residual": False, "attention_bias": False},
    "opt": {**TINY, "model_type": "opt", "ffn_dim": 64, "word_embed_proj_dim": 32},
    "opt behind": {
        **TINY,
        **{"model_type": "opt", "ffn_dim": 64, "word_embed_proj_dim": 16, "do_layer_norm_before": False},
    },
    "llama": TINY,
    "llama biased": {**TINY, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "mistral": {**TINY, "model_type": "mistral", "sliding_window": 5},
    "mixtral": {**TINY, "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2": {**TINY, "model_type": "qwen2", "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": {**TINY, "model_type": "qwen3"},
    "qwen2_moe": {
        **TINY,
        **moe(4, 2, 16),
        **{"model_type": "qwen2_moe", "shared_expert_intermediate_size": 24, "decoder_sparse_step": 2},
    },
    "qwen3_moe": {**TINY, **moe(4, 2, 16), "model_type": "qwen3_moe", "mlp_only_layers": [1]},
    "gemma": {**TINY, "model_type": "gemma"},
    "gemma2": {**TINY, "model_type": "gemma2"},
    "gemma3_text": {**TINY, "model_type": "gemma3_text", "num_hidden_layers": 8, "sliding_window": 4},
    "phi3": {**TINY, "model_type": "phi3"},
    "falcon": FALCON,
    "falcon new": {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon sequential": {**FALCON, "parallel_attn": False, "multi_query": False, "bias": True},
    "deepseek_v2": {**LATENT, "model_type": "deepseek_v2", "n_routed_experts": 4, "q_lora_rank": None, "v_head_dim": 8},
    "deepseek_v3": {
        **LATENT,
        **{"model_type": "deepseek_v3", "n_routed_experts": 8, "q_lora_rank": 24, "v_head_dim": 12},
        **{"n_group": 2, "topk_group": 1},
    },
    "mamba": {**STATES, "model_type": "mamba", "state_size": 4, "time_step_rank": 5},
    "mamba2": {
        **STATES,
        **{"model_type": "mamba2", "state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 16},
    },
    "jamba": {
        **TINY,
        **{"model_type": "jamba", "num_hidden_layers": 8, "mamba_d_state": 4, "num_experts": 4},
        **{"num_experts_per_tok": 2, "mamba_dt_rank": 3},
    },
    "rwkv": {**STATES, "model_type": "rwkv"},
    "bert": {**TINY, "model_type": "bert"},
    "t5": {
        **{"model_type": "t5", "vocab_size": 96, "d_model": 32, "num_layers": 2, "num_decoder_layers": 3},
        **{"num_heads": 4, "d_kv": 6, "d_ff": 48},
    },
    "t5 gated": {
        **{"model_type": "t5", "vocab_size": 96, "d_model": 32, "num_layers": 2, "num_heads": 4, "d_kv": 6},
        **{"d_ff": 48, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    },
    "vit": {**TINY, "model_type": "vit", "image_size": 32, "patch_size": 8},
}
"""All families, and what tells their blocks apart, small enough to run."""
