"""PoolFormer: a MetaFormer whose token mixer is average pooling; four stages of an image pyramid."""

from neupims.graph import Config, Tracer, Value, architecture, variant


class PoolFormer(Config):
    """Sizes of a PoolFormer."""

    depths: tuple[int, ...]
    """Blocks in each of the four stages."""
    widths: tuple[int, ...]
    """Channels of each stage."""
    mlp_ratio: int = 4
    resolution: int = 224
    classes: int = 1000


# Sizes: table 1 of Yu et al. 2022; stem, downsampling and LayerScale as in section 4.1 and the published code.
@architecture(
    "poolformer",
    paper="MetaFormer Is Actually What You Need for Vision, arXiv:2111.11418",
    family="vision",
    passes="forward",
    default="s12",
)
@variant("s12", depths=(2, 2, 6, 2), widths=(64, 128, 320, 512))
@variant("s24", depths=(4, 4, 12, 4), widths=(64, 128, 320, 512))
@variant("s36", depths=(6, 6, 18, 6), widths=(64, 128, 320, 512))
@variant("m36", depths=(6, 6, 18, 6), widths=(96, 192, 384, 768))
@variant("m48", depths=(8, 8, 24, 8), widths=(96, 192, 384, 768))
def poolformer(net: Tracer, cfg: PoolFormer) -> None:
    """Image classifier without attention: pooling mixes the tokens, and has no weights."""
    x = net.image(3, cfg.resolution, cfg.resolution)
    for stage, (depth, width) in enumerate(zip(cfg.depths, cfg.widths, strict=True)):
        with net.scope(f"stage{stage + 1}"):
            x = patch_embedding(net, x, width, first=stage == 0)
            for _ in net.repeat(depth, "block"):
                mixed = net.group_norm(x, name="norm1")
                x = x + net.scale(net.avg_pool(mixed, 3, stride=1, padding=1) - mixed, axis=1, name="scale1")
                x = x + net.scale(mlp(net, cfg, net.group_norm(x, name="norm2")), axis=1, name="scale2")
    pooled = net.global_pool(net.group_norm(x, name="norm"))
    net.output(net.linear(pooled, cfg.classes, name="head"))


def patch_embedding(net: Tracer, x: Value, width: int, *, first: bool) -> Value:
    """Overlapping patches: 7 x 7 with stride 4 of the image, later 3 x 3 with stride 2."""
    kernel, stride = (7, 4) if first else (3, 2)
    return net.conv(x, width, kernel, stride=stride, padding=kernel // 3, name="patches")


def mlp(net: Tracer, cfg: PoolFormer, x: Value) -> Value:
    """Two 1 x 1 convolutions with a GELU between them."""
    width = x.shape[1]
    return net.conv(net.gelu(net.conv(x, cfg.mlp_ratio * width, 1, name="fc1")), width, 1, name="fc2")
