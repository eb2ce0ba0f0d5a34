"""The dimensions of a stack of decoder blocks, and the share of one device in them."""

from dataclasses import dataclass

from neupims.errors import ModelError


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """Dimensions of a decoder-only transformer, for the whole model."""

    width: int
    """Model width E."""
    heads: int
    head_dim: int
    ffn: int
    """Width of the hidden layer of the feed-forward network."""
    layers: int
    vocabulary: int
    positions: int
    """Rows of the table of learned positions."""
    element_bytes: int = 2


@dataclass(frozen=True, slots=True)
class Shard:
    """What one device of a tensor-parallel group holds: heads, FFN columns and vocabulary are divided."""

    width: int
    heads: int
    head_dim: int
    ffn: int
    layers: int
    vocabulary: int
    positions: int
    element_bytes: int

    @property
    def attention_width(self) -> int:
        """Width of q, k or v on this device, E / TP."""
        return self.heads * self.head_dim


def shard(shape: DecoderShape, tp: int, pp: int = 1) -> Shard:
    """Share of one device; with `pp` pipeline stages, the layers of the longest one.

    Raises:
        ModelError: heads or FFN columns cannot be divided by tp, or there are more stages than layers.
    """
    for what, count in (("heads", shape.heads), ("columns of the feed-forward layer", shape.ffn)):
        if count % tp:
            raise ModelError(f"--tp {tp} does not divide the model's {count} {what}; use a divisor of {count}")
    if pp > shape.layers:
        raise ModelError(f"--pp {pp} is more than the model's {shape.layers} layers; use at most {shape.layers}")
    return Shard(
        width=shape.width,
        heads=shape.heads // tp,
        head_dim=shape.head_dim,
        ffn=shape.ffn // tp,
        layers=-(-shape.layers // pp),
        vocabulary=-(-shape.vocabulary // tp),
        positions=shape.positions,
        element_bytes=shape.element_bytes,
    )
