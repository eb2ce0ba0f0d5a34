"""The operators of a graph, those of a repeated block once with how often they stand in the graph."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from neupims.graph import Block, Body, Graph, Operator, Tensor

Known = dict[str, Tensor]
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Once:
    """An operator of the first repetition of its block, under its full name: `layer0.attention.q`."""

    op: Operator
    times: int
    """How often it stands in the graph."""
    block: Names
    """Blocks that it stands in, the outermost first; none outside of blocks."""


def once(graph: Graph) -> tuple[Once, ...]:
    """Operators in order. What is read behind a block from its last repetition is read from its first one here."""
    return tuple(_body(graph, "", (), 1, {}))


def owned(body: Body, prefix: str = "") -> Iterator[Tensor]:
    """Weights, constants and states of a graph, those of a block for its first repetition, under their full names."""
    for tensor in (*body.weights, *body.states):
        yield replace(tensor, name=prefix + tensor.name)
    for block in body.blocks:
        yield from owned(block, prefix + block.prefix(0))


def _body(body: Body, prefix: str, path: Names, times: int, known: Known) -> Iterator[Once]:
    for item in body.items:
        if isinstance(item, Block):
            yield from _block(item, prefix, path, times, known)
        else:
            yield Once(_placed(item, prefix, known), times, path)


def _block(block: Block, prefix: str, path: Names, times: int, known: Known) -> Iterator[Once]:
    inside = prefix + block.prefix(0)
    inner = {port.tensor.name: _tensor(port.initial, prefix, known) for port in block.inputs}
    yield from _body(block, inside, (*path, inside.removesuffix(".")), times * block.count, inner)
    last = block.prefix(block.count - 1)
    known |= {last + out.name: _tensor(out, inside, inner) for out in block.outputs}


def _placed(op: Operator, prefix: str, known: Known) -> Operator:
    def placed(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(_tensor(tensor, prefix, known) for tensor in tensors)

    operands = {"inputs": placed(op.inputs), "weights": placed(op.weights), "states": placed(op.states)}
    return replace(op, name=prefix + op.name, outputs=placed(op.outputs), **operands)


def _tensor(tensor: Tensor, prefix: str, known: Known) -> Tensor:
    """A tensor under its full name; a view keeps its shape and names what it is a view of."""
    root = tensor.base or tensor.name
    source = known.get(root)
    if source is None:
        return replace(tensor, name=prefix + tensor.name, base=tensor.base and prefix + tensor.base)
    if tensor.base is None:
        return replace(source, shape=tensor.shape)
    return replace(tensor, name=prefix + tensor.name, base=source.base or source.name)
