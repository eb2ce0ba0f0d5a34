"""Llama: a decoder with RMS norms, rotary positions, grouped-query attention and a gated feed-forward network."""

from neupims.graph import Config, Tracer, Value, architecture, variant


class Llama(Config):
    """Sizes of a Llama model."""

    layers: int
    heads: int
    kv_heads: int
    """Heads of keys and values; each serves heads / kv_heads query heads."""
    width: int
    hidden: int
    """Width of the hidden layer of the feed-forward network."""
    vocabulary: int = 32000  # Touvron et al. 2023 (LLaMA), section 2.1; Llama 2 keeps it
    positions: int = 131072
    """Longest context that the published model was trained for; rotary positions need no table."""
    head_dim: int = 128
    tied: bool = False
    """Whether the output matrix is the token embedding."""


# Sizes: LLaMA (7b to 65b), table 2 of arXiv:2302.13971, whose hidden widths are 8/3 of the width, rounded up to a
# multiple of 256; Llama 2 (2-*), the same blocks and table 1 of the paper below, which gives grouped-query attention
# to the 70B alone; Llama 3 and 3.1, table 3 of arXiv:2407.21783; 3.2, and all hidden widths and vocabularies, from
# the config.json that Meta publishes with each model.
@architecture("llama", paper="Llama 2: Open Foundation and Fine-Tuned Chat Models, arXiv:2307.09288", family="language")
@variant("7b", layers=32, heads=32, kv_heads=32, width=4096, hidden=11008, positions=2048)
@variant("13b", layers=40, heads=40, kv_heads=40, width=5120, hidden=13824, positions=2048)
@variant("33b", layers=60, heads=52, kv_heads=52, width=6656, hidden=17920, positions=2048)
@variant("65b", layers=80, heads=64, kv_heads=64, width=8192, hidden=22016, positions=2048)
@variant("2-7b", layers=32, heads=32, kv_heads=32, width=4096, hidden=11008, positions=4096)
@variant("2-13b", layers=40, heads=40, kv_heads=40, width=5120, hidden=13824, positions=4096)
@variant("2-70b", layers=80, heads=64, kv_heads=8, width=8192, hidden=28672, positions=4096)
@variant("3-8b", layers=32, heads=32, kv_heads=8, width=4096, hidden=14336, vocabulary=128256, positions=8192)
@variant("3-70b", layers=80, heads=64, kv_heads=8, width=8192, hidden=28672, vocabulary=128256, positions=8192)
@variant("3.1-8b", layers=32, heads=32, kv_heads=8, width=4096, hidden=14336, vocabulary=128256)
@variant("3.1-70b", layers=80, heads=64, kv_heads=8, width=8192, hidden=28672, vocabulary=128256)
@variant("3.1-405b", layers=126, heads=128, kv_heads=8, width=16384, hidden=53248, vocabulary=128256)
@variant("3.2-1b", layers=16, heads=32, kv_heads=8, width=2048, hidden=8192, vocabulary=128256, head_dim=64, tied=True)
@variant("3.2-3b", layers=28, heads=24, kv_heads=8, width=3072, hidden=8192, vocabulary=128256, tied=True)
def llama(net: Tracer, cfg: Llama) -> None:
    """Decoder-only language model."""
    table = net.weight(cfg.vocabulary, cfg.width, name="token_table")
    positions = net.positions(cfg.positions)
    x = net.embedding(net.tokens(), table, name="embedding")
    for _ in net.repeat(cfg.layers, "layer"):
        with net.scope("attention"):
            x = x + attention(net, cfg, net.rms_norm(x, name="norm"), positions)
        with net.scope("ffn"):
            x = x + swiglu(net, cfg, net.rms_norm(x, name="norm"))
    x = net.rms_norm(net.last_token(x), name="final_norm")
    weight = net.transpose(table) if cfg.tied else None
    net.output(net.argmax(net.linear(x, cfg.vocabulary, weight=weight, bias=False, name="lm_head"), name="sampling"))


def attention(net: Tracer, cfg: Llama, x: Value, positions: Value) -> Value:
    """Grouped-query attention; queries and keys are turned by their positions."""
    q = net.linear(x, cfg.heads * cfg.head_dim, bias=False, name="q")
    k = net.linear(x, cfg.kv_heads * cfg.head_dim, bias=False, name="k")
    v = net.linear(x, cfg.kv_heads * cfg.head_dim, bias=False, name="v")
    q = net.rotary(q, positions, head_dim=cfg.head_dim, name="q_rotary")
    k = net.rotary(k, positions, head_dim=cfg.head_dim, name="k_rotary")
    mixed = net.attention(q, k, v, heads=cfg.heads, kv_heads=cfg.kv_heads)
    return net.linear(mixed, cfg.width, bias=False, name="projection")


def swiglu(net: Tracer, cfg: Llama, x: Value) -> Value:
    """Feed-forward network whose hidden layer is one linear layer gated by the SiLU of another."""
    gate = net.silu(net.linear(x, cfg.hidden, bias=False, name="gate"))
    up = net.linear(x, cfg.hidden, bias=False, name="up")
    return net.linear(gate * up, cfg.width, bias=False, name="down")
