"""ForwardGNN: layers of a graph network trained one by one, each on its own loss, without a backward pass between them.

Single-forward: every class gets a virtual node, joined to the training nodes of the class; a layer learns to embed
nodes near the virtual node of their class.
"""

from typing import Literal

from neupims.graph import Config, Tracer, Value, architecture, variant


class ForwardGnn(Config):
    """A data set, and the layers that learn it."""

    nodes: int
    edges: int
    """Directed, without self loops."""
    features: int
    classes: int
    conv: Literal["gcn", "gcn_cached", "sage", "gat"] = "gcn"
    """Of all layers: gcn, sage, gat; or gcn_cached, a gcn that aggregates first and keeps the result for all epochs."""
    layers: int = 4
    layer: int = 0
    """The only layer that is computed, from 1 on, on what the converged ones before it left; 0: all layers."""
    hidden: int = 128
    heads: int = 4
    """Of gat."""
    train_percent: int = 64
    """Five folds, and of what is left a fifth for validation."""
    temperature: float = 1.0


# Data sets: statistics of PyTorch Geometric, whose CitationFull, Amazon and GitHub sets the paper takes. Layers: four
# of width 128, as in the published scripts, with normalised inputs and a ReLU behind each.
@architecture(
    "forwardgnn",
    paper="Forward Learning of Graph Neural Networks, arXiv:2403.11004",
    family="graph",
    passes="forward",
    default="citeseer",
    batch=1,
)
@variant("citeseer", nodes=4230, edges=10674, features=602, classes=6)
@variant("cora_ml", nodes=2995, edges=16316, features=2879, classes=7)
@variant("pubmed", nodes=19717, edges=88648, features=500, classes=3)
@variant("photo", nodes=7650, edges=238162, features=745, classes=8)
@variant("github", nodes=37700, edges=578006, features=128, classes=2)
def forwardgnn(net: Tracer, cfg: ForwardGnn) -> None:
    """Graph network whose layers are trained locally; classes are read off the similarity to their virtual nodes."""
    if net.batch > 1:
        raise net.error("input", "graph", f"one graph is trained at a time, not a batch of {net.batch}")
    train = cfg.nodes * cfg.train_percent // 100
    loops = 0 if cfg.conv == "sage" else cfg.nodes + cfg.classes
    edges = None if cfg.conv == "gcn_cached" else net.edges(cfg.edges + 2 * train + loops)
    chosen = net.input("train_nodes", train, element="int32") if net.training else None
    x: Value | None = None
    scores: list[Value] = []
    for layer in [cfg.layer] if cfg.layer else range(1, cfg.layers + 1):
        with net.scope(f"layer{layer}"):
            x = net.relu(CONVS[cfg.conv](net, cfg, layer_input(net, cfg, layer, x), edges))
            scores.append(logits(net, cfg, x, chosen))
    if net.training:
        for score in scores:
            net.output(score)
        return
    total = net.softmax(scores[0])
    for score in scores[1:]:
        total = total + net.softmax(score)
    net.output(net.argmax(total))


def layer_input(net: Tracer, cfg: ForwardGnn, layer: int, below: Value | None) -> Value:
    """What the layer below left, normalised; no gradient goes down to it."""
    shape = (cfg.nodes + cfg.classes, cfg.features if layer == 1 else cfg.hidden)
    if cfg.conv == "gcn_cached":
        return net.input(f"aggregated{layer}", *shape)
    x = net.input("features", *shape) if below is None else net.detach(below)
    return net.layer_norm(x, affine=False, name="norm")


def logits(net: Tracer, cfg: ForwardGnn, x: Value, chosen: Value | None) -> Value:
    """Similarity of nodes, all of them or those chosen for training, to the virtual nodes of the classes."""
    virtual = net.slice(x, cfg.nodes, cfg.nodes + cfg.classes, axis=0)
    real = net.slice(x, 0, cfg.nodes, axis=0) if chosen is None else net.gather(x, chosen, name="train")
    return net.matmul(real, net.transpose(virtual), name="logits") / cfg.temperature


def gcn(net: Tracer, cfg: ForwardGnn, x: Value, edges: Value) -> Value:
    """A linear layer, then neighbours weighted by the degrees of both ends (Kipf and Welling 2017)."""
    degrees = net.constant(edges.shape[1], name="degrees")
    mixed = net.propagate(net.linear(x, cfg.hidden, bias=False, name="linear"), edges, degrees, name="propagate")
    return net.shift(mixed, name="bias")


def gcn_cached(net: Tracer, cfg: ForwardGnn, x: Value, edges: None) -> Value:
    """The linear layer alone, of neighbours that an earlier epoch has aggregated."""
    return net.linear(x, cfg.hidden, name="linear")


def sage(net: Tracer, cfg: ForwardGnn, x: Value, edges: Value) -> Value:
    """A linear layer of the mean of the neighbours, and one of the node itself (Hamilton et al. 2017)."""
    mean = net.propagate(x, edges, name="propagate") * net.constant(x.shape[0], 1, name="inverse_degree")
    return net.linear(mean, cfg.hidden, name="neighbours") + net.linear(x, cfg.hidden, bias=False, name="root")


def gat(net: Tracer, cfg: ForwardGnn, x: Value, edges: Value) -> Value:
    """Neighbours weighted by attention over the edges of each node (Velickovic et al. 2018)."""
    nodes, heads, size = x.shape[0], cfg.heads, cfg.hidden // cfg.heads
    h = net.reshape(net.linear(x, cfg.hidden, bias=False, name="linear"), nodes, heads, size)
    ends = [net.reshape(net.slice(edges, end, end + 1, axis=0), edges.shape[1]) for end in (0, 1)]
    parts = [net.sum(h * net.weight(heads, size, name=name)) for name in ("from_source", "from_target")]
    score = net.unary("leaky_relu", net.gather(parts[0], ends[0]) + net.gather(parts[1], ends[1]))
    zeros = net.constant(nodes, heads, name="zeros")
    greatest = net.scatter(net.detach(score), ends[1], zeros, name="greatest")
    share = net.exp(score - net.gather(net.detach(greatest), ends[1]))
    share = share / net.gather(net.scatter(share, ends[1], zeros, add=True, name="total"), ends[1])
    mixed = net.propagate(h, edges, share, name="propagate")
    return net.shift(net.reshape(mixed, nodes, cfg.hidden), name="bias")


CONVS = {"gcn": gcn, "gcn_cached": gcn_cached, "sage": sage, "gat": gat}
