"""Feed-forward networks of decoders: plain, gated, and experts among which each token chooses."""

from neupims.graph.importers.record import Decoder
from neupims.graph.tracer import Tracer
from neupims.graph.tracing.regions import Value
from neupims.graph.vocabulary.choice import balanced_rows


def feed_forward(net: Tracer, cfg: Decoder, x: Value, hidden: int | None = None) -> Value:
    """Two linear layers, the first one gated or not."""
    size, bias = hidden or cfg.hidden, cfg.ffn_bias
    if not cfg.gated:
        inside = net.unary(cfg.activation, net.linear(x, size, bias=bias, name="fc1"))
        return net.linear(inside, cfg.width, bias=bias, name="fc2")
    if cfg.fused_gate:
        gate, up = net.split(net.linear(x, 2 * size, bias=bias, name="gate_up"), 2)
        gate = net.unary(cfg.activation, gate)
    else:
        gate = net.unary(cfg.activation, net.linear(x, size, bias=bias, name="gate"))
        up = net.linear(x, size, bias=bias, name="up")
    return net.linear(gate * up, cfg.width, bias=bias, name="down")


def experts(net: Tracer, cfg: Decoder, x: Value) -> Value:
    """The chosen experts of each token, weighted by their scores, and those that all tokens have.

    Tokens are spread over the experts as evenly as can be. Where groups of experts limit the choice (DeepSeek), that
    is left out: it changes which are chosen, not how many.
    """
    scores, chosen = routed(net, cfg, x)
    order = net.sort(net.reshape(chosen, -1), name="order")
    rows = net.gather(x, order, name="dispatch")
    load = balanced_rows(rows.shape[0], cfg.experts)
    gate, up = net.split(net.expert_linear(rows, 2 * cfg.expert_hidden, load, name="gate_up"), 2)
    rows = net.expert_linear(net.unary(cfg.activation, gate) * up, cfg.width, load, name="down")
    back = net.reshape(net.gather(rows, order, name="collect"), x.shape[0], cfg.chosen, cfg.width)
    mixed = net.sum(back * net.reshape(scores, x.shape[0], cfg.chosen, 1), axis=1, name="mix")
    if not cfg.shared_hidden:
        return mixed
    with net.scope("shared"):
        shared = feed_forward(net, cfg, x, cfg.shared_hidden)
        if cfg.shared_gate:
            shared = shared * net.sigmoid(net.linear(x, 1, bias=False, name="shared_gate"))
    return mixed + shared


def routed(net: Tracer, cfg: Decoder, x: Value) -> tuple[Value, Value]:
    """Scores [tokens, chosen] and numbers [tokens, chosen] of the experts of each token."""
    scores = _scored(net, cfg, net.linear(x, cfg.experts, bias=False, name="router"))
    ranked = scores + net.constant(cfg.experts, name="correction") if cfg.corrected else scores
    chosen = net.top_k(ranked, cfg.chosen, name="top_k")
    return net.gather_rows(net.reshape(scores, *scores.shape, 1), chosen, name="chosen_scores"), chosen


def _scored(net: Tracer, cfg: Decoder, logits: Value) -> Value:
    return net.softmax(logits) if cfg.scores == "softmax" else net.unary(cfg.scores, logits)
