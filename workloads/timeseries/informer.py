"""Informer: an encoder and decoder of time series in which only a few queries, found by sampling keys, attend."""

from math import ceil, log
from typing import Literal

from neupims.graph import Config, Tracer, Value, architecture, variant


class Informer(Config):
    """Sizes of an Informer and of what it forecasts."""

    channels: int
    """Series that go in and come out."""
    encoders: tuple[int, ...] = (2,)
    """Layers of each encoder: of the whole input, of its last half, of its last quarter, ... (InformerStack)."""
    decoders: int = 1
    """Layers of the decoder."""
    width: int = 512
    hidden: int = 2048
    """Width of the hidden layers of the feed-forward networks."""
    heads: int = 8
    features: int = 4
    """Features of a time stamp: four if it is hourly."""
    attention: Literal["prob", "full"] = "prob"
    """Of the encoder, and of the decoder to itself. Data decide which queries are active, never how many."""
    factor: int = 5
    """Keys that are sampled, and queries that are active, over the logarithm of the length."""
    distil: bool = True
    """Whether the encoder halves the length between its layers."""
    lookback: int = 96
    label: int = 48
    """Known steps with which the decoder begins."""
    horizon: int = 24


# Sizes: the defaults of main_informer.py as published with Zhou et al. 2021, and the columns of its data sets; stack,
# the InformerStack of the same code. Feed-forward networks are convolutions of 1 there, which is the same work.
@architecture(
    "informer",
    paper="Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting, arXiv:2012.07436",
    family="timeseries",
    passes="forward",
    default="ett",
)
@variant("ett", channels=7)
@variant("weather", channels=12)
@variant("solar", channels=137)
@variant("ecl", channels=321)
@variant("stack", channels=7, encoders=(3, 2, 1), decoders=2)
def informer(net: Tracer, cfg: Informer) -> None:
    """Forecaster whose decoder gives all steps in one pass."""
    with net.scope("encoder"):
        x = embedding(net, cfg, "past", cfg.lookback)
        stacked = [encoder(net, cfg, x, index, layers) for index, layers in enumerate(cfg.encoders)]
        memory = stacked[0] if len(stacked) == 1 else net.concat(*stacked, axis=1)
    with net.scope("decoder"):
        x = embedding(net, cfg, "future", cfg.label + cfg.horizon)
        for _ in net.repeat(cfg.decoders, "layer"):
            x = net.layer_norm(x + attention(net, cfg, "self_attention", x, x, masked=True), name="norm1")
            x = net.layer_norm(x + attention(net, cfg, "cross_attention", x, memory, full=True), name="norm2")
            x = net.layer_norm(x + feed_forward(net, cfg, x), name="norm3")
        x = net.layer_norm(x, name="norm")
    forecast = net.linear(x, cfg.channels, name="projection")
    net.output(net.slice(forecast, cfg.label, cfg.label + cfg.horizon, axis=1))


def embedding(net: Tracer, cfg: Informer, name: str, length: int) -> Value:
    """A convolution of the values over three steps, plus positions, plus a projection of the time stamps."""
    series = net.permute(net.input(f"{name}_values", net.batch, length, cfg.channels), 0, 2, 1)
    values = net.permute(net.conv(series, cfg.width, 3, padding=1, name="values"), 0, 2, 1)
    stamps = net.linear(net.input(f"{name}_stamps", net.batch, length, cfg.features), cfg.width, name="stamps")
    return values + net.constant(length, cfg.width, name="positions") + stamps


def encoder(net: Tracer, cfg: Informer, x: Value, index: int, layers: int) -> Value:
    """Layers over the last 1 / 2^index of the input, which distilling makes shorter from one to the next."""
    length = x.shape[1]
    x = net.slice(x, length - length // 2**index, length, axis=1)
    for layer in range(layers):
        with net.scope(f"stack{index}"), net.scope(f"layer{layer}"):
            x = net.layer_norm(x + attention(net, cfg, "attention", x, x), name="norm1")
            x = net.layer_norm(x + feed_forward(net, cfg, x), name="norm2")
            if cfg.distil and layer < layers - 1:
                x = distilled(net, x)
    return net.layer_norm(x, name=f"norm{index}")


def distilled(net: Tracer, x: Value) -> Value:
    """Half as many tokens: a convolution over three of them and the greatest of every two."""
    channels = net.permute(x, 0, 2, 1)
    convolved = net.elu(net.batch_norm(net.conv(channels, x.width, 3, padding=1, name="distil")))
    return net.permute(net.max_pool(convolved, 3, stride=2, padding=1), 0, 2, 1)


def attention(
    net: Tracer, cfg: Informer, name: str, x: Value, memory: Value, *, masked: bool = False, full: bool = False
) -> Value:
    """Multi-head attention of x to a memory; only that of tokens to each other may be ProbSparse."""
    with net.scope(name):
        q = net.linear(x, cfg.width, name="q")
        k, v = (net.linear(memory, cfg.width, name=part) for part in ("k", "v"))
        mask = net.constant(x.shape[1], memory.shape[1], name="mask") if masked else None
        if full or cfg.attention == "full":
            mixed = net.attend_all(q, k, v, heads=cfg.heads, bias=mask)
        else:
            mixed = net.merge(prob_sparse(net, cfg, *(net.heads(part, cfg.heads) for part in (q, k, v)), mask))
        return net.linear(mixed, cfg.width, name="projection")


def prob_sparse(net: Tracer, cfg: Informer, q: Value, k: Value, v: Value, mask: Value | None) -> Value:
    """The queries that stand out attend; all others get the mean of the values, or their running sum if masked."""
    batch, heads, length, size = q.shape
    active = net.top_k(sparsity(net, cfg, q, k), count(cfg, length), name="active")
    scores = net.matmul(net.gather_rows(q, active, name="active_q"), net.permute(k, 0, 1, 3, 2), name="logit")
    if mask is not None:
        scores = scores + net.gather(mask, active, name="active_mask")
    attended = net.matmul(net.softmax(scores * size**-0.5), v, name="attend")
    if mask is None:
        lazy = net.expand(net.mean(v, axis=2, keep=True), batch, heads, length, size)
    else:
        lazy = net.cumsum(v, axis=2)
    return net.scatter(attended, active, lazy)


def sparsity(net: Tracer, cfg: Informer, q: Value, k: Value) -> Value:
    """How far each query is from attending evenly: its greatest score less their sum over all keys, of a sample."""
    batch, heads, length, size = q.shape
    keys = k.shape[2]
    drawn = net.constant(length, count(cfg, keys), name="drawn", element="int32")
    sample = net.permute(net.gather(k, drawn, axis=2, name="sample"), 0, 1, 2, 4, 3)
    scores = net.matmul(net.reshape(q, batch, heads, length, 1, size), sample, name="sampled_logit")
    measure = net.reduce("max", scores) - net.sum(scores) / keys
    return net.reshape(measure, batch, heads, length)


def count(cfg: Informer, length: int) -> int:
    """The factor times the logarithm of a length, rounded up first; no more than the length."""
    return min(cfg.factor * ceil(log(length)), length)


def feed_forward(net: Tracer, cfg: Informer, x: Value) -> Value:
    """Two linear layers with a GELU between them."""
    return net.linear(net.gelu(net.linear(x, cfg.hidden, name="fc1")), cfg.width, name="fc2")
