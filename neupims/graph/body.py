"""Operators in order of execution, and blocks of them that repeat."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from neupims.errors import ModelError
from neupims.graph.operator import Operator
from neupims.graph.tensor import Part, Tensor


@dataclass(frozen=True)
class Body:
    """Operators and repeated blocks, with the weights and states that belong to them, and their sums."""

    items: tuple["Operator | Block", ...]
    """In order of execution: whatever an item reads stands before it."""
    weights: tuple[Tensor, ...]
    """Weights and constants."""
    states: tuple[Tensor, ...]
    trained: tuple[Part, ...] = field(default=(), kw_only=True)
    """What of the weights training changes; if there is nothing in a whole graph, it changes all of them."""
    kept: tuple[Tensor, ...] = field(default=(), kw_only=True)
    """Results, or slices of them, that stay in memory for the backward pass; of a block, from each repetition."""

    @property
    def blocks(self) -> tuple["Block", ...]:
        """The repeated blocks, in order."""
        return tuple(item for item in self.items if isinstance(item, Block))

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every operator in order, blocks unrolled: `layer0.attention.logit` is one of the first repetition."""
        return tuple(_unrolled(self, "", {}, {}))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(item.macs * _count(item) for item in self.items)

    @cached_property
    def other_ops(self) -> int:
        """Operations that are not multiply-accumulates."""
        return sum(item.other_ops * _count(item) for item in self.items)

    @cached_property
    def bytes_read(self) -> int:
        """Bytes that the operators read, if nothing were kept on chip between them."""
        return sum(item.bytes_read * _count(item) for item in self.items)

    @cached_property
    def bytes_written(self) -> int:
        """Bytes that the operators write, if nothing were kept on chip between them."""
        return sum(item.bytes_written * _count(item) for item in self.items)

    @cached_property
    def params(self) -> int:
        """Elements of all weights, without constants; a shared weight counts once."""
        own = sum(tensor.elements for tensor in self.weights if tensor.role == "weight")
        return own + sum(b.count * b.params for b in self.blocks)

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all weights and constants; a shared weight counts once."""
        return sum(w.bytes for w in self.weights) + sum(b.count * b.weight_bytes for b in self.blocks)

    @cached_property
    def state_bytes(self) -> int:
        """Bytes of all KV caches and recurrent states."""
        return sum(s.bytes for s in self.states) + sum(b.count * b.state_bytes for b in self.blocks)

    @cached_property
    def kept_bytes(self) -> int:
        """Bytes of all results that stay in memory for the backward pass: the activation memory of a training step."""
        return sum(tensor.bytes for tensor in self.kept) + sum(b.count * b.kept_bytes for b in self.blocks)

    @cached_property
    def trained_params(self) -> int:
        """Elements of the weights that a training step changes, as its marks say."""
        own = sum(_elements(self, part) for part in self.trained)
        return own + sum(b.count * b.trained_params for b in self.blocks)

    def block(self, name: str) -> "Block":
        """The only block of this name; ModelError if there is none or more than one."""
        found = [block for block in self.blocks if block.name == name]
        if len(found) != 1:
            names = ", ".join(block.name for block in self.blocks) or "none"
            raise ModelError(f"there must be one block '{name}', not {len(found)}; blocks: {names}")
        return found[0]

    def operator(self, name: str) -> Operator:
        """The operator of this name that stands here outside of blocks, such as `lm_head`; ModelError if none."""
        for item in self.items:
            if isinstance(item, Operator) and item.name == name:
                return item
        names = ", ".join(item.name for item in self.items if isinstance(item, Operator)) or "none"
        raise ModelError(f"there is no operator '{name}'; operators: {names}")


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor that comes into a block from outside."""

    tensor: Tensor
    """Its name inside the block."""
    initial: Tensor
    """The tensor outside that the first repetition reads."""
    carried: Tensor | None
    """The tensor of a repetition that the next one reads here (a residual stream); None: always `initial`."""
    mirrored: bool = False
    """In the backward pass of a block: each repetition reads what the repetition before its own, of the forward block,
    calls so; the first reads `initial`, of the last one."""


@dataclass(frozen=True)
class Block(Body):
    """Operators recorded once that repeat `count` times, each time with weights and states of their own.

    Names inside are relative to the repetition, as in `attention.qkv`; sums are those of one repetition.
    """

    name: str
    count: int
    first: int
    """Number of the first repetition: not 0 if an earlier block has the same name."""
    inputs: tuple[Port, ...]
    outputs: tuple[Tensor, ...]
    """Tensors that are read outside, where they are called as in the last repetition: `layer31.ffn.residual`."""

    def prefix(self, repetition: int) -> str:
        """What stands before the names of a repetition, counted from 0."""
        return f"{self.name}{self.first + repetition}."


def _elements(body: Body, part: Part) -> int:
    weight = next(tensor for tensor in body.weights if tensor.name == part.weight)
    return weight.elements // weight.shape[part.axis] * (part.stop - part.start)


def _count(item: Operator | Block) -> int:
    return item.count if isinstance(item, Block) else 1


Known = Mapping[str, Tensor]
"""Tensors that come from outside, by their name inside."""

Seen = dict[str, Tensor]
"""Tensors by another name, under which the backward pass of their repetition reads them: what came into a block."""

INDEX = re.compile(r"(\d+)\.$")


def _unrolled(body: Body, prefix: str, known: Known, seen: Seen) -> Iterator[Operator]:
    for item in body.items:
        if isinstance(item, Block):
            yield from _repetitions(item, prefix, known, seen)
        else:
            yield _renamed(item, prefix, known, seen)


def _repetitions(block: Block, prefix: str, known: Known, seen: Seen) -> Iterator[Operator]:
    initial = {port.tensor.name: _placed(port.initial, prefix, known) for port in block.inputs}
    mirrored = {port.tensor.name for port in block.inputs if port.mirrored}
    shown = [tensor.name for tensor in block.outputs]
    values = dict(initial)
    for repetition in range(block.count):
        inside = prefix + block.prefix(repetition)
        values |= {name: _stepped_back(initial[name], name, repetition) for name in mirrored}
        seen.update({inside + name: _followed(values[name], seen) for name in shown if name in values})
        yield from _unrolled(block, inside, values, seen)
        carried = ((port.tensor.name, port.carried) for port in block.inputs if port.carried)
        values |= {name: _placed(tensor, inside, values) for name, tensor in carried}


def _stepped_back(tensor: Tensor, inside: str, steps: int) -> Tensor:
    """`layer31.ffn.gelu` seen from 2 steps earlier, where it is `ffn.gelu`: `layer29.ffn.gelu`."""
    stem = tensor.name.removesuffix(inside)
    return replace(tensor, name=INDEX.sub(lambda match: f"{int(match[1]) - steps}.", stem) + inside)


def _renamed(op: Operator, prefix: str, known: Known, seen: Seen) -> Operator:
    def placed(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(_followed(_placed(tensor, prefix, known), seen) for tensor in tensors)

    return replace(
        op,
        name=prefix + op.name,
        inputs=placed(op.inputs),
        outputs=placed(op.outputs),
        weights=placed(op.weights),
        states=placed(op.states),
    )


def _followed(tensor: Tensor, seen: Seen) -> Tensor:
    if tensor.base is None:
        return seen.get(tensor.name, tensor)
    base = seen.get(tensor.base)
    return tensor if base is None else replace(tensor, base=base.base or base.name)


def _placed(tensor: Tensor, prefix: str, known: Known) -> Tensor:
    if tensor.name in known:
        return known[tensor.name]
    base = tensor.base
    if base is not None:
        base = known[base].name if base in known else prefix + base
    return replace(tensor, name=prefix + tensor.name, base=base)
