"""Mixtral: the decoder of Llama whose feed-forward network is, for each token, two of eight experts."""

from typing import Literal

from neupims.graph import Config, Tracer, Value, architecture, balanced_rows, skewed_rows, variant


class Mixtral(Config):
    """Sizes of a Mixtral model."""

    layers: int
    heads: int
    width: int
    hidden: int
    """Width of the hidden layer of each expert."""
    positions: int
    """Longest context that the published model was trained for."""
    kv_heads: int = 8
    experts: int = 8
    chosen: int = 2
    """Experts of each token."""
    routing: Literal["balanced", "skewed", "same"] = "balanced"
    """How tokens spread over experts: evenly; by Zipf's law; or all tokens to the same two."""
    vocabulary: int = 32000
    head_dim: int = 128


# Sizes: 8x7b, table 1 of Jiang et al. 2024; 8x22b, the config.json that Mistral AI publishes with Mixtral-8x22B-v0.1.
@architecture("mixtral", paper="Mixtral of Experts, arXiv:2401.04088", family="language")
@variant("8x7b", layers=32, heads=32, width=4096, hidden=14336, positions=32768)
@variant("8x22b", layers=56, heads=48, width=6144, hidden=16384, positions=65536)
def mixtral(net: Tracer, cfg: Mixtral) -> None:
    """Decoder-only language model with a sparse mixture of experts."""
    positions = net.positions(cfg.positions)
    x = net.embedding(net.tokens(), net.weight(cfg.vocabulary, cfg.width, name="token_table"), name="embedding")
    for _ in net.repeat(cfg.layers, "layer"):
        with net.scope("attention"):
            x = x + attention(net, cfg, net.rms_norm(x, name="norm"), positions)
        with net.scope("ffn"):
            x = mixture(net, cfg, net.rms_norm(x, name="norm"), x)
    x = net.rms_norm(net.last_token(x), name="final_norm")
    net.output(net.argmax(net.linear(x, cfg.vocabulary, bias=False, name="lm_head"), name="sampling"))


def attention(net: Tracer, cfg: Mixtral, x: Value, positions: Value) -> Value:
    """Grouped-query attention; queries and keys are turned by their positions."""
    q = net.linear(x, cfg.heads * cfg.head_dim, bias=False, name="q")
    k = net.linear(x, cfg.kv_heads * cfg.head_dim, bias=False, name="k")
    v = net.linear(x, cfg.kv_heads * cfg.head_dim, bias=False, name="v")
    q = net.rotary(q, positions, head_dim=cfg.head_dim, name="q_rotary")
    k = net.rotary(k, positions, head_dim=cfg.head_dim, name="k_rotary")
    mixed = net.attention(q, k, v, heads=cfg.heads, kv_heads=cfg.kv_heads)
    return net.linear(mixed, cfg.width, bias=False, name="projection")


def mixture(net: Tracer, cfg: Mixtral, x: Value, residual: Value) -> Value:
    """The residual plus, for each token of x, what its experts give, weighted by a softmax over those chosen."""
    logits = net.linear(x, cfg.experts, bias=False, name="router")
    tokens = x.shape[0]
    chosen = net.top_k(logits, cfg.chosen, name="chosen")
    kept = net.gather_rows(net.reshape(logits, tokens, cfg.experts, 1), chosen, name="chosen_logits")
    weights = net.reshape(net.softmax(net.reshape(kept, tokens, cfg.chosen)), tokens * cfg.chosen, 1)
    order = net.sort(net.reshape(chosen, tokens * cfg.chosen), name="by_expert")
    owner = net.div(order, cfg.chosen, name="token")
    given = swiglu(net, cfg, net.gather(x, owner, name="dispatch"))
    weighted = given * net.gather(weights, order, name="sorted_weights")
    return net.scatter(weighted, owner, residual, add=True, name="combine")


def swiglu(net: Tracer, cfg: Mixtral, x: Value) -> Value:
    """The experts, each a gated feed-forward network over its own rows of x."""
    rows = expert_rows(cfg, x.shape[0])
    gate = net.silu(net.expert_linear(x, cfg.hidden, rows, name="gate"))
    return net.expert_linear(gate * net.expert_linear(x, cfg.hidden, rows, name="up"), cfg.width, rows, name="down")


def expert_rows(cfg: Mixtral, rows: int) -> tuple[int, ...]:
    """Rows of each expert; a token is in those of as many experts as it has chosen."""
    if cfg.routing == "same":
        return balanced_rows(rows, cfg.chosen) + (0,) * (cfg.experts - cfg.chosen)
    return balanced_rows(rows, cfg.experts) if cfg.routing == "balanced" else skewed_rows(rows, cfg.experts)
