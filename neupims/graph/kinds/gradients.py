"""Operations of gradients that are element-wise work: the kind `gradient`, with what it is the gradient of.

Attributes: `of`, a key of GRADIENT_OPS, the forward kind and, unless it is its first input, the operand; `shape` of the
gradient. Inputs: the gradient of the result, and what of the forward pass is needed.
"""

from neupims.graph.operator import Operator

GRADIENT_OPS = {
    "gelu": 18,  # (1 + t) / 2 + x (1 - t^2) c (1 + 3 k x^2) / 2 with t = tanh(c (x + k x^3)), times dy
    "quick_gelu": 10,  # s (1 + 1.702 x (1 - s)) dy, and s again
    "silu": 9,  # s (1 + x (1 - s)) dy, and s again
    "sigmoid": 3,  # y (1 - y) dy
    "tanh": 3,  # (1 - y^2) dy
    "relu": 1,  # dy where y > 0
    "relu6": 2,
    "leaky_relu": 2,
    "elu": 3,  # (y + 1) dy where y < 0
    "softplus": 5,  # sigmoid(x) dy
    "hard_swish": 4,
    "hard_sigmoid": 2,
    "exp": 1,  # y dy
    "log": 1,  # dy / x
    "sqrt": 2,  # dy / 2 y
    "rsqrt": 4,  # -y^3 dy / 2
    "reciprocal": 3,  # -y^2 dy
    "square": 2,  # 2 x dy
    "abs": 2,  # sign(x) dy
    "sin": 2,
    "cos": 3,
    "erf": 4,  # c exp(-x^2) dy
    "clip": 2,
    "softmax": 4,  # (dy - sum(y dy)) y
    "layer_norm": 10,  # n again (2), g dy, its mean, g dy n, its mean, that times n, 2 differences, times 1 / deviation
    "layer_norm.weight": 4,  # sum of n dy, and n again
    "rms_norm": 7,  # n again, g dy, g dy n, its mean, that times n, difference, times 1 / root
    "rms_norm.weight": 3,
    "group_norm": 10,
    "group_norm.weight": 4,
    "batch_norm": 10,  # as a layer norm, over the batch
    "batch_norm.weight": 4,
    "rotary": 3,  # turned back
    "cumsum": 1,
    "mean": 1,
    "sum": 0,  # a copy for each element
    "max": 1,
    "min": 1,
    "variance": 3,
    "div.1": 3,  # -y dy / b
    "maximum": 2,
    "maximum.1": 2,
    "minimum": 2,
    "minimum.1": 2,
    "where": 1,
    "where.1": 1,
    "power": 3,  # b x^(b - 1) dy
    "power.1": 3,  # y log(x) dy
    "avg_pool": 1,  # of each window, whose size comes on top
    "max_pool": 1,
    "interpolate": 1,  # of each result, for each neighbour
    "embedding.table": 1,  # rows added where they were taken
    "gather": 1,
    "last": 1,
    "scatter": 1,
    "repeat": 1,
    "expert_bias": 1,
    "scan": 1,
}
"""Operations for each element of the larger of the two: gradient of the result, gradient of the operand."""


def gradient_ops(op: Operator) -> int:
    """GRADIENT_OPS for each element; with attribute `each`, for so many of each element of the gradient of a result."""
    attributes, elements = dict(op.attributes), op.inputs[0].elements
    elements = elements * op.number("each") if "each" in attributes else max(elements, op.outputs[0].elements)
    return GRADIENT_OPS[str(attributes["of"])] * elements
