"""Whether the two traces of a repeated body recorded the same operators."""

from itertools import zip_longest

from neupims.errors import ModelError
from neupims.graph.tracing.freeze import made_in
from neupims.graph.tracing.regions import Draft, Region, Repeat, Use


def require_same(repeat: Repeat) -> None:
    """ModelError naming the first operator in which the second repetition differs from the first."""
    first, second = repeat.traces[0], repeat.traces[-1]
    for a, b in zip_longest(first.items, second.items):
        if a is None or b is None or _signature(a, first) != _signature(b, second):
            raise ModelError(
                f"{repeat.where}: repeat '{repeat.name}': every repetition must be the same, but the first has "
                f"{_described(a)} where the second has {_described(b)}; give parts that differ a repeat of their own"
            )


def _signature(item: Draft | Repeat, region: Region) -> object:
    if isinstance(item, Repeat):
        return (item.name, item.count, [_signature(inner, item.body) for inner in item.body.items])
    op = item.op
    operands = [_operand(use, region) for use in (*item.inputs, *item.weights)]
    return (op.name, op.kind, operands, [state.shape for state in op.states], op.attributes)


def _operand(use: Use, region: Region) -> object:
    tensor = use.value.tensor
    inside = made_in(use.value, region)
    return (tensor.shape, tensor.element, tensor.name if inside else None)


def _described(item: Draft | Repeat | None) -> str:
    if item is None:
        return "nothing"
    if isinstance(item, Repeat):
        return f"repeat '{item.name}' of {item.count} ({item.where})"
    shapes = ", ".join(str(use.value.tensor.shape) for use in (*item.inputs, *item.weights))
    return f"{item.op.kind} '{item.op.name}' of {shapes} ({item.where})"
