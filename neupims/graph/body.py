"""Operators in order of execution, and blocks of them that repeat."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from neupims.errors import ModelError
from neupims.graph.operator import Operator
from neupims.graph.tensor import Tensor


@dataclass(frozen=True)
class Body:
    """Operators and repeated blocks, with the weights and states that belong to them, and their sums."""

    items: tuple["Operator | Block", ...]
    """In order of execution: whatever an item reads stands before it."""
    weights: tuple[Tensor, ...]
    """Weights and constants."""
    states: tuple[Tensor, ...]

    @property
    def blocks(self) -> tuple["Block", ...]:
        """The repeated blocks, in order."""
        return tuple(item for item in self.items if isinstance(item, Block))

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every operator in order, blocks unrolled: `layer0.attention.logit` is one of the first repetition."""
        return tuple(_unrolled(self, "", {}))

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


def _count(item: Operator | Block) -> int:
    return item.count if isinstance(item, Block) else 1


Known = Mapping[str, Tensor]
"""Tensors that come from outside, by their name inside."""


def _unrolled(body: Body, prefix: str, known: Known) -> Iterator[Operator]:
    for item in body.items:
        if isinstance(item, Block):
            yield from _repetitions(item, prefix, known)
        else:
            yield _renamed(item, prefix, known)


def _repetitions(block: Block, prefix: str, known: Known) -> Iterator[Operator]:
    values = {port.tensor.name: _placed(port.initial, prefix, known) for port in block.inputs}
    for repetition in range(block.count):
        inside = prefix + block.prefix(repetition)
        yield from _unrolled(block, inside, values)
        carried = ((port.tensor.name, port.carried) for port in block.inputs if port.carried)
        values |= {name: _placed(tensor, inside, values) for name, tensor in carried}


def _renamed(op: Operator, prefix: str, known: Known) -> Operator:
    def placed(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(_placed(tensor, prefix, known) for tensor in tensors)

    return replace(
        op,
        name=prefix + op.name,
        inputs=placed(op.inputs),
        outputs=placed(op.outputs),
        weights=placed(op.weights),
        states=placed(op.states),
    )


def _placed(tensor: Tensor, prefix: str, known: Known) -> Tensor:
    if tensor.name in known:
        return known[tensor.name]
    base = tensor.base
    if base is not None:
        base = known[base].name if base in known else prefix + base
    return replace(tensor, name=prefix + tensor.name, base=base)
