"""A small graph of operators of every kind that the vocabulary has."""

from collections.abc import Callable

from neupims.graph import Graph, Tracer, Value, balanced_rows, training_step
from neupims.graph.sequences import decode_step, samples, training_batch


def images(net: Tracer) -> None:
    """Convolutions of all sorts, pooling, interpolation, norms."""
    x = net.image(3, 16, 16)
    x = net.unary("hard_swish", net.batch_norm(net.conv(x, 24, 3, stride=2, padding=1)))
    x = x + net.conv(x, 24, 3, padding=1, groups=24, bias=False)
    x = net.conv(x, 40, 3, padding=2, dilation=2, groups=2)
    x = net.conv_transposed(x, 20, 2, stride=2)
    x = net.interpolate(net.max_pool(x, 3, stride=1, padding=1), 8, 8)
    x = net.scale(net.group_norm(net.avg_pool(x, 2), groups=4), axis=1)
    x = net.roll(net.pad(x, 1, 1, axis=2), 2, axis=2)
    net.output(net.softmax(net.linear(net.global_pool(x), 10)))


def tokens(net: Tracer) -> None:
    """Attention over a cache and without one, experts, scans, tables."""
    table = net.weight(50, 32, name="table")
    x = net.embedding(net.tokens(), table)
    for _ in net.repeat(3, "layer"):
        q, k, v = net.split(net.linear(net.rms_norm(x), 96, bias=False), 3)
        x = x + net.linear(net.attention(q, k, v, heads=2), 32)
        x = x + experts(net, net.layer_norm(x))
    wide = net.silu(net.causal_conv(net.linear(x, 48), 4))
    delta = net.softplus(net.linear(wide, 48))
    x = x + net.linear(net.selective_scan(wide, delta, net.linear(wide, 8), net.linear(wide, 8)), 32)
    net.output(net.argmax(net.linear(net.last_token(x), 50, weight=net.transpose(table), bias=False)))


def experts(net: Tracer, x: Value) -> Value:
    """Each token to one of four experts."""
    chosen = net.reshape(net.top_k(net.softmax(net.linear(x, 4)), 1), x.shape[0])
    order = net.sort(chosen)
    hidden = net.gelu(net.expert_linear(net.gather(x, order), 16, balanced_rows(x.shape[0], 4), bias=True))
    return net.scatter(net.expert_linear(hidden, 32, balanced_rows(x.shape[0], 4)), order, x)


def numbers(net: Tracer) -> None:
    """Cells, transforms, factorisations, messages, neighbours, and element-wise words."""
    x = net.input("x", 12, 16)
    edges = net.edges(30)
    x = net.relu(net.propagate(net.linear(x, 16), edges)) + net.propagate(x, edges, net.input("weights", 30))
    near = net.nearest(x, net.constant(20, 16, name="points"), 3)
    x = net.concat(x, net.mean(net.gather(x, near), axis=1), axis=1)
    x = net.fft(net.fft(x, 32), 32, inverse=True) * 0.5
    cell = net.cell("lstm", 32, 8, biases=2)
    h, c = net.input("h", 1, 8), net.input("c", 1, 8)
    for _ in net.repeat(4, "step"):
        h, c = net.step(cell, net.reshape(net.each(x), 1, 32), h, c)
    gru, rnn = net.cell("gru", 8, 8), net.cell("rnn", 8, 8)
    h, _ = net.step(gru, c, h)
    h, _ = net.step(rnn, c, h)
    gram = net.matmul(x, net.transpose(x))
    factor = net.cholesky(gram)
    solved = net.triangular_solve(
        factor, net.eigen(gram) - net.cumsum(gram) * net.reshape(net.eigenvalues(gram), 1, -1)
    )
    x = net.expand(net.reduce("variance", solved, axis=0, keep=True), 2, 12) / net.exp(net.sum(h))
    net.output(net.scan(net.tanh(x), net.sigmoid(x), axis=0))


def packed(net: Tracer) -> None:
    """Attention among the tokens of each request, without a cache, and of samples of one length."""
    x = net.embedding(net.tokens(), net.weight(50, 32, name="table"))
    x = x + net.full_attention(*net.split(net.linear(x, 96), 3), heads=2)
    even = net.reshape(x, 2, -1, 32)
    bias = net.weight(4, even.shape[1], even.shape[1], name="bias")
    net.output(net.attend_all(even, even, net.elu(even), heads=4, bias=bias))


def recurrent(net: Tracer) -> None:
    """Latent caches, scans with one decay for a head, and what RWKV keeps of the tokens before."""
    x = net.embedding(net.tokens(), net.weight(50, 32, name="table"))
    with net.scope("latent"):
        x = net.latent_attention(net.linear(x, 2 * 20), net.linear(x, 8), net.linear(x, 4), heads=2, value_dim=16)
    x = x + net.dual_scan(x, net.softplus(net.linear(x, 4)), net.linear(x, 8), net.linear(x, 8))
    before = net.token_shift(x)
    net.output(net.linear(x + net.wkv(net.linear(before, 32), net.linear(x, 32)), 50))


def learned(net: Tracer) -> None:
    """Products of all sorts, whose gradients a training step adds."""
    x = net.embedding(net.tokens(), net.weight(50, 32, name="table"))
    for _ in net.repeat(3, "layer"):
        q, k, v = net.split(net.linear(net.layer_norm(x), 96), 3)
        x = x + net.linear(net.attention(q, k, v, heads=2), 32)
    x = x + net.expert_linear(net.gelu(x), 32, balanced_rows(x.shape[0], 4))
    wide = net.silu(net.causal_conv(x, 4))
    x = x + net.selective_scan(wide, net.softplus(wide), net.linear(wide, 8), net.linear(wide, 8))
    edges = net.edges(30)
    x = x + net.propagate(x, edges, net.linear(net.gather(x, net.input("ends", 30, element="int32")), 1))
    image = net.conv(net.reshape(x, 1, 8, 4, -1), 6, 3, padding=1, groups=2)
    net.output(net.linear(net.reshape(net.conv_transposed(image, 4, 3, padding=1), x.shape[0], 16), 50))


ZOO: dict[str, Callable[[Tracer], None]] = {
    "images": images,
    "tokens": tokens,
    "numbers": numbers,
    "packed": packed,
    "recurrent": recurrent,
    "learned": learned,
}


def graph_of(name: str, lengths: tuple[int, ...] = (9, 30)) -> Graph:
    """A graph of the zoo over requests of some lengths."""
    if name == "learned":
        net = Tracer(training_batch(lengths))
        learned(net)
        return training_step(net.finish(name))
    lengths = (6, 6) if name == "packed" else lengths
    net = Tracer((decode_step if name in ("tokens", "recurrent") else samples)(lengths))
    ZOO[name](net)
    return net.finish(name)
