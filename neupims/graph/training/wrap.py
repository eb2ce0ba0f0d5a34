"""What the items of a backward pass read of the forward pass, and what therefore stays in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from neupims.graph.body import Block, Body
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor
from neupims.graph.training.views import kept_of, root

Items = Sequence[Operator | Block]


def results(items: Items) -> dict[str, Tensor]:
    """What operators and blocks leave, by the name under which it is read after them."""
    found: dict[str, Tensor] = {}
    for item in items:
        for tensor in item.outputs:
            name = item.prefix(item.count - 1) + tensor.name if isinstance(item, Block) else tensor.name
            found[name] = replace(tensor, name=name)
    return found


def inner_tensors(block: Block) -> dict[str, Tensor]:
    """All that is known inside a block, by name."""
    own = (*(port.tensor for port in block.inputs), *block.weights, *block.states)
    return {tensor.name: tensor for tensor in own} | results(block.items)


def operands(items: Items) -> Iterator[Tensor]:
    """All that operators and blocks read."""
    for item in items:
        if isinstance(item, Block):
            yield from (port.initial for port in item.inputs)
        else:
            yield from (*item.inputs, *item.weights, *item.states)


def kept(body: Body, items: Items, made: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What of the activations `made` in a body stays in memory because the backward `items` read it.

    What repetitions of an inner block leave to their own backward pass is counted there.
    """
    inside = {name for block in body.blocks for name in _kept_inside(block)}
    read = [tensor for item in items for tensor in _read(item) if root(tensor) not in inside]
    return kept_of(read, {name: tensor for name, tensor in made.items() if tensor.role == "activation"})


def recomputed(forward: Items, backward: Items) -> list[Operator | Block]:
    """The items of a forward pass whose results a backward pass reads, directly or not."""
    needed = {root(tensor) for tensor in operands(backward)}
    found: list[Operator | Block] = []
    for item in reversed(forward):
        if needed & results([item]).keys():
            found.insert(0, item)
            needed |= {root(tensor) for tensor in operands([item])}
    return found


def forgetful(body: Iterable[Operator | Block]) -> tuple[Operator | Block, ...]:
    """Items whose inner blocks keep nothing."""
    return tuple(
        replace(item, items=forgetful(item.items), kept=()) if isinstance(item, Block) else item for item in body
    )


def _read(item: Operator | Block) -> Iterator[Tensor]:
    if isinstance(item, Block):
        yield from (port.initial for port in item.inputs if not port.mirrored)
    else:
        yield from item.inputs


def _kept_inside(block: Block) -> set[str]:
    last = block.prefix(block.count - 1)
    return {last + root(tensor) for tensor in block.kept}
