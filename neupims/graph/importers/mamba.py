"""State-space language models: Mamba and Mamba-2, and the mixer that Jamba has in most of its layers."""

from neupims.graph.config import Config
from neupims.graph.importers.record import Decoder
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value


class Mamba(Config):
    """Sizes of a Mamba or Mamba-2 model."""

    layers: int
    width: int
    vocabulary: int
    inner: int
    """Channels of the state space."""
    states: int
    """Of each channel."""
    taps: int
    """Of the causal convolution."""
    rank: int = 0
    """Width from which the step sizes of all channels are made (Mamba)."""
    heads: int = 0
    """Of the state space (Mamba-2)."""
    groups: int = 1
    """Of heads that share B and C (Mamba-2)."""
    activation: str = "silu"
    conv_bias: bool = True
    mixer_bias: bool = False
    tied: bool = True


def mamba(net: Tracer, cfg: Mamba) -> None:
    """Language model whose layers are selective state spaces."""
    table = net.weight(cfg.vocabulary, cfg.width, name="token_table")
    x = net.embedding(net.tokens(), table, name="embedding")
    mixer = dual_mixer if cfg.heads else selective_mixer
    for _ in net.repeat(cfg.layers, "layer"):
        x = x + mixer(net, cfg, net.rms_norm(x, name="norm"))
    x = net.rms_norm(net.last_token(x), name="final_norm")
    weight = net.transpose(table) if cfg.tied else None
    net.output(net.argmax(net.linear(x, cfg.vocabulary, weight=weight, bias=False, name="lm_head"), name="sampling"))


def selective_mixer(net: Tracer, cfg: Mamba | Decoder, x: Value) -> Value:
    """Selective state space (arXiv:2312.00752); Jamba normalises the steps, B and C (arXiv:2403.19887)."""
    x, gate = net.split(net.linear(x, 2 * cfg.inner, bias=cfg.mixer_bias, name="in"), 2)
    x = net.unary(cfg.activation, net.causal_conv(x, cfg.taps, bias=cfg.conv_bias, name="conv"))
    parts = net.linear(x, cfg.rank + 2 * cfg.states, bias=False, name="parts")
    step, b, c = net.split_at(parts, cfg.rank, cfg.states, cfg.states)
    if isinstance(cfg, Decoder):
        step, b, c = (
            net.rms_norm(step, name="step_norm"),
            net.rms_norm(b, name="b_norm"),
            net.rms_norm(c, name="c_norm"),
        )
    step = net.softplus(net.linear(step, cfg.inner, name="step"))
    mixed = net.selective_scan(x, step, b, c, name="scan") * net.unary(cfg.activation, gate)
    return net.linear(mixed, cfg.width, bias=cfg.mixer_bias, name="out")


def dual_mixer(net: Tracer, cfg: Mamba, x: Value) -> Value:
    """State space of heads, each with one decay (Mamba-2, arXiv:2405.21060)."""
    shared = cfg.groups * cfg.states
    sizes = (cfg.inner, cfg.inner + 2 * shared, cfg.heads)
    gate, x, step = net.split_at(net.linear(x, sum(sizes), bias=cfg.mixer_bias, name="in"), *sizes)
    x = net.unary(cfg.activation, net.causal_conv(x, cfg.taps, bias=cfg.conv_bias, name="conv"))
    x, b, c = net.split_at(x, cfg.inner, shared, shared)
    step = net.softplus(net.shift(step, name="step"))
    mixed = net.dual_scan(x, step, b, c, groups=cfg.groups, name="scan")
    mixed = net.rms_norm(mixed * net.unary(cfg.activation, gate), name="gated_norm")
    return net.linear(mixed, cfg.width, bias=cfg.mixer_bias, name="out")
