"""The numbers of a decoder-only language model, and what is in each of its layers."""

from dataclasses import dataclass

from neupims.graph.config import Config


class Decoder(Config):
    """Sizes and choices that tell decoders apart; zero means that there is no such part."""

    layers: int
    width: int
    vocabulary: int
    positions: int
    """Longest context."""
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    """Width of the hidden layer of the feed-forward network."""

    table_width: int = 0
    """Width of the token table, if it is not that of the layers."""
    learned: int = 0
    """Rows of a table of learned positions."""
    rotated: int = 0
    """Elements of each head that are turned by their position."""
    scaled: bool = False
    """Whether embeddings are multiplied by a number."""
    tied: bool = False
    """Whether the output matrix is the token table."""
    logit_cap: float = 0.0

    norm: str = "rms_norm"
    norms: str = "before"
    """`before` attention and feed-forward network, `behind` their residuals, or on `both` sides of each branch."""
    final_norm: bool = True
    parallel: int = 0
    """Norms of a layer whose attention and feed-forward network read the same input: one for both, or one each."""

    fused: bool = False
    """Whether q, k and v are one linear layer."""
    qkv_bias: bool = False
    projection_bias: bool = False
    head_norm: bool = False
    """Whether each head of q and of k is normalised."""
    score_cap: float = 0.0
    window: int = 0
    windowed: tuple[int, ...] = ()
    """Layers whose tokens see no further back than the window."""

    gated: bool = False
    fused_gate: bool = False
    activation: str = "silu"
    ffn_bias: bool = False

    experts: int = 0
    chosen: int = 0
    """Experts of each token."""
    expert_hidden: int = 0
    shared_hidden: int = 0
    """Hidden width of the experts that all tokens have."""
    shared_gate: bool = False
    scores: str = "softmax"
    corrected: bool = False
    """Whether a constant is added to the scores before experts are chosen."""
    sparse: tuple[int, ...] = ()
    """Layers whose feed-forward network is experts."""

    latent_rank: int = 0
    """Width of the vector of which keys and values are made (latent attention)."""
    query_rank: int = 0
    value_dim: int = 0

    recurrent: tuple[int, ...] = ()
    """Layers with a selective state space instead of attention."""
    inner: int = 0
    states: int = 0
    taps: int = 0
    rank: int = 0
    conv_bias: bool = True
    mixer_bias: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """What is in a layer."""

    windowed: bool
    sparse: bool
    recurrent: bool


def layers_of(cfg: Decoder) -> list[Layer]:
    """The layers in order."""
    return [Layer(index in cfg.windowed, index in cfg.sparse, index in cfg.recurrent) for index in range(cfg.layers)]
