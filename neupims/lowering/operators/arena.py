"""Where the tensors of a graph lie: weights and states at the bottom, activations above, as long as they are needed."""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from neupims.errors import CapacityError
from neupims.graph import Body, Graph, Tensor
from neupims.hardware.memory import MemorySpec
from neupims.isa.address import AddressMap
from neupims.lowering.memory_map import address_map, stripe_row_bytes
from neupims.lowering.operators.once import Once, owned
from neupims.lowering.places import round_up

GIB = 1 << 30
PANEL, STRIPE = 128, 1 << 12
"""Features of a panel, and the bytes of a stripe, at most: what `lowering.places.panels` may leave empty."""


@dataclass(frozen=True, slots=True)
class Arena:
    """First byte of each tensor that is not a view, by its full name."""

    address: AddressMap
    bases: Mapping[str, int]
    end: int
    """First byte that no tensor of any graph here takes."""

    def base(self, tensor: Tensor) -> int:
        """First byte of a tensor, or of what it is a view of."""
        return self.bases[tensor.base or tensor.name]


def arena(
    graphs: Sequence[Graph], operators: Sequence[Sequence[Once]], memory: MemorySpec, elsewhere: frozenset[str]
) -> tuple[Arena, ...]:
    """One arena for each of the lists of operators: parts of one batch, which share the weights, not the rest.

    Graphs beyond them only keep their states there. `elsewhere` are tensors that lie in rows of their own, for PIM.
    Raises CapacityError if weights and states of all repetitions, and the activations that live at the same time, do
    not fit.
    """
    align, address = stripe_row_bytes(memory), address_map(memory)
    weights, end = _stack(_named(graphs[0], ("weight", "constant"), elsewhere), 0, align)
    cursor = round_up(max(end, _bytes(graphs[0], ("weight", "constant"), elsewhere)), align)
    made: list[Arena] = []
    live = 0
    for graph, ops in zip(graphs, (*operators, *(() for _ in graphs[len(operators) :])), strict=True):
        states, end = _stack(_named(graph, ("state", "kv_cache"), elsewhere), cursor, align)
        floor = round_up(max(end, cursor + _bytes(graph, ("state", "kv_cache"), elsewhere)), align)
        bases, cursor = _activations(graph, ops, floor, align)
        live += cursor - floor
        made.append(Arena(address, {**weights, **states, **bases}, cursor))
    _check(graphs, live, memory)
    return tuple(made)


def _check(graphs: Sequence[Graph], live: int, memory: MemorySpec) -> None:
    weights, states = graphs[0].weight_bytes, sum(graph.state_bytes for graph in graphs)
    live += sum(_kept_elsewhere(graph) for graph in graphs)
    total, held = weights + states + live, memory.organization.bytes
    if total > held:
        raise CapacityError(
            f"memory: {graphs[0].model} does not fit: {weights / GIB:.2f} GiB of weights, {states / GIB:.2f} GiB of "
            f"states and {live / GIB:.2f} GiB of activations make {total / GIB:.2f} GiB, and a device has "
            f"{held / GIB:.2f} GiB; lower --batch or raise --pp"
        )


def _kept_elsewhere(graph: Graph) -> int:
    """Activations that a training step keeps of repetitions that have no place of their own here: all but the first."""
    return sum((block.count - 1) * block.kept_bytes for block in graph.blocks)


def _bytes(body: Body, roles: tuple[str, ...], elsewhere: frozenset[str], prefix: str = "") -> int:
    """Of all repetitions."""
    mine = (tensor for tensor in (*body.weights, *body.states) if tensor.role in roles)
    own = sum(tensor.bytes for tensor in mine if prefix + tensor.name not in elsewhere)
    inside = (block.count * _bytes(block, roles, elsewhere, prefix + block.prefix(0)) for block in body.blocks)
    return own + sum(inside)


def _named(graph: Graph, roles: tuple[str, ...], elsewhere: frozenset[str]) -> list[Tensor]:
    return [tensor for tensor in owned(graph) if tensor.role in roles and tensor.name not in elsewhere]


def _stack(tensors: Iterable[Tensor], cursor: int, align: int) -> tuple[dict[str, int], int]:
    bases: dict[str, int] = {}
    for tensor in tensors:
        bases[tensor.name] = cursor
        cursor += round_up(tensor.bytes, align)
    return bases, cursor


def _activations(graph: Graph, ops: Sequence[Once], floor: int, align: int) -> tuple[dict[str, int], int]:
    """First fit: an activation takes the lowest room that is free from its operator to its last reader."""
    last = _last_reads(ops)
    free = FreeList(floor)
    bases = {tensor.name: free.take(_room(tensor, align)) for tensor in graph.inputs}
    ends: dict[int, list[Tensor]] = {}
    for tensor in graph.inputs:
        ends.setdefault(last.get(tensor.name, len(ops)), []).append(tensor)
    for index, item in enumerate(ops):
        for tensor in item.op.outputs:
            bases[tensor.name] = free.take(_room(tensor, align))
            ends.setdefault(last.get(tensor.name, index), []).append(tensor)
        for tensor in ends.pop(index, ()):
            free.give(bases[tensor.name], _room(tensor, align))
    return bases, free.top


def _last_reads(ops: Sequence[Once]) -> dict[str, int]:
    """Index of the last operator that reads each tensor."""
    return {tensor.base or tensor.name: index for index, item in enumerate(ops) for tensor in item.op.inputs}


def _room(tensor: Tensor, align: int) -> int:
    """Bytes of an activation, with those that are lost where panels of PANEL features begin at a stripe of channels."""
    panels = -(-max(tensor.shape, default=1) // PANEL)
    return round_up(tensor.bytes + panels * STRIPE, align)


class FreeList:
    """Room in bytes, handed out lowest first."""

    def __init__(self, floor: int) -> None:
        self.top = floor
        self._free: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        """First byte of `size` bytes."""
        for index, (base, room) in enumerate(self._free):
            if room >= size:
                left = [(base + size, room - size)] if room > size else []
                self._free[index : index + 1] = left
                return base
        base, self.top = self.top, self.top + size
        return base

    def give(self, base: int, size: int) -> None:
        """Take back `size` bytes, joined with the free room beside them."""
        insort(self._free, (base, size))
        joined: list[tuple[int, int]] = []
        for start, room in self._free:
            if joined and sum(joined[-1]) == start:
                joined[-1] = (joined[-1][0], joined[-1][1] + room)
            else:
                joined.append((start, room))
        self._free = joined
