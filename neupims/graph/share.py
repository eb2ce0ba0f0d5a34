"""The share of one device in a model whose layers are divided among pipeline stages."""

from dataclasses import replace

from neupims.errors import ModelError
from neupims.graph.body import Block, Port
from neupims.graph.graph import Graph
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor
from neupims.graph.verify import verify


def pipeline_share(graph: Graph, stages: int) -> Graph:
    """What the device with the longest stage computes: 1 / `stages` of each block, rounded up, and all else.

    ModelError if no block repeats often enough.
    """
    if stages == 1:
        return graph
    most = max((block.count for block in graph.blocks), default=1)
    if stages > most:
        raise ModelError(f"--pp {stages} is more than the {most} repetitions of the model's blocks; use at most {most}")
    both = [(block, _divided(block, stages)) for block in graph.blocks]
    last = {block.prefix(block.count - 1): short.prefix(short.count - 1) for block, short in both}
    items = tuple(_item(item, last, stages) for item in graph.items)
    shared = replace(graph, items=items, outputs=tuple(_tensor(tensor, last) for tensor in graph.outputs))
    verify(shared)
    return shared


def _divided(block: Block, stages: int) -> Block:
    return replace(block, count=-(-block.count // stages))


def _item(item: Operator | Block, last: dict[str, str], stages: int) -> Operator | Block:
    if isinstance(item, Block):
        ports = tuple(Port(port.tensor, _tensor(port.initial, last), port.carried) for port in item.inputs)
        return replace(_divided(item, stages), inputs=ports)
    return replace(item, inputs=tuple(_tensor(tensor, last) for tensor in item.inputs))


def _tensor(tensor: Tensor, last: dict[str, str]) -> Tensor:
    """A tensor under its name behind the shortened blocks."""
    return replace(tensor, name=_name(tensor.name, last), base=tensor.base and _name(tensor.base, last))


def _name(name: str, last: dict[str, str]) -> str:
    for old, new in last.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
