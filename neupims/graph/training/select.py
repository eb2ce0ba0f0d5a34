"""What is trained: as an architecture marks it, or by names."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TypeVar

from neupims.errors import ModelError
from neupims.graph.body import Block, Body
from neupims.graph.graph import Graph
from neupims.graph.tensor import Part, Tensor

B = TypeVar("B", bound=Body)


def selected(graph: Graph, patterns: Collection[str] | None) -> Graph:
    """The graph with marks on what is trained: weights called like `patterns`, such as `layer.attention.*`.

    None: what the architecture marks, or everything if it marks nothing. ModelError for a pattern that fits nothing.
    """
    if patterns is None:
        return graph if _marked(graph) else _by_name(graph, ("*",), "")
    names = dict.fromkeys(_names(graph, ""))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            known = ", ".join(names) or "none"
            raise ModelError(f"{graph.model}: trainable: no weight is called '{pattern}'; weights: {known}")
    return _by_name(graph, patterns, "")


def _marked(body: Body) -> bool:
    return bool(body.trained) or any(_marked(block) for block in body.blocks)


def _by_name(body: B, patterns: Collection[str], path: str) -> B:
    found = [w for w in body.weights if w.role == "weight" and any(fnmatchcase(path + w.name, p) for p in patterns)]
    items = tuple(
        _by_name(item, patterns, f"{path}{item.name}.") if isinstance(item, Block) else item for item in body.items
    )
    return replace(body, items=items, trained=tuple(_whole(weight) for weight in found))


def _names(body: Body, path: str) -> Iterator[str]:
    yield from (path + weight.name for weight in body.weights if weight.role == "weight")
    for block in body.blocks:
        yield from _names(block, f"{path}{block.name}.")


def _whole(weight: Tensor) -> Part:
    return Part(weight.name, 0, 0, weight.shape[0])
