"""S2FT: of a Llama, a few heads and channels of each layer are tuned and the rest stays frozen; LoRA beside it."""

from itertools import groupby
from typing import Literal

from neupims.graph import Config, Tracer, Value, architecture, balanced_rows, variant


class S2ft(Config):
    """Sizes of the Llama that is tuned, and what of it is."""

    layers: int = 32
    heads: int = 32
    kv_heads: int = 32
    width: int = 4096
    hidden: int
    vocabulary: int = 32000
    head_dim: int = 128
    tuning: Literal["full", "lora", "s2ft"] = "s2ft"
    """What a training step trains, and what adapters are made of."""
    head_ratio: float = 0.0
    """Share of all heads of the model whose rows of the output projections S2FT trains."""
    channel_ratio: float = 0.0
    """Share of all hidden channels of the model whose rows of the down projections S2FT trains."""
    rank: int = 32
    """Of LoRA."""
    adapters: int = 0
    """Adapters that are served beside the frozen base, tokens spread over them evenly; 0: they are merged into it."""
    all_logits: bool = False
    """Whether a prefill has the logits of all tokens, as a training step has, and not only of the last ones."""


# Base: Llama 2 7B and Llama 3 8B. Ratios: o_ratio, d_ratio of the published scripts. Heads and channels are drawn from
# the whole model at random; here every layer has as many as the others or one more. LoRA: rank 32 on q, k, v, up and
# down, the setting of the LLM-Adapters benchmark that the paper compares with (0.83 % and 0.70 % of the parameters).
@architecture(
    "s2ft",
    paper="S2FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity, arXiv:2412.06289",
    family="adaptation",
)
@variant("llama-2-7b", hidden=11008, head_ratio=0.052, channel_ratio=0.02)
@variant("llama-3-8b", hidden=14336, kv_heads=8, vocabulary=128256, channel_ratio=0.03)
def s2ft(net: Tracer, cfg: S2ft) -> None:
    """Tuning of a language model by structured sparsity, and serving of many adapters over one base."""
    positions = net.positions(131072)
    x = net.embedding(net.tokens(), net.weight(cfg.vocabulary, cfg.width, name="token_table"), name="embedding")
    for (heads, channels), alike in groupby(selected(cfg)):
        for _ in net.repeat(len(list(alike)), "layer"):
            with net.scope("attention"):
                x = x + attention(net, cfg, net.rms_norm(x, name="norm"), positions, heads * cfg.head_dim)
            with net.scope("ffn"):
                x = x + swiglu(net, cfg, net.rms_norm(x, name="norm"), channels)
            if net.training and cfg.tuning == "lora":
                net.trainable("*.lora_?.weight")
    x = net.rms_norm(x if cfg.all_logits else net.last_token(x), name="final_norm")
    net.output(net.argmax(net.linear(x, cfg.vocabulary, bias=False, name="lm_head"), name="sampling"))


def selected(cfg: S2ft) -> list[tuple[int, int]]:
    """Heads and channels that are trained in each layer."""
    heads = int(cfg.layers * cfg.heads * cfg.head_ratio)
    channels = int(cfg.layers * cfg.hidden * cfg.channel_ratio)
    return list(zip(balanced_rows(heads, cfg.layers), balanced_rows(channels, cfg.layers), strict=True))


def attention(net: Tracer, cfg: S2ft, x: Value, positions: Value, rows: int) -> Value:
    """Grouped-query attention; of its output projection, the rows of some heads are tuned."""
    q = dense(net, cfg, x, cfg.heads * cfg.head_dim, "q")
    k = dense(net, cfg, x, cfg.kv_heads * cfg.head_dim, "k")
    v = dense(net, cfg, x, cfg.kv_heads * cfg.head_dim, "v")
    q = net.rotary(q, positions, head_dim=cfg.head_dim, name="q_rotary")
    k = net.rotary(k, positions, head_dim=cfg.head_dim, name="k_rotary")
    return sparse(net, cfg, net.attention(q, k, v, heads=cfg.heads, kv_heads=cfg.kv_heads), rows, "projection")


def swiglu(net: Tracer, cfg: S2ft, x: Value, rows: int) -> Value:
    """Gated feed-forward network; of its down projection, the rows of some channels are tuned."""
    gate = net.silu(net.linear(x, cfg.hidden, bias=False, name="gate"))
    hidden = gate * dense(net, cfg, x, cfg.hidden, "up")
    if cfg.tuning == "lora":
        return dense(net, cfg, hidden, cfg.width, "down")
    return sparse(net, cfg, hidden, rows, "down")


def dense(net: Tracer, cfg: S2ft, x: Value, width: int, name: str) -> Value:
    """A frozen linear layer, with the two thin ones of LoRA beside it."""
    y = net.linear(x, width, bias=False, name=name)
    if cfg.tuning != "lora" or not (net.training or cfg.adapters):
        return y
    with net.scope(f"{name}_adapter"):
        if net.training:
            return y + net.linear(net.linear(x, cfg.rank, bias=False, name="lora_a"), width, bias=False, name="lora_b")
        rows = balanced_rows(x.shape[0], cfg.adapters)
        return y + net.expert_linear(net.expert_linear(x, cfg.rank, rows, name="lora_a"), width, rows, name="lora_b")


def sparse(net: Tracer, cfg: S2ft, x: Value, rows: int, name: str) -> Value:
    """A linear layer of which S2FT tunes some rows: served, those inputs are gathered for the rows of each adapter."""
    y = net.linear(x, cfg.width, bias=False, name=name)
    if cfg.tuning != "s2ft" or not rows:
        return y
    net.trainable(f"{name}.weight", rows)
    if net.training or not cfg.adapters:
        return y
    with net.scope(f"{name}_adapter"):
        tokens, width = x.shape
        chosen = net.constant(tokens, rows, name="rows", element="int32")
        inputs = net.reshape(net.gather_rows(net.reshape(x, tokens, width, 1), chosen), tokens, rows)
        return y + net.expert_linear(inputs, cfg.width, balanced_rows(tokens, cfg.adapters), name="delta")
