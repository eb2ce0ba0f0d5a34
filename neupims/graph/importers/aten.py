"""Operators of torch (aten) in the words of the tracer, by a table. Arguments are those of aten, in its order."""

from collections.abc import Mapping

from neupims.graph.importers.assembly import broadcast_to
from neupims.graph.importers.aten_call import Call, Handler, Results
from neupims.graph.operator import Attribute
from neupims.graph.tracing.regions import Value


def _unary(kind: str) -> Handler:
    return lambda call: call.net.unary(kind, call.x)


def _binary(kind: str) -> Handler:
    return lambda call: call.net.any_binary(kind, call.get(0, "input"), call.get(1, "other", 0.0))


def _same(call: Call) -> Results:
    return call.x


def _linear(call: Call) -> Results:
    return call.net.linear_with(call.x, call.net.turned(call.arguments[1]), call.get(2, "bias"))


def _product(call: Call) -> Results:
    return call.net.product(call.x, call.arguments[1])


def _add_product(call: Call) -> Results:
    bias, x, weight = call.arguments[:3]
    if weight.tensor.role == "activation":
        return call.net.any_binary("add", call.net.product(x, weight), bias)
    return call.net.linear_with(x, weight, bias)


def _conv(call: Call) -> Results:
    if call.name == "convolution" and call.get(6, "transposed", False):
        raise TypeError("transposed convolutions are known as conv_transpose only")
    padding = call.get(4, "padding", 0)
    if isinstance(padding, str):
        raise TypeError(f"padding '{padding}' is not known; give it in numbers")
    groups = call.get(8 if call.name == "convolution" else 6, "groups", 1)
    window: dict[str, Attribute] = {
        "stride": call.pair(3, "stride", 1),
        "dilation": call.pair(5, "dilation", 1),
        "groups": groups,
    }
    weights = [value for value in (call.arguments[1], call.get(2, "bias")) if value is not None]
    return call.net.convolved(call.x, weights, call.pair(4, "padding", 0) * 2, window)


def _conv_transposed(call: Call) -> Results:
    window: dict[str, Attribute] = {
        "stride": call.pair(3, "stride", 1),
        "padding": call.pair(4, "padding", 0),
        "output_padding": call.pair(5, "output_padding", 0),
        "groups": call.get(6, "groups", 1),
        "dilation": call.pair(7, "dilation", 1),
    }
    weights = [value for value in (call.arguments[1], call.get(2, "bias")) if value is not None]
    name = call.net.named(None, "conv_transposed")
    return call.net.apply("conv_transposed", name, (call.x,), weights=weights, attributes=window)


def _norm(kind: str, first: int, groups: int | None = None) -> Handler:
    def handler(call: Call) -> Results:
        weights = [call.get(index, "weight" if index == first else "bias") for index in (first, first + 1)]
        given = [weight for weight in weights if isinstance(weight, Value)]
        attributes: dict[str, Attribute] = {} if groups is None else {"groups": call.arguments[groups]}
        return call.net.apply(kind, call.net.named(None, kind), (call.x,), weights=given, attributes=attributes)

    return handler


def _attention(call: Call) -> Results:
    """softmax(q k^T + mask) v; heads of q that share keys and values are rows of one product."""
    net, (q, k, v) = call.net, call.arguments[:3]
    shape, grouped = (*q.shape[:-1], k.shape[-2]), q.shape[:-1]
    if q.shape[:-2] != k.shape[:-2]:
        grouped = (*q.shape[:-3], k.shape[-3], q.shape[-3] // k.shape[-3] * q.shape[-2])
    scores = net.reshape(net.product(net.reshape(q, *grouped, q.shape[-1]), net.turned(k)), *shape)
    if (mask := call.get(3, "attn_mask")) is not None:
        scores = net.any_binary("add", scores, mask)
    mixed = net.product(net.reshape(net.softmax(scores), *grouped, k.shape[-2]), v)
    return net.reshape(mixed, *call.shape)


def _softmax(call: Call) -> Results:
    return call.net.softmax(call.x)


def _embedding(call: Call) -> Results:
    return call.net.looked_up(call.x, 0, call.arguments[1])


def _index(call: Call) -> Results:
    """Indices [...] of one axis; None stands for each axis before it that is kept."""
    given = [(axis, indices) for axis, indices in enumerate(call.arguments[1]) if indices is not None]
    if len(given) != 1:
        raise TypeError("indices of several axes at once are not known")
    return call.net.looked_up(call.x, *given[0])


def _index_select(call: Call) -> Results:
    return call.net.looked_up(call.x, call.arguments[1], call.arguments[2])


def _view(call: Call) -> Results:
    return call.net.reshape(call.x, *call.shape)


def _expand(call: Call) -> Results:
    return broadcast_to(call.net, call.x, call.shape)


def _repeat(call: Call) -> Results:
    whole = call.net.reshape(call.x, *(1,) * (len(call.shape) - len(call.x.shape)), *call.x.shape)
    return call.net.expand(whole, *call.shape)


def _permute(call: Call) -> Results:
    return call.net.permute(call.x, *(axis % len(call.x.shape) for axis in call.arguments[1]))


def _transpose(call: Call) -> Results:
    axes = list(range(len(call.x.shape)))
    first, second = call.arguments[1:3] if len(call.arguments) > 2 else (0, -1)
    axes[first], axes[second] = axes[second], axes[first]
    return call.net.permute(call.x, *axes)


def _slice(call: Call) -> Results:
    axis, start, stop, step = (call.get(i, "", default) for i, default in ((1, 0), (2, 0), (3, 1 << 62), (4, 1)))
    return call.net.sliced(call.x, axis, start, stop, step)


def _select(call: Call) -> Results:
    axis = call.number(1, "dim") % len(call.x.shape)
    place = call.number(2, "index") % call.x.shape[axis]
    return call.net.reshape(call.net.sliced(call.x, axis, place, place + 1), *call.shape)


def _parts(call: Call) -> Results:
    """split, split_with_sizes and chunk."""
    axis, given = call.number(2, "dim"), call.arguments[1]
    if not isinstance(given, int):
        return call.net.split_at(call.x, *given, axis=axis)
    size = call.x.shape[axis]
    part = -(-size // given) if call.name == "chunk" else given
    sizes = [min(part, size - start) for start in range(0, size, part)]
    return call.net.split_at(call.x, *sizes, axis=axis)


def _unbind(call: Call) -> Results:
    axis = call.number(1, "dim")
    parts = call.net.split_at(call.x, *(1,) * call.x.shape[axis], axis=axis)
    return [call.net.dropped(part, axis) for part in parts]


def _join(call: Call) -> Results:
    """cat and stack."""
    values, axis = call.arguments[0], call.get(1, "dim", 0)
    if call.name == "stack":
        axis %= len(call.shape)
        values = [call.net.reshape(x, *x.shape[:axis], 1, *x.shape[axis:]) for x in values]
    return call.net.concat(*values, axis=axis)


def _pad(call: Call) -> Results:
    x, pads = call.x, list(call.arguments[1])
    for index in range(len(pads) // 2):
        before, after = pads[2 * index : 2 * index + 2]
        x = call.net.pad(x, before, after, axis=len(x.shape) - 1 - index) if before or after else x
    return x


def _roll(call: Call) -> Results:
    x = call.x
    for shift, axis in zip(call.arguments[1], call.get(2, "dims", [-1]), strict=True):
        x = call.net.roll(x, shift, axis=axis)
    return x


def _reduce(kind: str) -> Handler:
    def handler(call: Call) -> Results:
        given = call.get(1, "dim", [])
        axes = [given] if isinstance(given, int) else given
        return call.net.reshape(call.net.reduced(kind, call.x, axes, keep=False), *call.shape or (1,))

    return handler


def _argmax(call: Call) -> Results:
    axis = call.get(1, "dim", -1) % len(call.x.shape)
    rest = [other for other in range(len(call.x.shape)) if other != axis]
    return call.net.reshape(call.net.argmax(call.net.permute(call.x, *rest, axis)), *call.shape)


def _top_k(call: Call) -> Results:
    indices = call.net.top_k(call.x, call.arguments[1])
    values = call.net.gather_rows(call.net.reshape(call.x, *call.x.shape, 1), indices)
    return [call.net.dropped(values, -1), indices]


def _pool(kind: str) -> Handler:
    def handler(call: Call) -> Results:
        kernel = call.pair(1, "kernel_size", 1)
        ceil = call.get(5 if kind == "max_pool" else 4, "ceil_mode", False)
        stride = call.get(2, "stride", [])
        window: dict[str, Attribute] = {"kernel": kernel, "ceil": bool(ceil)}
        window["stride"] = call.pair(2, "stride", 1) if stride else kernel
        return call.net.pooled(kind, call.x, call.pair(3, "padding", 0) * 2, window)

    return handler


def _adaptive_pool(call: Call) -> Results:
    """Windows of one size; sizes of results must divide those of the input."""
    axes = call.shape[2:]
    if any(old % new for old, new in zip(call.x.shape[2:], axes, strict=True)):
        raise TypeError(f"space {call.x.shape[2:]} does not divide into {axes} windows")
    kernel = tuple(old // new for old, new in zip(call.x.shape[2:], axes, strict=True))
    return call.net.pooled(
        "avg_pool", call.x, (0,) * 2 * len(axes), {"kernel": kernel, "stride": kernel, "ceil": False}
    )


def _interpolate(mode: str) -> Handler:
    return lambda call: call.net.interpolate(call.x, *call.shape[2:], mode=mode)


def _masked_fill(call: Call) -> Results:
    return call.net.any_binary("where", call.x, call.arguments[1])


UNARY = {
    **{name: name for name in ("gelu", "silu", "relu", "sigmoid", "tanh", "softplus", "elu", "exp", "log", "sqrt")},
    **{name: name for name in ("rsqrt", "reciprocal", "abs", "neg", "sign", "sin", "cos", "erf", "round", "square")},
    **{"leaky_relu": "leaky_relu", "relu6": "relu6", "clamp": "clip", "clamp_min": "clip", "hardtanh": "clip"},
    **{"hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid", "floor": "round", "ceil": "round"},
    "logical_not": "neg",
}
BINARY = {
    **{"add": "add", "sub": "sub", "rsub": "sub", "mul": "mul", "div": "div", "pow": "power"},
    **{"maximum": "maximum", "minimum": "minimum"},
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or"), "compare"),
}
FREE = ("dropout", "contiguous", "clone", "to", "_to_copy", "alias", "detach", "lift_fresh_copy", "type_as", "float")
VIEWS = ("view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "flatten", "unflatten")

HANDLERS: Mapping[str, Handler] = {
    **{name: _unary(kind) for name, kind in UNARY.items()},
    **{name: _binary(kind) for name, kind in BINARY.items()},
    **dict.fromkeys(FREE, _same),
    **dict.fromkeys(VIEWS, _view),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv_transposed),
    **dict.fromkeys(("matmul", "mm", "bmm"), _product),
    **dict.fromkeys(("softmax", "_softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("transpose", "t", "numpy_T"), _transpose),
    **dict.fromkeys(("split", "split_with_sizes", "chunk"), _parts),
    **dict.fromkeys(("cat", "concat", "stack"), _join),
    **{name: _reduce(kind) for name, kind in {"mean": "mean", "sum": "sum", "amax": "max", "var": "variance"}.items()},
    **{f"max_pool{n}d": _pool("max_pool") for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _pool("avg_pool") for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": _adaptive_pool for n in (1, 2, 3)},
    "upsample_nearest2d": _interpolate("nearest"),
    "upsample_bilinear2d": _interpolate("bilinear"),
    "linear": _linear,
    "addmm": _add_product,
    "layer_norm": _norm("layer_norm", 2),
    "rms_norm": _norm("rms_norm", 2),
    "group_norm": _norm("group_norm", 2, groups=1),
    "batch_norm": _norm("batch_norm", 1),
    "scaled_dot_product_attention": _attention,
    "embedding": _embedding,
    "index": _index,
    "index_select": _index_select,
    "expand": _expand,
    "repeat": _repeat,
    "permute": _permute,
    "slice": _slice,
    "select": _select,
    "unbind": _unbind,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "roll": _roll,
    "argmax": _argmax,
    "topk": _top_k,
    "cumsum": lambda call: call.net.cumsum(call.x, axis=call.arguments[1]),
    "masked_fill": _masked_fill,
    "where": lambda call: call.net.any_binary("where", *call.arguments),
}
"""By the name of the operator without its overload. Copies, casts and dropout are free: the same tensor."""
