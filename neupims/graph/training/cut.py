"""Repetitions of a block whose backward pass is not like that of the others become a block of their own."""

from dataclasses import replace

from neupims.graph.body import Block, Port
from neupims.graph.tensor import Tensor
from neupims.graph.training.needs import block_needs, reached
from neupims.graph.training.tape import Tape
from neupims.graph.training.views import root
from neupims.graph.training.wrap import inner_tensors


def first_differs(block: Block, tape: Tape) -> bool:
    """Whether the first repetition needs no gradient of something that comes in, while the others do."""
    inner = block_needs(block, tape.needs)
    carried = [port for port in block.inputs if port.carried is not None and reached(port.carried, inner)]
    return block.count > 1 and any(not tape.wants(port.initial) for port in carried)


def last_differs(block: Block, tape: Tape) -> bool:
    """Whether the last repetition gets gradients that others do not, or the other way round.

    So it is if something is read outside that is not carried on, or carried on and not read, and if nothing is there
    yet to which the gradients of what all repetitions share could be added.
    """
    if block.count == 1:
        return False
    inner, last = block_needs(block, tape.needs), block.prefix(block.count - 1)
    wanting = [port for port in block.inputs if port.tensor.name in inner]
    carried = {root(port.carried) for port in wanting if port.carried is not None}
    read = {tensor.name for tensor in block.outputs if tensor.name in inner and tape.has(last + tensor.name)}
    shared = [port for port in wanting if port.carried is None]
    return read != carried or not all(tape.has_exactly(port.initial) for port in shared)


def split_at(block: Block, count: int) -> list[Block]:
    """The first `count` repetitions, which show what they carry on, and the rest."""
    known, last = inner_tensors(block), block.prefix(count - 1)
    handed = dict.fromkeys(root(port.carried) for port in block.inputs if port.carried is not None)
    first = replace(block, count=count, outputs=tuple(known[name] for name in handed))
    inputs = tuple(_handed(port, last) for port in block.inputs)
    rest = replace(block, count=block.count - count, first=block.first + count, inputs=inputs)
    return [_alone(first), _alone(rest)]


def _handed(port: Port, last: str) -> Port:
    tensor = port.carried
    if tensor is None:
        return port
    return replace(port, initial=_outside(tensor, last))


def _outside(tensor: Tensor, last: str) -> Tensor:
    return replace(tensor, name=last + tensor.name, base=tensor.base and last + tensor.base)


def _alone(block: Block) -> Block:
    """A single repetition carries nothing on."""
    if block.count > 1:
        return block
    return replace(block, inputs=tuple(replace(port, carried=None) for port in block.inputs))
