"""Mamba: a language model whose blocks mix tokens by a selective state space, with a state of fixed size."""

from math import ceil

from neupims.graph import Config, Tracer, Value, architecture, variant


class Mamba(Config):
    """Sizes of a Mamba model."""

    layers: int
    width: int
    states: int = 16
    """N, elements of state for each channel."""
    taps: int = 4
    """Of the causal convolution."""
    expand: int = 2
    """E, channels of a block over width."""
    vocabulary: int = 50280
    """The 50277 tokens of GPT-NeoX, padded to a multiple of 8."""


# Sizes: table 12 of Gu and Dao 2023 and the released checkpoints; block: figure 3 and algorithm 2. The rank of delta is
# width / 16, rounded up; the output matrix is the token embedding, as in the published code.
@architecture(
    "mamba",
    paper="Mamba: Linear-Time Sequence Modeling with Selective State Spaces, arXiv:2312.00752",
    family="language",
    default="130m",
)
@variant("130m", layers=24, width=768)
@variant("370m", layers=48, width=1024)
@variant("790m", layers=48, width=1536)
@variant("1.4b", layers=48, width=2048)
@variant("2.8b", layers=64, width=2560)
def mamba(net: Tracer, cfg: Mamba) -> None:
    """Decoder-only language model without attention and without feed-forward networks."""
    table = net.weight(cfg.vocabulary, cfg.width, name="token_table")
    x = net.embedding(net.tokens(), table, name="embedding")
    for _ in net.repeat(cfg.layers, "layer"):
        x = x + mixer(net, cfg, net.rms_norm(x, name="norm"))
    x = net.rms_norm(net.last_token(x), name="final_norm")
    logits = net.linear(x, cfg.vocabulary, weight=net.transpose(table), bias=False, name="lm_head")
    net.output(net.argmax(logits, name="sampling"))


def mixer(net: Tracer, cfg: Mamba, x: Value) -> Value:
    """A gated state space: step, input and output matrices of the recurrence are chosen by each token."""
    channels, rank = cfg.expand * cfg.width, ceil(cfg.width / 16)
    x, gate = net.split(net.linear(x, 2 * channels, bias=False, name="in_proj"), 2)
    x = net.silu(net.causal_conv(x, cfg.taps, name="conv"))
    chosen = net.linear(x, rank + 2 * cfg.states, bias=False, name="x_proj")
    delta, b, c = net.split_at(chosen, rank, cfg.states, cfg.states)
    delta = net.softplus(net.linear(delta, channels, name="dt_proj"))
    y = net.selective_scan(x, delta, b, c, name="scan") * net.silu(gate)
    return net.linear(y, cfg.width, bias=False, name="out_proj")
