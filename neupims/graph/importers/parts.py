"""Keys that several decoders have in common, in the words of our record."""

from collections.abc import Iterable
from typing import Any

from neupims.graph.importers.fields import Fields

Values = dict[str, Any]
"""Fields of the record."""

SIGHTS = ("full_attention", "sliding_attention")
"""What layer_types may hold."""


def rank(f: Fields, key: str, width: int) -> int:
    """The width from which step sizes are made; `auto` is a sixteenth of the width, rounded up."""
    return -(-width // 16) if f.values.get(key) in (None, "auto") else f.integer(key)


def named_sizes(f: Fields) -> Values:
    """Layers, hidden width and positions by their usual names."""
    return {
        "layers": f.integer("num_hidden_layers"),
        "hidden": f.integer("intermediate_size"),
        "positions": f.integer("max_position_embeddings"),
    }


def biased(f: Fields, width: int, heads: int, tie: str | None) -> Values:
    """What decoders with layer norms, biases and plain feed-forward networks have in common."""
    return {
        "width": width,
        "vocabulary": f.integer("vocab_size"),
        "heads": heads,
        "kv_heads": heads,
        "head_dim": head_dim(f, width, heads),
        "norm": "layer_norm",
        "qkv_bias": True,
        "projection_bias": True,
        "ffn_bias": True,
        "tied": tie is not None and f.boolean(tie, True),
    }


def gated(f: Fields, *, wide: int | None = None, tied: bool = False, positions: int | None = None) -> Values:
    """What decoders with RMS norms, rotary positions and gated feed-forward networks have in common."""
    width, heads = f.integer("hidden_size"), f.integer("num_attention_heads")
    size = wide or f.integer("head_dim", 0, least=0) or head_dim(f, width, heads)
    kv_heads = f.integer("num_key_value_heads", heads)
    if heads % kv_heads:
        raise f.error("num_key_value_heads", f"{kv_heads} is not allowed, must divide the {heads} heads")
    return {
        **named_sizes(f),
        **({} if positions is None else {"positions": positions}),
        "width": width,
        "vocabulary": f.integer("vocab_size"),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": size,
        "rotated": size,
        "gated": True,
        "activation": f.activation("hidden_act", "silu"),
        "tied": f.boolean("tie_word_embeddings", tied),
    }


def head_dim(f: Fields, width: int, heads: int) -> int:
    """The width over the heads, which must divide it."""
    if width % heads:
        key = next(key for key in ("num_attention_heads", "n_head") if key in f.values)
        raise f.error(key, f"{heads} is not allowed, must divide the width of {width}")
    return width // heads


def experts(f: Fields, count: str, hidden: int, layers: Iterable[int]) -> Values:
    """How many experts there are and each token has, and the layers in which they are."""
    total, chosen = f.integer(count), f.integer("num_experts_per_tok")
    if chosen > total:
        raise f.error("num_experts_per_tok", f"{chosen} is not allowed, must be at most {count}, {total}")
    return {"experts": total, "chosen": chosen, "expert_hidden": hidden, "sparse": tuple(layers)}


def sparse_steps(f: Fields) -> list[int]:
    """Every so many layers has experts, but for those that are listed as dense."""
    step, dense = f.integer("decoder_sparse_step", 1), f.integers("mlp_only_layers")
    return [layer for layer in range(f.integer("num_hidden_layers")) if (layer + 1) % step == 0 and layer not in dense]


def window(f: Fields, layers: Iterable[int]) -> Values:
    """The sliding window, in the layers that layer_types names, or else in those given."""
    size, types = f.count("sliding_window"), f.words("layer_types", SIGHTS, f.integer("num_hidden_layers"))
    named = None if types is None else [layer for layer, sight in enumerate(types) if sight == SIGHTS[1]]
    return {"window": size, "windowed": tuple(layers if named is None else named) if size else ()}


def late_window(f: Fields) -> Values:
    """A sliding window in the layers from max_window_layers on, if it is used at all."""
    if not f.boolean("use_sliding_window", False):
        return {}
    return window(f, range(f.integer("max_window_layers"), f.integer("num_hidden_layers")))
