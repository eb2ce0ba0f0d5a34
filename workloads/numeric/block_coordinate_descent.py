"""Greedy block coordinate descent: of all coordinates of a problem, those with the greatest gradient move."""

from typing import Literal

from neupims.graph import Config, Tracer, Value, architecture, variant


class BlockCoordinateDescent(Config):
    """A problem, and how its coordinates are chosen and moved."""

    loss: Literal["squares", "logistic", "softmax"]
    features: int
    samples: int = 1000
    classes: int = 1
    """Columns of the unknowns [features, classes], each element of which is a coordinate."""
    iterations: int = 500
    block: int = 5
    """Coordinates that move in an iteration."""
    rule: Literal["gs", "gsl", "cyclic"] = "gs"
    """Gauss-Southwell: the greatest gradients; gsl: over the roots of their Lipschitz constants; or given blocks, in
    turn or at random, which need no gradient of the other coordinates."""
    update: Literal["lb", "hb"] = "lb"
    """A step over the greatest eigenvalue of the bound of the block's Hessian, or a Newton step with that bound."""


# Sizes: datasets A, B and C of Nutini et al. and 500 iterations with blocks of 5, as in their published exp_configs.py
# and datasets.py. Data, which they make 93 % zeros, are dense here. Which coordinates are chosen, data decide, but not
# how many. As in that code, A x is computed anew in each iteration; the gradient of the block is not.
@architecture(
    "block-coordinate-descent",
    paper="Let's Make Block Coordinate Descent Converge Faster, arXiv:1712.08859",
    family="numeric",
    passes="forward",
    default="a",
    batch=1,
)
@variant("a", loss="squares", features=10000)
@variant("b", loss="logistic", features=10000)
@variant("c", loss="softmax", features=1000, classes=50)
def block_coordinate_descent(net: Tracer, cfg: BlockCoordinateDescent) -> None:
    """Minimises f(A x, b) over x."""
    if net.batch > 1:
        raise net.error("input", "start", f"one problem is solved at a time, not a batch of {net.batch}")
    data = net.constant(cfg.samples, cfg.features, name="data")
    targets = net.constant(cfg.samples, cfg.classes, name="targets")
    lipschitz = net.constant(cfg.features * cfg.classes, 1, name="lipschitz") if cfg.rule == "gsl" else None
    given = net.input("blocks", cfg.iterations, cfg.block, element="int32") if cfg.rule == "cyclic" else None
    x = net.input("start", cfg.features * cfg.classes, 1)
    for _ in net.repeat(cfg.iterations, "iteration"):
        residual = residuals(net, cfg, data, targets, x)
        if given is None:
            gradient = full_gradient(net, data, residual)
            block = net.top_k(net.reshape(scores(net, gradient, lipschitz), -1), cfg.block, name="block")
        else:
            gradient, block = None, net.each(given)
        row, column = (block, None) if cfg.classes == 1 else place(net, cfg, block)
        columns = net.gather(data, row, axis=1, name="columns")
        if gradient is None:
            slope = block_gradient(net, cfg, columns, residual, column)
        else:
            slope = net.gather(gradient, block, name="slope")
        moved = net.gather(x, block, name="moving") - step(net, cfg, bound(net, cfg, columns, column), slope)
        x = net.scatter(moved, block, x, name="moved")
    net.output(x)


def residuals(net: Tracer, cfg: BlockCoordinateDescent, data: Value, targets: Value, x: Value) -> Value:
    """The derivative of the loss by A x, [samples, classes]; the data are read once, row by row."""
    unknowns = net.transpose(net.reshape(x, cfg.features, cfg.classes))
    predicted = net.transpose(net.linear_with(unknowns, net.transpose(data), name="predictions"))
    if cfg.loss == "squares":
        return net.sub(predicted, targets, name="residual")
    if cfg.loss == "logistic":
        return net.sigmoid(predicted * targets * -1.0) * targets * -1.0
    return net.sub(net.softmax(predicted), targets, name="residual")


def full_gradient(net: Tracer, data: Value, residual: Value) -> Value:
    """A^T r, one row for each coordinate."""
    gradient = net.linear_with(net.transpose(residual), data, name="gradient")
    return net.reshape(net.transpose(gradient), -1, 1)


def scores(net: Tracer, gradient: Value, lipschitz: Value | None) -> Value:
    """How much each coordinate promises."""
    size = net.unary("abs", gradient, name="size")
    return size if lipschitz is None else net.div(size, lipschitz, name="score")


def place(net: Tracer, cfg: BlockCoordinateDescent, block: Value) -> tuple[Value, Value]:
    """Feature and class of each coordinate of a block: quotient and remainder."""
    feature = net.div(block, cfg.classes, name="feature")
    return feature, net.sub(block, feature * cfg.classes, name="class")


def block_gradient(
    net: Tracer, cfg: BlockCoordinateDescent, columns: Value, residual: Value, column: Value | None
) -> Value:
    """A_b^T r, in which each coordinate meets the residual of its class alone: [block, 1]."""
    if column is None:
        return net.matmul(net.transpose(columns), residual, name="slope")
    chosen = net.gather(residual, column, axis=1, name="chosen_residual")
    products = net.reshape(net.transpose(columns), cfg.block, 1, -1)
    return net.reshape(net.matmul(products, net.reshape(net.transpose(chosen), cfg.block, -1, 1), name="slope"), -1, 1)


def bound(net: Tracer, cfg: BlockCoordinateDescent, columns: Value, column: Value | None) -> Value:
    """An upper bound of the Hessian of a block: A_b^T A_b, times 1/4 or what the classes share, [block, block]."""
    gram = net.matmul(net.transpose(columns), columns, name="gram")
    if column is None:
        return gram if cfg.loss == "squares" else gram * 0.25
    same = net.binary("compare", net.reshape(column, -1, 1), net.reshape(column, 1, -1), name="same_class")
    return gram * net.sub(same, 1 / cfg.classes) * 0.5


def step(net: Tracer, cfg: BlockCoordinateDescent, hessian: Value, slope: Value) -> Value:
    """How far the coordinates move against their slope."""
    if cfg.update == "lb":
        return slope / net.reduce("max", net.eigenvalues(hessian), keep=True)
    factor = net.cholesky(hessian)
    halfway = net.triangular_solve(factor, slope)
    return net.triangular_solve(net.transpose(factor), halfway)
