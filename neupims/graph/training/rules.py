"""How the gradient of a result becomes gradients of operands, for each kind of operator."""

from collections.abc import Callable
from math import prod

from neupims.errors import ModelError
from neupims.graph.kinds.window import INTERPOLATION_OPS
from neupims.graph.operator import Attribute, Operator
from neupims.graph.tensor import Tensor
from neupims.graph.training import products
from neupims.graph.training.tape import Tape
from neupims.graph.training.views import reshaped, sliced

Rule = Callable[[Tape, Operator, Tensor], None]
"""Gives the operands of an operator their gradients, from the one of its result."""

FROM_INPUT = (
    *("gelu", "quick_gelu", "silu", "softplus", "leaky_relu", "hard_swish", "hard_sigmoid", "log", "square", "abs"),
    *("sin", "cos", "erf", "clip", "relu6", "variance", "max_pool"),
)
"""Gradients that need the input."""

FROM_RESULT = ("sigmoid", "tanh", "relu", "elu", "exp", "sqrt", "rsqrt", "reciprocal", "softmax")
"""Gradients that need the result."""

FROM_NOTHING = ("mean", "sum", "cumsum", "last", "repeat", "interpolate", "avg_pool")
"""Gradients that need nothing of the forward pass."""

WITH_INDICES = ("rotary", "gather")
"""Gradients that need the positions or indices, the second input."""


def apply_rule(tape: Tape, op: Operator, dy: Tensor) -> None:
    """Write the gradients of an operator; ModelError if its kind has none, or if it reads a state."""
    rule = RULES.get(op.kind)
    if rule is None:
        raise ModelError(
            f"'{op.name}': {op.kind} has no gradient, but lies between what is trained and the loss; train only what "
            f"comes after it, or detach its result; kinds with a gradient: {', '.join(sorted(RULES))}"
        )
    if op.states:
        raise ModelError(f"'{op.name}': no gradient goes through the state '{op.states[0].name}'; take it as an input")
    rule(tape, op, dy)


def gradient(tape: Tape, op: Operator, dy: Tensor, operand: Tensor, suffix: str, reads: tuple[Tensor, ...]) -> None:
    """Give an operand the gradient of kind `gradient`, which reads dy and `reads`; suffix: '' for the first input."""
    if not tape.wants(operand):
        return
    attributes: dict[str, Attribute] = {"of": f"{op.kind}{suffix}", "shape": operand.shape, **_each(op)}
    fixed = tuple(tensor for tensor in reads if tensor.role in products.FIXED and tensor.element != "int32")
    inputs = (dy, *(tensor for tensor in reads if tensor not in fixed))
    name = f"{op.name}.grad_{suffix.removeprefix('.') or 'input'}"
    tape.give(operand, tape.emit("gradient", name, inputs, weights=fixed, attributes=attributes))


def _each(op: Operator) -> dict[str, Attribute]:
    attributes = dict(op.attributes)
    if op.kind in ("avg_pool", "max_pool"):
        return {"each": prod(op.numbers("kernel"))}
    return {"each": max(1, INTERPOLATION_OPS[str(attributes["mode"])])} if op.kind == "interpolate" else {}


def _from_input(tape: Tape, op: Operator, dy: Tensor) -> None:
    gradient(tape, op, dy, op.inputs[0], "", (op.inputs[0],))


def _from_result(tape: Tape, op: Operator, dy: Tensor) -> None:
    gradient(tape, op, dy, op.inputs[0], "", (op.outputs[0],))


def _from_both(tape: Tape, op: Operator, dy: Tensor) -> None:
    gradient(tape, op, dy, op.inputs[0], "", (op.inputs[0], op.outputs[0]))


def _from_nothing(tape: Tape, op: Operator, dy: Tensor) -> None:
    gradient(tape, op, dy, op.inputs[0], "", ())


def _with_indices(tape: Tape, op: Operator, dy: Tensor) -> None:
    gradient(tape, op, dy, op.inputs[0], "", (op.inputs[1],))


def _norm(tape: Tape, op: Operator, dy: Tensor) -> None:
    x, scales = op.inputs[0], op.weights[:1]
    gradient(tape, op, dy, x, "", (x, *scales))
    for scale in scales:
        gradient(tape, op, dy, scale, ".weight", (x,))
    for shift in op.weights[1:]:
        if tape.wants(shift):
            axes = 0 if op.kind == "layer_norm" else len(dy.shape) - 2
            summed = tape.summed_to(f"{op.name}.grad_bias", dy, (*shift.shape, *(1,) * axes))
            tape.give(shift, reshaped(summed, shift.shape))


def _operands(op: Operator) -> tuple[Tensor, ...]:
    return (*op.inputs, *op.weights)


def _add(tape: Tape, op: Operator, dy: Tensor) -> None:
    for operand in _operands(op):
        tape.give(operand, dy)


def _sub(tape: Tape, op: Operator, dy: Tensor) -> None:
    first, *second = _operands(op)
    tape.give(first, dy)
    for operand in second:
        if tape.wants(operand):
            tape.give(operand, tape.emit("neg", f"{op.name}.grad_other", (dy,)))


def _neg(tape: Tape, op: Operator, dy: Tensor) -> None:
    tape.give(op.inputs[0], tape.emit("neg", f"{op.name}.grad_input", (dy,)))


def _mul(tape: Tape, op: Operator, dy: Tensor) -> None:
    operands = _operands(op)
    if len(operands) == 1:
        _scaled(tape, op, dy)
        return
    for operand, other in (operands, operands[::-1]):
        if tape.wants(operand):
            _times(tape, op, "mul", dy, operand, other)


def _div(tape: Tape, op: Operator, dy: Tensor) -> None:
    operands = _operands(op)
    if len(operands) == 1:
        _scaled(tape, op, dy)
        return
    if tape.wants(operands[0]):
        _times(tape, op, "div", dy, *operands)
    gradient(tape, op, dy, operands[1], ".1", (operands[1], op.outputs[0]))


def _scaled(tape: Tape, op: Operator, dy: Tensor) -> None:
    how = dict(op.attributes)
    tape.give(op.inputs[0], tape.emit(op.kind, f"{op.name}.grad_input", (dy,), attributes=how))


def _times(tape: Tape, op: Operator, kind: str, dy: Tensor, operand: Tensor, other: Tensor) -> None:
    fixed = (other,) if other.role in products.FIXED else ()
    name = f"{op.name}.grad_{'input' if operand == _operands(op)[0] else 'other'}"
    tape.give(operand, tape.emit(kind, name, (dy,) if fixed else (dy, other), weights=fixed))


def _choice(tape: Tape, op: Operator, dy: Tensor) -> None:
    operands = _operands(op)
    for index, operand in enumerate(operands[:2]):
        gradient(tape, op, dy, operand, f".{index}" if index else "", operands)


def _concat(tape: Tape, op: Operator, dy: Tensor) -> None:
    axis, start = op.number("axis") % len(dy.shape), 0
    for operand in op.inputs:
        stop = start + operand.shape[axis]
        tape.give(operand, sliced(dy, axis, start, stop))
        start = stop


def _pad(tape: Tape, op: Operator, dy: Tensor) -> None:
    axis, before, x = op.number("axis") % len(dy.shape), op.number("before"), op.inputs[0]
    tape.give(x, sliced(dy, axis, before, before + x.shape[axis]))


def _copy(tape: Tape, op: Operator, dy: Tensor) -> None:
    tape.give(op.inputs[0], dy)


def _roll(tape: Tape, op: Operator, dy: Tensor) -> None:
    back = {**dict(op.attributes), "shift": -op.number("shift")}
    tape.give(op.inputs[0], tape.emit("roll", f"{op.name}.grad_input", (dy,), attributes=back))


def _scatter(tape: Tape, op: Operator, dy: Tensor) -> None:
    x, chosen, base = op.inputs
    gradient(tape, op, dy, x, "", (chosen,))
    tape.give(base, dy)


def _embedding(tape: Tape, op: Operator, dy: Tensor) -> None:
    gradient(tape, op, dy, op.weights[0], ".table", op.inputs)


def _fft(tape: Tape, op: Operator, dy: Tensor) -> None:
    back = {**dict(op.attributes), "inverse": not dict(op.attributes)["inverse"]}
    tape.give(op.inputs[0], tape.emit("fft", f"{op.name}.grad_input", (dy,), attributes=back))


def _message_passing(tape: Tape, op: Operator, dy: Tensor) -> None:
    x, edges, *weights = op.inputs
    if tape.wants(x):
        back: dict[str, Attribute] = {"nodes": x.shape[0]}
        tape.give(x, tape.emit(op.kind, f"{op.name}.grad_input", (dy, edges, *weights), attributes=back))
    for weight in weights:
        if tape.wants(weight):
            each: dict[str, Attribute] = {"shape": weight.shape}
            tape.give(weight, tape.emit("edge_gradient", f"{op.name}.grad_weights", (dy, x, edges), attributes=each))


def _scan(tape: Tape, op: Operator, dy: Tensor) -> None:
    factors, terms = op.inputs
    back = tape.emit("scan", f"{op.name}.grad_terms", (factors, dy), attributes=dict(op.attributes))
    tape.give(terms, back)
    gradient(tape, op, back, factors, "", (op.outputs[0],))


def _selective_scan(tape: Tape, op: Operator, dy: Tensor) -> None:
    name = tape.emit("selective_scan_gradient", f"{op.name}.grad", (*op.inputs, dy), weights=op.weights).name
    for index, operand in enumerate((*op.inputs, *op.weights)):
        tape.give(operand, tape.made[f"{name.rpartition('.')[0]}.{index}"])


RULES: dict[str, Rule] = {
    **dict.fromkeys(FROM_INPUT, _from_input),
    **dict.fromkeys(FROM_RESULT, _from_result),
    **dict.fromkeys(FROM_NOTHING, _from_nothing),
    **dict.fromkeys(WITH_INDICES, _with_indices),
    **dict.fromkeys(("layer_norm", "rms_norm", "group_norm", "batch_norm"), _norm),
    **dict.fromkeys(("max", "min"), _from_both),
    **dict.fromkeys(("maximum", "minimum", "where", "power"), _choice),
    **dict.fromkeys(("conv", "conv_transposed"), products.conv),
    **dict.fromkeys(("logit", "attend"), products.attention_product),
    "linear": products.linear,
    "matmul": products.matmul,
    "expert_linear": products.expert_linear,
    "causal_conv": products.causal_conv,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "copy": _copy,
    "concat": _concat,
    "pad": _pad,
    "roll": _roll,
    "scatter": _scatter,
    "embedding": _embedding,
    "fft": _fft,
    "message_passing": _message_passing,
    "scan": _scan,
    "selective_scan": _selective_scan,
}
