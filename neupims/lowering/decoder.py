"""The dimensions of a stack of decoder blocks, read off its graph, and the share of one device in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from neupims.errors import ModelError
from neupims.graph import ELEMENT_BYTES, Block, Graph, Operator

BLOCK_KINDS = (
    *("layer_norm", "linear", "logit", "softmax", "attend", "linear", "add"),
    *("layer_norm", "linear", "gelu", "linear", "add"),
)
"""Operators of a decoder block: attention and feed-forward network, each behind a norm and beside a residual."""
EMBEDDING_KINDS = (("embedding", "embedding", "add"), ("embedding",))
"""Token table with or without learned positions."""
HEAD_KINDS = (("last", "layer_norm", "linear", "argmax"), ("layer_norm", "linear", "argmax"))
"""Last norm, LM head and sampling, of the last token of each prompt or of all tokens."""


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
    positions: int = 0
    """Rows of the table of learned positions, if there is one."""
    bias: bool = True
    """Whether the linear layers of a block have biases."""
    tied: bool = True
    """Whether the LM head is the token table."""
    element_bytes: int = 2


def read_decoder(graph: Graph) -> DecoderShape:
    """Dimensions of the decoder of a graph.

    Raises:
        ModelError: the graph is not a stack of equal decoder blocks such as those of GPT-3.
    """
    block = _only_block(graph)
    at = graph.items.index(block)
    before, after = _operators(graph.items[:at]), _operators(graph.items[at + 1 :])
    kinds = ((before, EMBEDDING_KINDS, "before its blocks"), (after, HEAD_KINDS, "behind its blocks"))
    for operators, allowed, where in (*kinds, (_operators(block.items), (BLOCK_KINDS,), f"in block '{block.name}'")):
        _check_kinds(graph, operators, allowed, where)
    _, qkv, logit, *_, projection, _, _, fc1, _, fc2, _ = _operators(block.items)
    head = after[-2]
    table = before[0].weights[0]
    shape = DecoderShape(
        width=table.shape[1],
        heads=logit.number("heads"),
        head_dim=logit.number("head_dim"),
        ffn=fc1.weights[0].shape[1],
        layers=block.count,
        vocabulary=head.weights[0].shape[1],
        positions=before[1].weights[0].shape[0] if len(before) > 1 else 0,
        bias=len(qkv.weights) > 1,
        tied=head.weights[0].base == table.name,
        element_bytes=ELEMENT_BYTES[table.element],
    )
    _check_shapes(graph, shape, (qkv, projection, fc1, fc2))
    return shape


def _only_block(graph: Graph) -> Block:
    if len(graph.blocks) != 1:
        raise ModelError(
            f"{graph.model}: it has {len(graph.blocks)} kinds of repeated blocks; this lowering knows models of one, "
            f"a decoder block"
        )
    return graph.blocks[0]


def _operators(items: Sequence[Operator | Block]) -> list[Operator]:
    return [item for item in items if isinstance(item, Operator)]


def _check_kinds(graph: Graph, found: list[Operator], allowed: Sequence[tuple[str, ...]], where: str) -> None:
    kinds = tuple(operator.kind for operator in found)
    if kinds not in allowed:
        wanted = ", or ".join(" ".join(names) for names in allowed)
        raise ModelError(f"{graph.model}: {where} it has {' '.join(kinds)}; this lowering knows {wanted}")


def _check_shapes(graph: Graph, shape: DecoderShape, layers: tuple[Operator, ...]) -> None:
    attention = shape.heads * shape.head_dim
    width, ffn = shape.width, shape.ffn
    expected = ((width, 3 * attention), (attention, width), (width, ffn), (ffn, width))
    for layer, weight in zip(layers, expected, strict=True):
        found = layer.weights[0].shape
        if found != weight or (len(layer.weights) > 1) != shape.bias:
            raise ModelError(
                f"{graph.model}: '{layer.name}' has weights {found} and {len(layer.weights) - 1} biases; this lowering "
                f"knows weights {weight} and {int(shape.bias)} biases there"
            )


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
    bias: bool
    tied: bool
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
        bias=shape.bias,
        tied=shape.tied,
        element_bytes=shape.element_bytes,
    )
