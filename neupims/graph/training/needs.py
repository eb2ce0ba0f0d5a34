"""Which tensors need gradients: what is trained, and what was computed from it."""

from neupims.graph.body import Block, Body
from neupims.graph.operator import Operator
from neupims.graph.tensor import DETACHED, Tensor
from neupims.graph.training.views import root

Names = frozenset[str]

STOPS = ("compare",)
"""Kinds whose results are masks: no gradient goes through them, nor through indices."""


def reached(tensor: Tensor, names: Names | set[str]) -> bool:
    """Whether a tensor, or what it is a view of, is among those that need a gradient."""
    return root(tensor) in names and DETACHED not in tensor.name


def needing(body: Body, ports: Names = frozenset()) -> Names:
    """Names in a body, in which some of its `ports` need gradients: of weights, results and outputs of its blocks."""
    found = {*ports, *(part.weight for part in body.trained)}
    for item in body.items:
        found |= block_outputs(item, found) if isinstance(item, Block) else _results(item, found)
    return frozenset(found)


def block_needs(block: Block, outside: Names | set[str]) -> Names:
    """Names inside a block that need gradients, given those outside; what is carried on can make its port need one."""
    ports = frozenset(port.tensor.name for port in block.inputs if reached(port.initial, outside))
    while True:
        inner = needing(block, ports)
        more = {port.tensor.name for port in block.inputs if port.carried and reached(port.carried, inner)}
        if more <= ports:
            return inner
        ports |= more


def block_outputs(block: Block, outside: Names | set[str]) -> set[str]:
    """Outputs of a block that need gradients, as they are called outside."""
    inner, last = block_needs(block, outside), block.prefix(block.count - 1)
    return {last + tensor.name for tensor in block.outputs if tensor.name in inner}


def _results(op: Operator, names: set[str]) -> set[str]:
    operands = (*op.inputs, *op.weights, *op.states)
    if op.kind in STOPS or not any(reached(tensor, names) for tensor in operands):
        return set()
    return {tensor.name for tensor in op.outputs if tensor.element != "int32"}
