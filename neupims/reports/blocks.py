"""One block of a graph as nodes and edges: what a drawing of it shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from neupims.errors import ModelError
from neupims.graph import Block, Body, Graph, Operator, Port, Tensor
from neupims.graph.kinds import KINDS
from neupims.lowering.operators.choose import COPIES
from neupims.reports.table import count

NodeClass = Literal["product", "vector", "move", "block", "port"]
WHOLE = "all"
"""Names what stands around the blocks, which are boxes then."""
ONE_AXIS = 1


@dataclass(frozen=True, slots=True)
class Node:
    """An operator, a block within, or what comes in and goes out."""

    name: str
    kind: NodeClass
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """What one node reads of another."""

    source: str
    target: str
    shapes: tuple[str, ...]
    residual: bool = False
    """Whether it goes around what is added to it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes in the order of the graph, and the edges between them."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def drawing_of(graph: Graph, name: str | None = None) -> Drawing:
    """The block called `name`, or, without a name, the one with the most work; `all` is what is around the blocks.

    ModelError if there is no such block.
    """
    blocks = dict(_blocks(graph, "", 1))
    if name is None:
        name = max(blocks, key=lambda one: blocks[one][1], default=WHOLE)
    if name != WHOLE and name not in blocks:
        raise ModelError(f"{graph.model}: --block {name}: there is none; blocks: {', '.join([*blocks, WHOLE])}")
    body = graph if name == WHOLE else blocks[name][0]
    times = f"{name}, {body.count}×" if isinstance(body, Block) else "around its blocks"
    edges = tuple(_edges(body))
    read = {edge.source for edge in edges} | {edge.target for edge in edges}
    return Drawing(f"{graph.model}: {times}", tuple(node for node in _nodes(body) if node.name in read), edges)


def drawing_rows(drawing: Drawing) -> list[dict[str, Any]]:
    """One row for each edge."""
    return [
        {"from": edge.source, "to": edge.target, "shape": " ".join(edge.shapes), "residual": edge.residual}
        for edge in drawing.edges
    ]


def _blocks(body: Body, prefix: str, times: int) -> Iterator[tuple[str, tuple[Block, int]]]:
    for block in body.blocks:
        name, done = prefix + _name(block, body), times * block.count
        yield name, (block, done * (block.macs + block.other_ops))
        yield from _blocks(block, f"{name}.", done)


def _nodes(body: Body) -> Iterator[Node]:
    yield from (Node(name, "port") for name in dict.fromkeys(_sources(body).values()))
    for item in body.items:
        yield Node(_name(item, body), "block", f"{item.count}×") if isinstance(item, Block) else _operator(item)
    yield from (Node(name, "port") for name in dict.fromkeys(name for _, name in _sinks(body)))


def _name(item: Operator | Block, body: Body) -> str:
    """Blocks of one name are told apart by the number of their first repetition."""
    if isinstance(item, Operator) or sum(block.name == item.name for block in body.blocks) == 1:
        return item.name
    return f"{item.name}{item.first}"


def _operator(op: Operator) -> Node:
    held = [tensor for tensor in (*op.inputs, *op.weights, *op.states) if tensor.role != "activation"]
    large = [tensor for tensor in held if len(tensor.shape) > ONE_AXIS] or held[:1]
    details = [op.kind, *(f"{tensor.role[0]}:{_shape(tensor)}" for tensor in large[:2])]
    work = f"{count(op.macs)} MACs" if op.macs else f"{count(op.other_ops)} ops" if op.other_ops else ""
    return Node(op.name, _class(op), "\n".join(filter(None, (" ".join(details), work))))


def _class(op: Operator) -> NodeClass:
    if op.kind in COPIES:
        return "move"
    return "product" if KINDS[op.kind].products(op) else "vector"


def _sources(body: Body) -> dict[str, str]:
    """Nodes of what comes in, by the tensor."""
    if isinstance(body, Block):
        return {port.tensor.name: _port(port) for port in body.inputs if port.tensor.role == "activation"}
    return {tensor.name: tensor.name for tensor in body.inputs} if isinstance(body, Graph) else {}


def _port(port: Port) -> str:
    if port.mirrored:
        return f"{port.tensor.name}, kept"
    return "from the repetition before" if port.carried else f"from {_root(port.initial)}"


def _sinks(body: Body) -> list[tuple[Tensor, str]]:
    """What goes out, with the node that stands for it."""
    if isinstance(body, Block):
        carried = [(port.carried, "to the next repetition") for port in body.inputs if port.carried is not None]
        return carried or [(tensor, "to what follows") for tensor in body.outputs]
    return [(tensor, "output") for tensor in body.outputs] if isinstance(body, Graph) else []


def _edges(body: Body) -> Iterator[Edge]:
    maker = _sources(body)
    for item in body.items:
        read = [port.initial for port in item.inputs] if isinstance(item, Block) else list(item.inputs)
        name = _name(item, body)
        for edge in _into(name, read, maker):
            yield Edge(edge.source, edge.target, edge.shapes, _around(item, edge, read, maker))
        last = item.prefix(item.count - 1) if isinstance(item, Block) else ""
        maker |= {last + tensor.name: name for tensor in item.outputs}
    for tensor, name in _sinks(body):
        yield from _into(name, [tensor], maker)


def _into(name: str, read: list[Tensor], maker: dict[str, str]) -> Iterator[Edge]:
    """Edges from the makers of what a node reads, one for each maker."""
    shapes: dict[str, list[str]] = {}
    for tensor in read:
        if (source := maker.get(_root(tensor))) is not None:
            shapes.setdefault(source, []).append(_shape(tensor))
    for source, found in shapes.items():
        yield Edge(source, name, tuple(dict.fromkeys(found)))


def _around(item: Operator | Block, edge: Edge, read: list[Tensor], maker: dict[str, str]) -> bool:
    """Whether an edge is the way around of a residual addition: its source was there before the other one."""
    if isinstance(item, Block) or not dict(item.attributes).get("residual"):
        return False
    order = list(dict.fromkeys(maker.values()))
    others = [maker[_root(tensor)] for tensor in read if _root(tensor) in maker]
    return edge.source == min(others, key=order.index) and len(set(others)) > 1


def _root(tensor: Tensor) -> str:
    return tensor.base or tensor.name


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
