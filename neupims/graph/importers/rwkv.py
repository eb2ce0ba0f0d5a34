"""RWKV-4: a recurrent language model that trains like a transformer."""

from neupims.graph.config import Config
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value


class Rwkv(Config):
    """Sizes of an RWKV-4 model."""

    layers: int
    width: int
    inner: int
    """Width of time mixing."""
    hidden: int
    """Width of channel mixing."""
    vocabulary: int
    tied: bool = False


def rwkv(net: Tracer, cfg: Rwkv) -> None:
    """Language model whose tokens mix with the one before and with a decaying mean of all (arXiv:2305.13048)."""
    table = net.weight(cfg.vocabulary, cfg.width, name="token_table")
    x = net.layer_norm(net.embedding(net.tokens(), table, name="embedding"), name="first_norm")
    for _ in net.repeat(cfg.layers, "layer"):
        with net.scope("time"):
            x = x + time_mixing(net, cfg, net.layer_norm(x, name="norm"))
        with net.scope("channel"):
            x = x + channel_mixing(net, cfg, net.layer_norm(x, name="norm"))
    x = net.layer_norm(net.last_token(x), name="final_norm")
    weight = net.transpose(table) if cfg.tied else None
    net.output(net.argmax(net.linear(x, cfg.vocabulary, weight=weight, bias=False, name="lm_head"), name="sampling"))


def time_mixing(net: Tracer, cfg: Rwkv, x: Value) -> Value:
    """What attention is elsewhere: values weighted by keys and age, let through by the receptance."""
    before = net.token_shift(x)
    k = net.linear(shifted(net, x, before, "key_mix"), cfg.inner, bias=False, name="key")
    v = net.linear(shifted(net, x, before, "value_mix"), cfg.inner, bias=False, name="value")
    r = net.linear(shifted(net, x, before, "receptance_mix"), cfg.inner, bias=False, name="receptance")
    return net.linear(net.sigmoid(r) * net.wkv(k, v), cfg.width, bias=False, name="output")


def channel_mixing(net: Tracer, cfg: Rwkv, x: Value) -> Value:
    """A feed-forward network of squared rectifiers, let through by the receptance."""
    before = net.token_shift(x)
    k = net.linear(shifted(net, x, before, "key_mix"), cfg.hidden, bias=False, name="key")
    r = net.linear(shifted(net, x, before, "receptance_mix"), cfg.width, bias=False, name="receptance")
    v = net.linear(net.unary("square", net.relu(k)), cfg.width, bias=False, name="value")
    return net.sigmoid(r) * v


def shifted(net: Tracer, x: Value, before: Value, name: str) -> Value:
    """x and the token before it, mixed channel by channel: before + mix (x - before)."""
    return before + net.scale(x - before, name=name)
