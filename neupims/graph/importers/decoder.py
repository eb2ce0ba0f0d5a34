"""Decoder-only language models: GPT-2, GPT-NeoX, OPT, Llama, Mistral, Qwen, Gemma, Phi-3, Falcon, DeepSeek, Jamba."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

from neupims.graph.importers.experts import experts, feed_forward
from neupims.graph.importers.mamba import selective_mixer
from neupims.graph.importers.record import Decoder, Layer, layers_of
from neupims.graph.repetition import runs
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value

L = TypeVar("L", bound=object)


def decoder(net: Tracer, cfg: Decoder) -> None:
    """Decoder-only language model."""
    table = net.weight(cfg.vocabulary, cfg.table_width or cfg.width, name="token_table")
    positions = net.positions(cfg.positions) if cfg.rotated or cfg.learned else None
    x = embedding(net, cfg, table, positions)
    x = stack(net, layers_of(cfg), lambda layer, x: block(net, cfg, layer, x, positions), x)
    x = net.last_token(x)
    x = norm(net, cfg, x, "final_norm") if cfg.final_norm else x
    x = net.linear(x, cfg.table_width, bias=False, name="project_out") if cfg.table_width else x
    weight = net.transpose(table) if cfg.tied else None
    logits = net.linear(x, cfg.vocabulary, weight=weight, bias=False, name="lm_head")
    logits = net.tanh(logits / cfg.logit_cap) * cfg.logit_cap if cfg.logit_cap else logits
    net.output(net.argmax(logits, name="sampling"))


def embedding(net: Tracer, cfg: Decoder, table: Value, positions: Value | None) -> Value:
    """Token embedding, with learned positions if there are any."""
    x = net.embedding(net.tokens(), table, name="embedding")
    x = net.linear(x, cfg.width, bias=False, name="project_in") if cfg.table_width else x
    if cfg.learned and positions is not None:
        x = x + net.embedding(positions, net.weight(cfg.learned, cfg.width, name="position_table"), name="position")
    return x * cfg.width**0.5 if cfg.scaled else x


def stack(net: Tracer, layers: Sequence[L], step: Callable[[L, Value], Value], x: Value) -> Value:
    """All layers, those that follow each other alike, or in groups that are alike, as one repeated block."""
    for pattern, count in runs(layers):
        for _ in net.repeat(count, "layer" if len(pattern) == 1 else "group"):
            for index, layer in enumerate(pattern):
                with nullcontext() if len(pattern) == 1 else net.scope(f"layer{index}"):
                    x = step(layer, x)
    return x


def block(net: Tracer, cfg: Decoder, layer: Layer, x: Value, positions: Value | None) -> Value:
    """Attention, or a state space, and a feed-forward network, one after the other or side by side."""
    mixer = partial(selective_mixer, net, cfg) if layer.recurrent else _attention(net, cfg, layer, positions)
    network = partial(experts if layer.sparse else feed_forward, net, cfg)
    if not cfg.parallel:
        return branch(net, cfg, "ffn", branch(net, cfg, "attention", x, mixer), network)
    with net.scope("attention"):
        normed = norm(net, cfg, x, "norm")
        mixed = mixer(normed)
    with net.scope("ffn"):
        return x + (mixed + network(norm(net, cfg, x, "norm") if cfg.parallel > 1 else normed))


def branch(net: Tracer, cfg: Decoder, name: str, x: Value, inside: Callable[[Value], Value]) -> Value:
    """A branch and its residual, with norms where the model has them."""
    with net.scope(name):
        if cfg.norms == "behind":
            return norm(net, cfg, x + inside(x), "norm")
        y = inside(norm(net, cfg, x, "norm"))
        return x + (norm(net, cfg, y, "norm_behind") if cfg.norms == "both" else y)


def norm(net: Tracer, cfg: Decoder, x: Value, name: str) -> Value:
    """The norm of the model."""
    return net.rms_norm(x, name=name) if cfg.norm == "rms_norm" else net.layer_norm(x, name=name)


def _attention(net: Tracer, cfg: Decoder, layer: Layer, positions: Value | None) -> Callable[[Value], Value]:
    if cfg.latent_rank and positions is not None:
        return lambda x: latent_attention(net, cfg, x, positions)
    return lambda x: attention(net, cfg, x, positions, cfg.window if layer.windowed else None)


def attention(net: Tracer, cfg: Decoder, x: Value, positions: Value | None, window: int | None) -> Value:
    """Attention over cached keys and values."""
    q, k, v = queries_keys_values(net, cfg, x)
    if cfg.head_norm:
        q, k = head_norm(net, cfg, q, "q_norm"), head_norm(net, cfg, k, "k_norm")
    if cfg.rotated and positions is not None:
        q = net.rotary(q, positions, head_dim=cfg.head_dim, rotated=cfg.rotated, name="q_rotary")
        k = net.rotary(k, positions, head_dim=cfg.head_dim, rotated=cfg.rotated, name="k_rotary")
    mixed = net.attention(q, k, v, heads=cfg.heads, kv_heads=cfg.kv_heads, window=window, cap=cfg.score_cap or None)
    return net.linear(mixed, cfg.width, bias=cfg.projection_bias, name="projection")


def queries_keys_values(net: Tracer, cfg: Decoder, x: Value) -> tuple[Value, ...]:
    """Queries, keys and values, by one linear layer or three."""
    widths = {"q": cfg.heads * cfg.head_dim, "k": cfg.kv_heads * cfg.head_dim, "v": cfg.kv_heads * cfg.head_dim}
    if cfg.fused:
        both = net.linear(x, sum(widths.values()), bias=cfg.qkv_bias, name="qkv")
        return net.split_at(both, *widths.values())
    return tuple(net.linear(x, width, bias=cfg.qkv_bias, name=name) for name, width in widths.items())


def head_norm(net: Tracer, cfg: Decoder, x: Value, name: str) -> Value:
    """Root-mean-square norm of each head."""
    heads = net.reshape(x, x.shape[0], -1, cfg.head_dim)
    return net.reshape(net.rms_norm(heads, name=name), *x.shape)


def latent_attention(net: Tracer, cfg: Decoder, x: Value, positions: Value) -> Value:
    """Multi-head latent attention of DeepSeek-V2 and V3."""
    q = x
    if cfg.query_rank:
        q = net.linear(q, cfg.query_rank, bias=cfg.qkv_bias, name="q_down")
        q = net.rms_norm(q, name="q_norm")
    q = net.linear(q, cfg.heads * cfg.head_dim, bias=False, name="q")
    down = net.linear(x, cfg.latent_rank + cfg.rotated, bias=cfg.qkv_bias, name="down")
    latent, shared = net.split_at(down, cfg.latent_rank, cfg.rotated)
    latent = net.rms_norm(latent, name="latent_norm")
    q = net.rotary(q, positions, head_dim=cfg.head_dim, rotated=cfg.rotated, name="q_rotary")
    shared = net.rotary(shared, positions, head_dim=cfg.rotated, name="k_rotary")
    mixed = net.latent_attention(q, latent, shared, heads=cfg.heads, value_dim=cfg.value_dim)
    return net.linear(mixed, cfg.width, bias=cfg.projection_bias, name="projection")
