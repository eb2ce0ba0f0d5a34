"""GPT-3: a decoder with pre-norm blocks, learned positions and an output matrix tied to the token embedding."""

from neupims.graph import Config, Tracer, Value, architecture, variant


class Gpt3(Config):
    """Sizes of a GPT-3 model; its feed-forward layers are four times as wide as the rest."""

    layers: int
    heads: int
    width: int
    vocabulary: int = 50304  # the 50257 tokens of GPT-2, padded to a multiple of 128; NeuPIMs evaluation
    positions: int = 2048  # Brown et al. 2020, section 2.1


# Sizes: 7b and 175b, table 2.1 of Brown et al. ("6.7B", "175B"); 13b, the same table, but as wide as its 40 heads of
# 128, 5120, where the table prints 5140; 30b, not in that paper: as in the NeuPIMs evaluation and in OPT-30B.
# Assumed: dense attention in every layer, as in the NeuPIMs evaluation (the paper alternates it with banded sparse
# attention), and biases and a tied output matrix as in GPT-2, whose architecture section 2.1 says it follows.
@architecture("gpt3", paper="Language Models are Few-Shot Learners, arXiv:2005.14165", family="language")
@variant("7b", layers=32, heads=32, width=4096)
@variant("13b", layers=40, heads=40, width=5120)
@variant("30b", layers=48, heads=56, width=7168)
@variant("175b", layers=96, heads=96, width=12288)
def gpt3(net: Tracer, cfg: Gpt3) -> None:
    """Decoder-only language model."""
    table = net.weight(cfg.vocabulary, cfg.width, name="token_table")
    x = embedding(net, cfg, table)
    for _ in net.repeat(cfg.layers, "layer"):
        with net.scope("attention"):
            q, k, v = net.split(net.linear(net.layer_norm(x, name="norm"), 3 * cfg.width, name="qkv"), 3)
            x = x + net.linear(net.attention(q, k, v, heads=cfg.heads), cfg.width, name="projection")
        with net.scope("ffn"):
            hidden = net.gelu(net.linear(net.layer_norm(x, name="norm"), 4 * cfg.width, name="fc1"))
            x = x + net.linear(hidden, cfg.width, name="fc2")
    x = net.layer_norm(net.last_token(x), name="final_norm")
    logits = net.linear(x, cfg.vocabulary, weight=net.transpose(table), bias=False, name="lm_head")
    net.output(net.argmax(logits, name="sampling"))


def embedding(net: Tracer, cfg: Gpt3, table: Value) -> Value:
    """Token embedding plus learned positions."""
    with net.scope("embedding"):
        positions = net.weight(cfg.positions, cfg.width, name="position_table")
        tokens = net.embedding(net.tokens(), table, name="token")
        return tokens + net.embedding(net.positions(cfg.positions), positions, name="position")
