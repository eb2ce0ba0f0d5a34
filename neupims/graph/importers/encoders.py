"""Models of one pass: BERT and ViT, with the pooler of transformers' AutoModel, and T5."""

from neupims.graph.config import Config
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value


class Encoder(Config):
    """Sizes of BERT or ViT."""

    layers: int
    width: int
    heads: int
    hidden: int
    pooled: int
    """Width of the pooler."""
    activation: str = "gelu"
    pooler_activation: str = "tanh"
    qkv_bias: bool = True
    vocabulary: int = 0
    positions: int = 0
    segments: int = 0
    """Kinds of tokens (BERT)."""
    channels: int = 3
    height: int = 0
    image_width: int = 0
    patch_height: int = 0
    patch_width: int = 0


def bert(net: Tracer, cfg: Encoder) -> None:
    """Encoder of text, with norms behind the residuals (arXiv:1810.04805)."""
    x = net.embedding(net.tokens(), net.weight(cfg.vocabulary, cfg.width, name="token_table"), name="embedding")
    x = x + _looked_up(net, "position", net.positions(cfg.positions), cfg.positions, cfg.width)
    x = x + _looked_up(
        net, "segment", net.input("segments", net.sequences.tokens, element="int32"), cfg.segments, cfg.width
    )
    x = net.layer_norm(x, name="embedding_norm")
    for _ in net.repeat(cfg.layers, "layer"):
        with net.scope("attention"):
            q, k, v = (net.linear(x, cfg.width, bias=cfg.qkv_bias, name=name) for name in "qkv")
            mixed = net.linear(net.full_attention(q, k, v, heads=cfg.heads), cfg.width, name="projection")
            x = net.layer_norm(x + mixed, name="norm")
        with net.scope("ffn"):
            x = net.layer_norm(x + feed_forward(net, cfg, x), name="norm")
    first = net.gather(x, net.input("first_tokens", net.batch, element="int32"), name="first")
    net.output(pooler(net, cfg, first))


def vit(net: Tracer, cfg: Encoder) -> None:
    """Encoder of images cut into patches, with norms before each branch (arXiv:2010.11929)."""
    patch = (cfg.patch_height, cfg.patch_width)
    x = net.conv(net.image(cfg.channels, cfg.height, cfg.image_width), cfg.width, patch, stride=patch, name="patches")
    x = net.permute(net.reshape(x, net.batch, cfg.width, -1), 0, 2, 1)
    classes = net.expand(net.weight(1, 1, cfg.width, name="class_token"), net.batch, 1, cfg.width, name="class_tokens")
    x = net.concat(classes, x, axis=1)
    x = x + net.weight(x.shape[1], cfg.width, name="position_table")
    for _ in net.repeat(cfg.layers, "layer"):
        with net.scope("attention"):
            normed = net.layer_norm(x, name="norm")
            q, k, v = (net.linear(normed, cfg.width, bias=cfg.qkv_bias, name=name) for name in "qkv")
            x = x + net.linear(net.attend_all(q, k, v, heads=cfg.heads), cfg.width, name="projection")
        with net.scope("ffn"):
            x = x + feed_forward(net, cfg, net.layer_norm(x, name="norm"))
    first = net.slice(net.layer_norm(x, name="final_norm"), 0, 1, axis=1)
    net.output(pooler(net, cfg, net.reshape(first, net.batch, cfg.width)))


def feed_forward(net: Tracer, cfg: Encoder, x: Value) -> Value:
    """Two linear layers."""
    return net.linear(net.unary(cfg.activation, net.linear(x, cfg.hidden, name="fc1")), cfg.width, name="fc2")


def pooler(net: Tracer, cfg: Encoder, first: Value) -> Value:
    """What stands for the whole input: a layer on its first token."""
    return net.unary(cfg.pooler_activation, net.linear(first, cfg.pooled, name="pooler"))


def _looked_up(net: Tracer, name: str, indices: Value, entries: int, width: int) -> Value:
    return net.embedding(indices, net.weight(entries, width, name=f"{name}_table"), name=name)


class T5(Config):
    """Sizes of a T5 model."""

    encoder_layers: int
    decoder_layers: int
    width: int
    heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    buckets: int
    """Rows of a table of relative positions."""
    gated: bool = False
    activation: str = "relu"
    tied: bool = True
    targets: int = 0
    """Tokens that the decoder is given for each request; 0: as many as the encoder."""


def t5(net: Tracer, cfg: T5) -> None:
    """Encoder and decoder of text in one pass; requests have their lengths as sources (arXiv:1910.10683)."""
    table = net.weight(cfg.vocabulary, cfg.width, name="token_table")
    sources = net.sequences.new
    targets = (cfg.targets,) * net.batch if cfg.targets else sources
    with net.scope("encoder"):
        x = net.embedding(net.tokens(), table, name="embedding")
        memory = encoder_stack(net, cfg, x, sources)
    with net.scope("decoder"):
        given = net.input("target_tokens", sum(targets), element="int32")
        y = decoder_stack(net, cfg, net.embedding(given, table, name="embedding"), targets, memory, sources)
    y = y * cfg.width**-0.5 if cfg.tied else y
    weight = net.transpose(table) if cfg.tied else None
    net.output(net.argmax(net.linear(y, cfg.vocabulary, weight=weight, bias=False, name="lm_head"), name="sampling"))


def encoder_stack(net: Tracer, cfg: T5, x: Value, sources: tuple[int, ...]) -> Value:
    """All tokens of a source see each other."""
    bias = relative_bias(net, cfg, "encoder_buckets", sources)
    for _ in net.repeat(cfg.encoder_layers, "layer"):
        with net.scope("attention"):
            normed = net.rms_norm(x, name="norm")
            x = x + t5_attention(net, cfg, normed, normed, bias, sources, sources)
        with net.scope("ffn"):
            x = x + t5_feed_forward(net, cfg, net.rms_norm(x, name="norm"))
    return net.rms_norm(x, name="final_norm")


def decoder_stack(
    net: Tracer, cfg: T5, x: Value, targets: tuple[int, ...], memory: Value, sources: tuple[int, ...]
) -> Value:
    """Tokens of a target see those before them, and all of the source."""
    bias = relative_bias(net, cfg, "decoder_buckets", targets)
    for _ in net.repeat(cfg.decoder_layers, "layer"):
        with net.scope("attention"):
            normed = net.rms_norm(x, name="norm")
            x = x + t5_attention(net, cfg, normed, normed, bias, targets, targets, causal=True)
        with net.scope("cross"):
            x = x + t5_attention(net, cfg, net.rms_norm(x, name="norm"), memory, None, targets, sources)
        with net.scope("ffn"):
            x = x + t5_feed_forward(net, cfg, net.rms_norm(x, name="norm"))
    return net.rms_norm(x, name="final_norm")


def t5_attention(
    net: Tracer,
    cfg: T5,
    x: Value,
    seen: Value,
    bias: Value | None,
    queries: tuple[int, ...],
    keys: tuple[int, ...],
    *,
    causal: bool = False,
) -> Value:
    """Attention from x to what it sees, without biases in its layers."""
    inner = cfg.heads * cfg.head_dim
    q = net.linear(x, inner, bias=False, name="q")
    k, v = (net.linear(seen, inner, bias=False, name=name) for name in "kv")
    mixed = net.full_attention(q, k, v, heads=cfg.heads, causal=causal, bias=bias, queries=queries, keys=keys)
    return net.linear(mixed, cfg.width, bias=False, name="projection")


def relative_bias(net: Tracer, cfg: T5, name: str, lengths: tuple[int, ...]) -> Value:
    """A trainable number for each head and distance, looked up for each pair of tokens: [heads, pairs]."""
    table = net.weight(cfg.buckets, cfg.heads, name="bucket_table")
    pairs = net.input(name, sum(length * length for length in lengths), element="int32")
    return net.transpose(net.embedding(pairs, table, name="relative_bias"))


def t5_feed_forward(net: Tracer, cfg: T5, x: Value) -> Value:
    """Two linear layers without biases, the first one gated since version 1.1."""
    hidden = net.unary(cfg.activation, net.linear(x, cfg.hidden, bias=False, name="fc1"))
    hidden = hidden * net.linear(x, cfg.hidden, bias=False, name="up") if cfg.gated else hidden
    return net.linear(hidden, cfg.width, bias=False, name="fc2")
