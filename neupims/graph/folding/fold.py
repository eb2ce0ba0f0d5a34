"""From a flat graph to one with repeated blocks."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from neupims.errors import ModelError
from neupims.graph.body import Block, Port
from neupims.graph.folding.flat import Flat, Stretch, operands, root
from neupims.graph.folding.names import block_name, inner_names
from neupims.graph.folding.search import stretches
from neupims.graph.graph import Graph
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor
from neupims.graph.verify import verify

Names = dict[str, str]
"""New names of tensors, by those in the flat graph."""


def fold(graph: Graph) -> Graph:
    """The same graph with consecutive equal stretches of operators as repeated blocks.

    Stretches are equal if their operators have one kind, shapes and attributes, and read from the same places: from
    their own repetition, from the one before, or all from one tensor outside. ModelError if the graph has blocks
    already, and if what comes out did not do the same work with the same parameters (a mistake of this package).
    """
    kept = {tensor.name: tensor for tensor in (*graph.weights, *graph.states)}
    flat = Flat([item for item in graph.items if isinstance(item, Operator)], graph.outputs, kept)
    if graph.blocks:
        raise ModelError(f"{graph.model}: only a graph without blocks can be folded")
    folder = _Folder(flat)
    at = 0
    for stretch in stretches(flat):
        folder.plain(at, stretch.start)
        folder.fold(stretch)
        at = stretch.end
    folder.plain(at, len(flat.operators))
    folded = replace(
        graph,
        items=tuple(folder.items),
        weights=tuple(weight for weight in graph.weights if weight.name not in folder.inside),
        states=tuple(state for state in graph.states if state.name not in folder.inside),
        outputs=tuple(_moved(tensor, folder.names) for tensor in graph.outputs),
    )
    _check(graph, folded)
    return folded


@dataclass(slots=True)
class _Inside:
    """The first repetition as it stands in the block."""

    names: Names
    """Of operators, tensors, weights and states, by those in the flat graph."""
    ports: dict[Hashable, Port] = field(default_factory=dict["Hashable", Port])
    """By the tensors that the first and the second repetition read."""
    owned: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Weights and states, by their name in the flat graph."""


@dataclass(slots=True)
class _Folder:
    """Items of the folded graph so far, and what tensors of the flat one are called in it."""

    flat: Flat
    items: list[Operator | Block] = field(default_factory=list["Operator | Block"])
    names: Names = field(default_factory=dict[str, str])
    inside: set[str] = field(default_factory=set[str])
    """Weights and states that belong to blocks now."""

    def plain(self, start: int, end: int) -> None:
        """Operators that do not repeat."""
        for op in self.flat.operators[start:end]:
            self.items.append(_with(op, op.name, [_moved(tensor, self.names) for tensor in operands(op)]))

    def fold(self, stretch: Stretch) -> None:
        """A stretch as a block."""
        first, second, last = (self._repetition(stretch, index) for index in (0, 1, stretch.count - 1))
        inside = _Inside(_inner(first, second))
        body = [
            _with(op, inside.names[op.name], list(self._operands(stretch, stretch.start + offset, inside)))
            for offset, op in enumerate(first)
        ]
        name, number = self._name(stretch, block_name(first, second))
        block = Block(
            tuple(body),
            tuple(tensor for tensor in inside.owned.values() if tensor.role in ("weight", "constant")),
            tuple(tensor for tensor in inside.owned.values() if tensor.role in ("state", "kv_cache")),
            name=name,
            count=stretch.count,
            first=number,
            inputs=tuple(inside.ports.values()),
            outputs=self._outputs(stretch, last, body),
        )
        self.items.append(block)
        self.inside |= set(self._owned(stretch))
        prefix = block.prefix(stretch.count - 1)
        for op, same in zip(last, body, strict=True):
            self.names |= {a.name: prefix + b.name for a, b in zip(op.outputs, same.outputs, strict=True)}

    def _name(self, stretch: Stretch, found: tuple[str, int] | None) -> tuple[str, int]:
        """The name of a block and its first number; one of our own if an operator outside has such a name."""
        ops = (*self.flat.operators[: stretch.start], *self.flat.operators[stretch.end :])
        taken = {op.name.partition(".")[0] for op in ops}
        if found and not any(f"{found[0]}{found[1] + index}" in taken for index in range(stretch.count)):
            return found
        name, taken = "block", {word.rstrip("0123456789") for word in taken}
        while name in taken:
            name += "_"
        return name, sum(item.count for item in self.items if isinstance(item, Block) and item.name == name)

    def _repetition(self, stretch: Stretch, index: int) -> list[Operator]:
        start = stretch.start + index * stretch.size
        return list(self.flat.operators[start : start + stretch.size])

    def _operands(self, stretch: Stretch, index: int, inside: _Inside) -> Iterator[Tensor]:
        """What an operator of the first repetition reads, in the block."""
        op, again = self.flat.operators[index], self.flat.operators[index + stretch.size]
        for operand, (tensor, other) in enumerate(zip(operands(op), operands(again), strict=True)):
            where, _ = self.flat.edge(stretch, index + stretch.size, operand)
            if where in ("before", "outside"):
                yield self._port(tensor, other, inside, carried=where == "before").tensor
                continue
            if where == "own" and root(tensor) not in inside.names:
                name = f"{inside.names[op.name]}.weight{operand - len(op.inputs)}"
                inside.names[root(tensor)] = name
                inside.owned[root(tensor)] = replace(self.flat.kept[root(tensor)], name=name)
            yield _moved(tensor, inside.names)

    def _port(self, tensor: Tensor, again: Tensor, inside: _Inside, *, carried: bool) -> Port:
        key = (tensor.name, again.name)
        if key not in inside.ports:
            formal = replace(tensor, name=f"input:{len(inside.ports)}", base=None)
            following = _moved(again, inside.names) if carried else None
            inside.ports[key] = Port(formal, _moved(tensor, self.names), following)
        return inside.ports[key]

    def _outputs(self, stretch: Stretch, last: list[Operator], body: list[Operator]) -> tuple[Tensor, ...]:
        """Tensors of the body that something behind the stretch reads."""
        return tuple(
            same
            for op, inner in zip(last, body, strict=True)
            for tensor, same in zip(op.outputs, inner.outputs, strict=True)
            if any(reader >= stretch.end for reader in self.flat.read.get(tensor.name, ()))
        )

    def _owned(self, stretch: Stretch) -> Iterator[str]:
        for index in range(stretch.start, stretch.end):
            for operand, tensor in enumerate(operands(self.flat.operators[index])):
                if self.flat.edge(stretch, index, operand)[0] == "own":
                    yield root(tensor)


def _inner(first: list[Operator], second: list[Operator]) -> Names:
    names = dict(zip((op.name for op in first), inner_names(first, second), strict=True))
    made = {tensor.name: names[op.name] + tensor.name[len(op.name) :] for op in first for tensor in op.outputs}
    return {**names, **made}


def _with(op: Operator, name: str, read: list[Tensor]) -> Operator:
    inputs, weights = len(op.inputs), len(op.inputs) + len(op.weights)
    return replace(
        op,
        name=name,
        inputs=tuple(read[:inputs]),
        weights=tuple(read[inputs:weights]),
        states=tuple(read[weights:]),
        outputs=tuple(replace(tensor, name=name + tensor.name[len(op.name) :]) for tensor in op.outputs),
    )


def _moved(tensor: Tensor, names: Names) -> Tensor:
    """A tensor, or a view of one, under the new name if there is one."""
    name = names.get(root(tensor), root(tensor))
    return replace(tensor, name=name + tensor.name[len(root(tensor)) :], base=tensor.base and name)


def _check(graph: Graph, folded: Graph) -> None:
    verify(folded)
    same = all(getattr(graph, what) == getattr(folded, what) for what in ("params", "macs", "other_ops", "bytes_read"))
    if not same or _work(graph.operators) != _work(folded.operators):
        raise ModelError(f"{graph.model}: folded, it would not do the same work")


def _work(operators: Iterable[Operator]) -> Counter[Hashable]:
    return Counter(
        (op.kind, op.attributes, tuple(tensor.shape for tensor in (*operands(op), *op.outputs))) for op in operators
    )
