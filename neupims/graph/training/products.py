"""Gradients of matrix products, convolutions and attention: matrix products again."""

from math import prod

from neupims.graph.operator import Attribute, Operator
from neupims.graph.tensor import Tensor
from neupims.graph.training.tape import Tape
from neupims.graph.training.views import part_of, reshaped, rows, sliced, turned

FIXED = ("weight", "constant")


def linear(tape: Tape, op: Operator, dy: Tensor) -> None:
    """dX = dY W^T; dW = X^T dY, of what is trained of W alone; db = sum of dY."""
    x, weight = op.inputs[0], op.weights[0]
    if tape.wants(x):
        tape.give(x, tape.emit("linear", f"{op.name}.grad_input", (dy,), weights=(turned(weight),)))
    if tape.wants(weight):
        target, x, dy_part = _trained_part(tape, weight, rows(x), rows(dy))
        tape.give(target, tape.emit("matmul", f"{op.name}.grad_weight", (turned(x), dy_part)))
    _bias(tape, op, dy)


def matmul(tape: Tape, op: Operator, dy: Tensor) -> None:
    """dA = dY B^T; dB = A^T dY, summed over the batch axes along which an operand was shared."""
    a, b = (*op.inputs, *op.states, *op.weights)
    if tape.wants(a):
        fixed = (turned(b),) if b.role in FIXED else ()
        inputs = (dy,) if fixed else (dy, turned(b))
        tape.give(a, tape.emit("matmul", f"{op.name}.grad_input", inputs, weights=fixed))
    if tape.wants(b):
        shared = prod(b.shape[:-2]) == 1 and prod(a.shape[:-2]) == prod(dy.shape[:-2])
        left, right = (rows(a), rows(dy)) if shared else (a, dy)
        tape.give(b, tape.emit("matmul", f"{op.name}.grad_weight", (turned(left), right)))


def expert_linear(tape: Tape, op: Operator, dy: Tensor) -> None:
    """As a linear layer, for each expert's rows."""
    x, weight = op.inputs[0], op.weights[0]
    attributes = dict(op.attributes)
    if tape.wants(x):
        name = f"{op.name}.grad_input"
        tape.give(x, tape.emit("expert_linear", name, (dy,), weights=(turned(weight),), attributes=attributes))
    if tape.wants(weight):
        tape.give(weight, tape.emit("expert_gradient", f"{op.name}.grad_weight", (x, dy), attributes=attributes))
    for bias in op.weights[1:]:
        if tape.wants(bias):
            how: dict[str, Attribute] = {"of": "expert_bias", "shape": bias.shape}
            tape.give(bias, tape.emit("gradient", f"{op.name}.grad_bias", (dy,), attributes=how))


def conv(tape: Tape, op: Operator, dy: Tensor) -> None:
    """dX by the turned kernel; dW by the input as seen through each place of the kernel; db = sum of dY."""
    x, weight = op.inputs[0], op.weights[0]
    window = {**dict(op.attributes), "transposed": op.kind == "conv_transposed"}
    if tape.wants(x):
        how = {**window, "shape": x.shape}
        tape.give(
            x, tape.emit("conv_input_gradient", f"{op.name}.grad_input", (dy,), weights=(weight,), attributes=how)
        )
    if tape.wants(weight):
        how = {**window, "shape": weight.shape}
        tape.give(weight, tape.emit("conv_weight_gradient", f"{op.name}.grad_weight", (x, dy), attributes=how))
    _bias(tape, op, dy, axes=len(dy.shape) - 2)


def causal_conv(tape: Tape, op: Operator, dy: Tensor) -> None:
    """The same taps the other way; their gradient from the inputs that each has seen."""
    x, weight = op.inputs[0], op.weights[0]
    if tape.wants(x):
        name, how = f"{op.name}.grad_input", {"shape": x.shape}
        tape.give(x, tape.emit("causal_conv_gradient", name, (dy,), weights=(weight,), attributes=how))
    if tape.wants(weight):
        name, how = f"{op.name}.grad_weight", {"shape": weight.shape}
        tape.give(weight, tape.emit("causal_conv_gradient", name, (x, dy), attributes=how))
    _bias(tape, op, dy)


def attention_product(tape: Tape, op: Operator, dy: Tensor) -> None:
    """Of scores Q K^T and of results P V: the gradient of each operand is the gradient of the result times the other.

    The scale of the scores is part of the product.
    """
    for operand, other in (op.inputs, op.inputs[::-1]):
        if tape.wants(operand):
            how = {**dict(op.attributes), "shape": operand.shape}
            name = f"{op.name}.grad_{'input' if operand == op.inputs[0] else 'other'}"
            tape.give(operand, tape.emit("attention_gradient", name, (dy, other), attributes=how))


def _bias(tape: Tape, op: Operator, dy: Tensor, axes: int = 0) -> None:
    for bias in op.weights[1:]:
        if tape.wants(bias):
            shape = (*bias.shape, *(1,) * axes)
            tape.give(bias, reshaped(tape.summed_to(f"{op.name}.grad_bias", dy, shape), bias.shape))


def _trained_part(tape: Tape, weight: Tensor, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is trained of a weight [in, out], and what of x [rows, in] and dy [rows, out] its gradient takes."""
    part = tape.parts.get(weight.name)
    if part is None:
        return weight, x, dy
    if part.axis == 0:
        return part_of(weight, part), sliced(x, 1, part.start, part.stop), dy
    return part_of(weight, part), x, sliced(dy, 1, part.start, part.stop)
