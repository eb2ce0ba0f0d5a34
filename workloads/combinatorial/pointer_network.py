"""Pointer Network: a recurrent encoder and decoder whose attention points at one of the inputs as the output."""

from neupims.graph import Config, Tracer, Value, architecture, variant


class PointerNetwork(Config):
    """Sizes of a Pointer Network and of its problem."""

    width: int
    points: int = 10
    """Inputs among which it chooses."""
    steps: int = 11
    """Outputs: a tour through all points has one more than there are points, the end; a triangulation has more."""
    coordinates: int = 2


# Sizes: section 4 of Vinyals et al. 2015, one layer of 256 or 512. Assumed: one bias a gate, none in the pointer.
# The decoder reads the point that it chose last: which one, data decide; how much work it is, they do not.
@architecture(
    "pointer-network",
    paper="Pointer Networks, arXiv:1506.03134",
    family="combinatorial",
    passes="forward",
    default="h256",
)
@variant("h256", width=256)
@variant("h512", width=512)
def pointer_network(net: Tracer, cfg: PointerNetwork) -> None:
    """LSTM encoder and decoder for problems over points, such as tours and hulls."""
    points = net.input("points", net.batch, cfg.points, cfg.coordinates)
    encoded, h, c = encoder(net, cfg, points)
    keys = net.linear(encoded, cfg.width, bias=False, name="keys")
    cell = net.cell("lstm", cfg.coordinates, cfg.width, name="decoder")
    query = net.weight(cfg.width, cfg.width, name="query_weight")
    direction = net.weight(cfg.width, 1, name="pointer_weight")
    x = net.input("start", net.batch, cfg.coordinates)
    chosen, places = net.input("empty", net.batch, cfg.steps, 1, element="int32"), steps(net, cfg.steps, "outputs")
    for _ in net.repeat(cfg.steps, "decode"):
        h, c = net.step(cell, x, h, c)
        scores = pointer(net, keys, net.linear_with(h, query, name="query"), direction)
        index = net.argmax(net.softmax(scores), name="chosen")
        x = net.reshape(net.gather_rows(points, net.reshape(index, -1, 1), name="point"), net.batch, cfg.coordinates)
        chosen = net.scatter(net.reshape(index, -1, 1, 1), net.each(places), chosen, name="store")
    net.output(chosen)


def encoder(net: Tracer, cfg: PointerNetwork, points: Value) -> tuple[Value, Value, Value]:
    """The hidden states after each point, [batch, points, width], and the last hidden state and cell."""
    cell = net.cell("lstm", cfg.coordinates, cfg.width, name="encoder")
    h, c = (net.input(name, net.batch, cfg.width) for name in ("first_hidden", "first_cell"))
    encoded, places = net.input("memory", net.batch, cfg.points, cfg.width), steps(net, cfg.points, "inputs")
    for _ in net.repeat(cfg.points, "encode"):
        h, c = net.step(cell, net.each(points, axis=1), h, c)
        encoded = net.scatter(net.reshape(h, net.batch, 1, cfg.width), net.each(places), encoded, name="store")
    return encoded, h, c


def pointer(net: Tracer, keys: Value, query: Value, direction: Value) -> Value:
    """Additive attention v tanh(W1 e + W2 d), [batch, points], whose greatest score is the output."""
    batch, points, width = keys.shape
    joined = net.binary("add", keys, net.reshape(query, batch, 1, width), name="joined")
    scores = net.linear_with(net.tanh(joined), direction, name="scores")
    return net.reshape(scores, batch, points)


def steps(net: Tracer, count: int, name: str) -> Value:
    """Numbers of steps, each a place to store what the step gives."""
    return net.constant(count, 1, name=name, element="int32")
