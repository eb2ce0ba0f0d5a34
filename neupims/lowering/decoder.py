"""The dimensions of a stack of decoder blocks, read off its graph, and the share of one device in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from neupims.errors import ModelError
from neupims.graph import ELEMENT_BYTES, Block, Graph, Operator

Norm = Literal["layer_norm", "rms_norm"]

EMBEDDING_KINDS = (("embedding", "embedding", "add"), ("embedding",))
"""Token table with or without learned positions."""

SPECIAL = ("window", "rotated")
"""Attributes of a sliding window and of heads of which a part is turned."""


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
    group: int = 1
    """Query heads that share one head of keys and values (grouped-query attention)."""
    norm: Norm = "layer_norm"
    rotary: bool = False
    """Whether queries and keys are turned by their positions."""
    gated: bool = False
    """Whether the hidden layer is one linear layer times the activation of another, instead of one activated."""

    @property
    def attention_width(self) -> int:
        """Width of the queries."""
        return self.heads * self.head_dim

    @property
    def kv_heads(self) -> int:
        """Heads of keys, and of values."""
        return self.heads // self.group


WeightShapes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Decoders with the same operators."""

    block: tuple[str, ...]
    """Kinds in a block: attention and feed-forward network, each behind a norm and beside a residual."""
    head: tuple[tuple[str, ...], ...]
    """Kinds of last norm, LM head and sampling, of the last token of each prompt or of all tokens."""
    weights: Callable[[DecoderShape], WeightShapes]
    """Weights of the linear layers of a block, in order."""
    rotary: bool = False
    gated: bool = False


def _gpt_weights(shape: DecoderShape) -> WeightShapes:
    width, attention, ffn = shape.width, shape.attention_width, shape.ffn
    return (width, 3 * attention), (attention, width), (width, ffn), (ffn, width)


def _llama_weights(shape: DecoderShape) -> WeightShapes:
    width, attention, ffn = shape.width, shape.attention_width, shape.ffn
    keys = (width, shape.kv_heads * shape.head_dim)
    return (width, attention), keys, keys, (attention, width), (width, ffn), (width, ffn), (ffn, width)


def _heads(norm: Norm) -> tuple[tuple[str, ...], ...]:
    return ("last", norm, "linear", "argmax"), (norm, "linear", "argmax")


FAMILIES: dict[Norm, Family] = {
    "layer_norm": Family(
        block=(
            *("layer_norm", "linear", "logit", "softmax", "attend", "linear", "add"),
            *("layer_norm", "linear", "gelu", "linear", "add"),
        ),
        head=_heads("layer_norm"),
        weights=_gpt_weights,
    ),
    "rms_norm": Family(
        block=(
            *("rms_norm", "linear", "linear", "linear", "rotary", "rotary", "logit", "softmax", "attend"),
            *("linear", "add", "rms_norm", "linear", "silu", "linear", "mul", "linear", "add"),
        ),
        head=_heads("rms_norm"),
        weights=_llama_weights,
        rotary=True,
        gated=True,
    ),
}
"""GPT-3 and Llama, by the norm with which a block begins."""


def read_decoder(graph: Graph) -> DecoderShape:
    """Dimensions of the decoder of a graph.

    Raises:
        ModelError: the graph is not a stack of equal decoder blocks such as those of GPT-3 or Llama.
    """
    block = _only_block(graph)
    at, inside = graph.items.index(block), _operators(block.items)
    before, after = _operators(graph.items[:at]), _operators(graph.items[at + 1 :])
    norm: Norm = "rms_norm" if inside and inside[0].kind == "rms_norm" else "layer_norm"
    family = FAMILIES[norm]
    _check_kinds(graph, before, EMBEDDING_KINDS, "before its blocks")
    _check_kinds(graph, after, family.head, "behind its blocks")
    _check_kinds(graph, inside, (family.block,), f"in block '{block.name}'")
    table, head = before[0].weights[0], after[-2]
    logit = next(operator for operator in inside if operator.kind == "logit")
    _check_plain(graph, inside)
    linears = [operator for operator in inside if operator.kind == "linear"]
    shape = DecoderShape(
        width=table.shape[1],
        heads=logit.number("heads"),
        head_dim=logit.number("head_dim"),
        ffn=linears[-1].weights[0].shape[0],
        layers=block.count,
        vocabulary=head.weights[0].shape[1],
        positions=before[1].weights[0].shape[0] if len(before) > 1 else 0,
        bias=len(linears[0].weights) > 1,
        tied=head.weights[0].base == table.name,
        element_bytes=ELEMENT_BYTES[table.element],
        group=logit.number("heads") // logit.number("kv_heads"),
        norm=norm,
        rotary=family.rotary,
        gated=family.gated,
    )
    _check_shapes(graph, linears, family.weights(shape), shape.bias)
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


def _check_plain(graph: Graph, operators: list[Operator]) -> None:
    for operator in operators:
        special = [name for name, _ in operator.attributes if name in SPECIAL]
        if special:
            raise ModelError(f"{graph.model}: '{operator.name}' has a {special[0]}, which this lowering does not know")


def _check_shapes(graph: Graph, layers: list[Operator], expected: WeightShapes, bias: bool) -> None:
    for layer, weight in zip(layers, expected, strict=True):
        found = layer.weights[0].shape
        if found != weight or (len(layer.weights) > 1) != bias:
            raise ModelError(
                f"{graph.model}: '{layer.name}' has weights {found} and {len(layer.weights) - 1} biases; this lowering "
                f"knows weights {weight} and {int(bias)} biases there"
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
    kv_heads: int
    norm: Norm
    rotary: bool
    gated: bool

    @property
    def attention_width(self) -> int:
        """Width of q on this device, E / TP in GPT-3."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of k, or of v, on this device."""
        return self.kv_heads * self.head_dim

    @property
    def qkv_width(self) -> int:
        """Width of q, k and v side by side."""
        return self.attention_width + 2 * self.kv_width

    @property
    def hidden_width(self) -> int:
        """Outputs of the first layer of the feed-forward network; gate and up are one."""
        return (1 + self.gated) * self.ffn

    @property
    def group(self) -> int:
        """Query heads that share one head of keys and values."""
        return self.heads // self.kv_heads


def shard(shape: DecoderShape, tp: int, pp: int = 1) -> Shard:
    """Share of one device; with `pp` pipeline stages, the layers of the longest one.

    Raises:
        ModelError: heads or FFN columns cannot be divided by tp, or there are more stages than layers.
    """
    kv = "heads of keys and values"
    divided = (("heads", shape.heads), (kv, shape.kv_heads), ("columns of the feed-forward layer", shape.ffn))
    for what, count in divided:
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
        kv_heads=shape.kv_heads // tp,
        norm=shape.norm,
        rotary=shape.rotary,
        gated=shape.gated,
    )


def beyond_gpt3(part: Shard) -> tuple[str, ...]:
    """What a decoder has that those of the GPT-3 family have not, in words."""
    extras = {
        f"{part.group} query heads for each head of keys and values": part.group > 1,
        "RMS norms": part.norm == "rms_norm",
        "rotary positions": part.rotary,
        "a gated feed-forward network": part.gated,
    }
    return tuple(what for what, there in extras.items() if there)
