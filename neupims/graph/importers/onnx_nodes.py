"""ONNX operators in the words of the tracer, by a table."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from neupims.graph.importers import onnx_views as views
from neupims.graph.importers.assembly import Assembler
from neupims.graph.importers.onnx_node import Handler, Node, Results
from neupims.graph.operator import Attribute
from neupims.graph.tracing.regions import Value


def _unary(kind: str) -> Handler:
    return lambda net, node: [net.unary(kind, node.value(net, 0))]


def _binary(kind: str) -> Handler:
    def handler(net: Assembler, node: Node) -> Results:
        result, *rest = (node.given(net, index) for index in range(len(node.inputs)))
        for operand in rest:
            result = net.any_binary(kind, result, operand)
        return [cast("Value", result)]

    return handler


def _where(net: Assembler, node: Node) -> Results:
    return [net.any_binary("where", *(node.given(net, index) for index in range(3)))]


def _same(net: Assembler, node: Node) -> Results:
    return [node.value(net, 0)]


def _matmul(net: Assembler, node: Node) -> Results:
    return [net.product(node.value(net, 0), node.value(net, 1))]


def _gemm(net: Assembler, node: Node) -> Results:
    a, b = node.value(net, 0), node.value(net, 1)
    a = net.turned(a) if node.attributes.get("transA") else a
    b = net.turned(b) if node.attributes.get("transB") else b
    if b.tensor.role == "activation":
        result = net.product(a, b)
        return [net.any_binary("add", result, node.given(net, 2))] if len(node.inputs) > 2 else [result]
    bias = node.value(net, 2) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    return [net.linear_with(a, b, bias)]


def _conv(net: Assembler, node: Node) -> Results:
    x, weight = node.value(net, 0), node.value(net, 1)
    weights = [node.value(net, index) for index in range(1, len(node.inputs)) if node.inputs[index] is not None]
    pads, window = _window(node, x, weight.shape[2:])
    return [net.convolved(x, weights, pads, {**window, "groups": int(node.attributes.get("group", 1))})]


def _conv_transposed(net: Assembler, node: Node) -> Results:
    x, weight = node.value(net, 0), node.value(net, 1)
    axes = len(x.shape) - 2
    pads, window = _window(node, x, weight.shape[2:])
    if pads[:axes] != pads[axes:]:
        raise TypeError(f"padding {pads} differs before and behind")
    attributes: dict[str, Attribute] = {
        **window,
        "padding": pads[:axes],
        "groups": int(node.attributes.get("group", 1)),
        "output_padding": tuple(node.attributes.get("output_padding", (0,) * axes)),
    }
    weights = [node.value(net, index) for index in range(1, len(node.inputs))]
    return [
        net.apply("conv_transposed", net.named(None, "conv_transposed"), (x,), weights=weights, attributes=attributes)
    ]


def _pool(kind: str) -> Handler:
    def handler(net: Assembler, node: Node) -> Results:
        x, kernel = node.value(net, 0), tuple(node.attributes["kernel_shape"])
        pads, window = _window(node, x, kernel)
        del window["dilation"]
        more = {"kernel": kernel, "ceil": bool(node.attributes.get("ceil_mode", 0))}
        return [net.pooled(kind, x, pads, {**window, **more})]

    return handler


def _window(node: Node, x: Value, kernel: Sequence[int]) -> tuple[tuple[int, ...], dict[str, Attribute]]:
    axes = len(x.shape) - 2
    strides = tuple(node.attributes.get("strides", (1,) * axes))
    dilations = tuple(node.attributes.get("dilations", (1,) * axes))
    auto = node.attributes.get("auto_pad", "NOTSET")
    pads = tuple(node.attributes.get("pads", (0,) * 2 * axes))
    if auto.startswith("SAME"):
        spans = [dilation * (size - 1) + 1 for size, dilation in zip(kernel, dilations, strict=True)]
        short = [max(0, (-(-n // s) - 1) * s + k - n) for n, s, k in zip(x.shape[2:], strides, spans, strict=True)]
        small, large = tuple(n // 2 for n in short), tuple(n - n // 2 for n in short)
        pads = (*small, *large) if auto == "SAME_UPPER" else (*large, *small)
    return pads, {"stride": strides, "dilation": dilations}


def _global_pool(kind: str) -> Handler:
    def handler(net: Assembler, node: Node) -> Results:
        x = node.value(net, 0)
        return [net.reduced(kind, x, range(2, len(x.shape)), keep=True)]

    return handler


def _norm(kind: str) -> Handler:
    def handler(net: Assembler, node: Node) -> Results:
        x, groups = node.value(net, 0), node.attributes.get("num_groups")
        if int(node.attributes.get("axis", -1)) % len(x.shape) != len(x.shape) - 1:
            raise TypeError("only the last axis can be normalised")
        weights = [node.value(net, index) for index in (1, 2) if index < len(node.inputs)]
        attributes: dict[str, Attribute] = {} if groups is None else {"groups": int(groups)}
        attributes |= {"groups": x.shape[1]} if node.op == "InstanceNormalization" else {}
        return [net.apply(kind, net.named(None, kind), (x,), weights=weights, attributes=attributes)]

    return handler


def _reduce(kind: str) -> Handler:
    def handler(net: Assembler, node: Node) -> Results:
        axes, keep = node.integers(1, "axes"), bool(node.attributes.get("keepdims", 1))
        if axes is None and node.attributes.get("noop_with_empty_axes"):
            return _same(net, node)
        return [net.reduced(kind, node.value(net, 0), axes or (), keep)]

    return handler


def _softmax(net: Assembler, node: Node) -> Results:
    return [net.softmax(node.value(net, 0))]


def _resize(net: Assembler, node: Node) -> Results:
    x = node.value(net, 0)
    scales, sizes = node.array(len(node.inputs) - 1 if node.op == "Upsample" else 2), node.integers(3)
    if sizes is None:
        factors = np.ones(len(x.shape)) if scales is None else scales
        sizes = tuple(int(np.floor(n * factor)) for n, factor in zip(x.shape, factors, strict=True))
    mode = node.attributes.get("mode", "nearest")
    names = {"linear": ("linear", "bilinear", "trilinear")[len(x.shape) - 3], "cubic": "bicubic"}
    return [net.interpolate(x, *sizes[2:], mode=str(names.get(mode, mode)))]


def _argmax(net: Assembler, node: Node) -> Results:
    x, axis = node.value(net, 0), int(node.attributes.get("axis", 0))
    axis %= len(x.shape)
    rest = [other for other in range(len(x.shape)) if other != axis]
    result = net.argmax(net.permute(x, *rest, axis))
    shape = [1 if other == axis else size for other, size in enumerate(x.shape)]
    return [net.reshape(result, *shape) if node.attributes.get("keepdims", 1) else result]


def _top_k(net: Assembler, node: Node) -> Results:
    x, k = node.value(net, 0), node.integers(1, "k") or (1,)
    indices = net.top_k(x, k[0])
    return [net.dropped(net.gather_rows(net.reshape(x, *x.shape, 1), indices), -1), indices]


def _cumsum(net: Assembler, node: Node) -> Results:
    return [net.cumsum(node.value(net, 0), axis=(node.integers(1) or (-1,))[0])]


UNARY = {
    **{name: name.lower() for name in ("Relu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Reciprocal", "Neg", "Abs")},
    **{name: name.lower() for name in ("Erf", "Sin", "Cos", "Softplus", "Elu", "Gelu", "Sign", "Round", "Clip")},
    "LeakyRelu": "leaky_relu",
    "PRelu": "leaky_relu",
    "HardSwish": "hard_swish",
    "HardSigmoid": "hard_sigmoid",
    "Floor": "round",
    "Ceil": "round",
    "Not": "neg",
}
BINARY = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Pow": "power",
    "Max": "maximum",
    "Min": "minimum",
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"), "compare"),
}
NORMS = {
    "LayerNormalization": "layer_norm",
    "RMSNormalization": "rms_norm",
    "SimplifiedLayerNormalization": "rms_norm",
    "BatchNormalization": "batch_norm",
    "GroupNormalization": "group_norm",
    "InstanceNormalization": "group_norm",
}
REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min"}

HANDLERS: Mapping[str, Handler] = {
    **{op: _unary(kind) for op, kind in UNARY.items()},
    **{op: _binary(kind) for op, kind in BINARY.items()},
    **{op: _norm(kind) for op, kind in NORMS.items()},
    **{op: _reduce(kind) for op, kind in REDUCTIONS.items()},
    **dict.fromkeys(("Identity", "Dropout", "Cast", "CastLike"), _same),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Where": _where,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transposed,
    "AveragePool": _pool("avg_pool"),
    "MaxPool": _pool("max_pool"),
    "GlobalAveragePool": _global_pool("mean"),
    "GlobalMaxPool": _global_pool("max"),
    "Reshape": views.reshape,
    "Flatten": views.flatten,
    "Squeeze": views.squeeze,
    "Unsqueeze": views.unsqueeze,
    "Transpose": views.transpose,
    "Slice": views.slice,
    "Split": views.split,
    "Concat": views.concat,
    "Expand": views.expand,
    "Tile": views.tile,
    "Pad": views.pad,
    "Gather": views.gather,
    "GatherElements": views.gather_elements,
    "Resize": _resize,
    "Upsample": _resize,
    "ArgMax": _argmax,
    "TopK": _top_k,
    "CumSum": _cumsum,
}
"""Casts, dropout and identities are free: the same tensor."""
