"""BiFormer: a pyramid of four stages whose tokens attend only to those regions of the image that concern their own."""

from typing import Literal

from neupims.graph import Config, Tracer, Value, architecture, variant


class BiFormer(Config):
    """Sizes of a BiFormer."""

    depths: tuple[int, ...]
    """Blocks in each of the four stages."""
    widths: tuple[int, ...]
    """Channels of each stage."""
    routed: tuple[int, ...] = (1, 4, 16)
    """Regions that each region attends to, in all stages but the last, whose attention is full."""
    regions: int = 7
    """Regions along each side of the image; a stage's sides must be multiples of it."""
    routing: Literal["top_k", "neighbours"] = "top_k"
    """What names the routed regions: the affinity of their means, or a fixed map: a region and those after it."""
    head_dim: int = 32
    last_heads: int = 8
    mlp_ratio: int = 3
    swin_layout: bool = False
    """Patches and merging of Swin, and no convolution in front of attention."""
    resolution: int = 224
    classes: int = 1000


# Sizes: table 1 of Zhu et al. 2023 and the published models/biformer.py; stl (Swin-tiny layout), section 4.4 and
# models/biformer_stl.py. As published there: the last stage has 8 heads and queries, keys and values without bias, and
# its side convolution is of the tokens, not of their values; all norms outside of blocks are batch norms.
@architecture(
    "biformer",
    paper="BiFormer: Vision Transformer with Bi-Level Routing Attention, arXiv:2303.08810",
    family="vision",
    passes="forward",
    default="t",
)
@variant("t", depths=(2, 2, 8, 2), widths=(64, 128, 256, 512))
@variant("s", depths=(4, 4, 18, 4), widths=(64, 128, 256, 512))
@variant("b", depths=(4, 4, 18, 4), widths=(96, 192, 384, 768))
@variant("stl", depths=(2, 2, 6, 2), widths=(96, 192, 384, 768), mlp_ratio=4, swin_layout=True)
def biformer(net: Tracer, cfg: BiFormer) -> None:
    """Image classifier with bi-level routing attention."""
    x = net.image(3, cfg.resolution, cfg.resolution)
    for stage, (depth, width) in enumerate(zip(cfg.depths, cfg.widths, strict=True)):
        with net.scope(f"stage{stage + 1}"):
            x = merging(net, x, width, stage) if cfg.swin_layout else embedding(net, x, width, stage)
            for _ in net.repeat(depth, "block"):
                if not cfg.swin_layout:
                    x = x + depthwise(net, x, 3, "position")
                x = x + mixer(net, cfg, net.layer_norm(channels_last(net, x), name="norm1"), stage)
                x = x + mlp(net, cfg, net.layer_norm(channels_last(net, x), name="norm2"))
    pooled = net.global_pool(net.batch_norm(x, name="norm"))
    net.output(net.linear(pooled, cfg.classes, name="head"))


def embedding(net: Tracer, x: Value, width: int, stage: int) -> Value:
    """Overlapping patches: two 3 x 3 convolutions with stride 2 of the image, one before each later stage."""
    if stage == 0:
        x = net.batch_norm(net.conv(x, width // 2, 3, stride=2, padding=1, name="stem"), name="stem_norm")
        x = net.gelu(x)
    return net.batch_norm(net.conv(x, width, 3, stride=2, padding=1, name="patches"), name="patches_norm")


def merging(net: Tracer, x: Value, width: int, stage: int) -> Value:
    """Patches of 4 x 4, later of 2 x 2, that do not overlap."""
    if stage == 0:
        return net.batch_norm(net.conv(x, width, 4, stride=4, name="patches"), name="patches_norm")
    return net.conv(net.batch_norm(x, name="patches_norm"), width, 2, stride=2, name="patches")


def mixer(net: Tracer, cfg: BiFormer, x: Value, stage: int) -> Value:
    """Attention of tokens x [batch, height, width, channels] to routed regions, in the last stage to all tokens."""
    with net.scope("attention"):
        if stage < len(cfg.routed):
            return channels_first(net, routing_attention(net, cfg, x, cfg.routed[stage]))
        return channels_first(net, full_attention(net, cfg, x))


def routing_attention(net: Tracer, cfg: BiFormer, x: Value, routed: int) -> Value:
    """Regions choose regions; the tokens of each attend to the tokens of those that it chose."""
    _, height, width, channels = x.shape
    q, k, v = net.split(net.linear(x, 3 * channels, name="qkv"), 3)
    regions = [windows(net, tokens, cfg.regions) for tokens in (q, k, v)]
    keys, values = routed_tokens(net, cfg, *regions, routed)
    mixed = net.attend_all(regions[0], keys, values, heads=channels // cfg.head_dim)
    local = channels_last(net, depthwise(net, channels_first(net, v), 5, "local"))
    return net.linear(whole(net, mixed, cfg.regions, height, width) + local, channels, name="projection")


def routed_tokens(net: Tracer, cfg: BiFormer, q: Value, k: Value, v: Value, routed: int) -> list[Value]:
    """Keys and values of the regions that each region attends to: [batch, regions, routed * size, channels] each."""
    batch, regions, size, channels = k.shape
    flat = [net.reshape(tokens, batch, regions, size * channels) for tokens in (k, v)]
    if cfg.routing == "top_k":
        means = net.mean(k, axis=2, name="key_means")
        affinity = net.matmul(net.mean(q, axis=2, name="query_means"), net.permute(means, 0, 2, 1), name="affinity")
        chosen = net.top_k(affinity, routed, name="routed")
        kept = [net.gather_rows(tokens, chosen) for tokens in flat]
    else:
        chosen = net.constant(regions, routed, name="routed", element="int32")
        kept = [net.gather(tokens, chosen, axis=1) for tokens in flat]
    return [net.reshape(tokens, batch, regions, routed * size, channels) for tokens in kept]


def full_attention(net: Tracer, cfg: BiFormer, x: Value) -> Value:
    """All tokens attend to all."""
    channels = x.width
    tokens = net.reshape(x, x.shape[0], -1, channels)
    q, k, v = net.split(net.linear(tokens, 3 * channels, bias=False, name="qkv"), 3)
    mixed = net.reshape(net.attend_all(q, k, v, heads=cfg.last_heads), *x.shape)
    local = channels_last(net, depthwise(net, channels_first(net, x), 5, "local"))
    return net.linear(mixed + local, channels, name="projection")


def mlp(net: Tracer, cfg: BiFormer, x: Value) -> Value:
    """Two linear layers with a GELU between them."""
    hidden = net.gelu(net.linear(x, cfg.mlp_ratio * x.width, name="fc1"))
    return channels_first(net, net.linear(hidden, x.width, name="fc2"))


def depthwise(net: Tracer, x: Value, kernel: int, name: str) -> Value:
    """A convolution of each channel by itself."""
    return net.conv(x, x.shape[1], kernel, padding=kernel // 2, groups=x.shape[1], name=name)


def windows(net: Tracer, x: Value, regions: int) -> Value:
    """[batch, height, width, channels] seen as [batch, regions * regions, tokens of a region, channels]."""
    batch, height, width, channels = x.shape
    cut = net.reshape(x, batch, regions, height // regions, regions, width // regions, channels)
    return net.reshape(net.permute(cut, 0, 1, 3, 2, 4, 5), batch, regions * regions, -1, channels)


def whole(net: Tracer, x: Value, regions: int, height: int, width: int) -> Value:
    """What `windows` has cut, seen as it was."""
    batch, channels = x.shape[0], x.width
    cut = net.reshape(x, batch, regions, regions, height // regions, width // regions, channels)
    return net.reshape(net.permute(cut, 0, 1, 3, 2, 4, 5), batch, height, width, channels)


def channels_last(net: Tracer, x: Value) -> Value:
    """[batch, channels, height, width] seen as [batch, height, width, channels]."""
    return net.permute(x, 0, 2, 3, 1)


def channels_first(net: Tracer, x: Value) -> Value:
    """[batch, height, width, channels] seen as [batch, channels, height, width]."""
    return net.permute(x, 0, 3, 1, 2)
