"""The part of the tracer that records: operators, weights, states, names, scopes and repeats."""

import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from neupims.errors import ModelError
from neupims.graph.kinds import KINDS, ShapeError
from neupims.graph.operator import Attribute, Operator
from neupims.graph.sequences import Sequences
from neupims.graph.tensor import ElementType, Role, Shape, Tensor
from neupims.graph.tracing.compare import require_same
from neupims.graph.tracing.freeze import made_in
from neupims.graph.tracing.location import call_site
from neupims.graph.tracing.regions import Draft, Operand, Region, Repeat, Use, Value

NAME = re.compile(r"[a-z][a-z0-9_]*")


class Recorder(ABC):
    """Records what an architecture computes over a batch of requests; the vocabulary is built on top of it."""

    def __init__(self, sequences: Sequences, element: ElementType = "fp16") -> None:
        self.sequences = sequences
        self.element: ElementType = element
        self.root = Region(self)
        self.inputs: list[Tensor] = []
        self.outputs: list[Value] = []
        self.region = self.root
        """Where operators are recorded at the moment."""

    @abstractmethod
    def add(self, x: Value, y: Operand) -> Value:
        """Sum, element by element; what `+` records."""

    @abstractmethod
    def sub(self, x: Value, y: Operand) -> Value:
        """Difference, element by element; what `-` records."""

    @abstractmethod
    def mul(self, x: Value, y: Operand) -> Value:
        """Product, element by element; what `*` records."""

    @abstractmethod
    def div(self, x: Value, y: Operand) -> Value:
        """Quotient, element by element; what `/` records."""

    @contextmanager
    def scope(self, name: str) -> Generator[None]:
        """Names inside start with `name.`; the same scope may be opened again."""
        self._check_name(name)
        self.region.scopes.append(name)
        yield
        self.region.scopes.pop()

    def repeat(self, count: int, name: str) -> Iterator[None]:
        """`for _ in net.repeat(12, "layer"):` repeats a body, each time with weights and states of its own.

        The body must be the same each time. It runs once or twice, not `count` times: what it assigns to
        variables is, after the loop, what the last repetition left there.
        """
        self._check_name(name)
        if type(count) is not int or count < 1:
            raise self.error("repeat", name, f"the count must be an integer of at least 1, not {count!r}")
        outer, full = self.region, self._scoped(name)
        earlier = (item.count for item in outer.items if isinstance(item, Repeat) and item.name == full)
        repeat = Repeat(full, count, sum(earlier), call_site())
        for _ in range(min(count, 2)):
            self.region = Region(self, outer, repeat)
            repeat.traces.append(self.region)
            yield
            self.region = outer
        require_same(repeat)
        outer.items.append(repeat)

    def weight(self, *shape: int, name: str) -> Value:
        """A trainable tensor; used by several operators, it is shared and counts once."""
        return self.own(self.named(name, "weight"), shape, "weight")

    def output(self, value: Value) -> None:
        """A result of the model."""
        self.outputs.append(value)

    def apply(
        self,
        kind: str,
        name: str,
        inputs: Sequence[Value],
        *,
        weights: Sequence[Value] = (),
        states: Sequence[Value] = (),
        attributes: Mapping[str, Attribute] = {},
    ) -> Value:
        """Record an operator with one result; ModelError with shapes, file and line if its operands do not fit."""
        self._check_origin(kind, name, (*inputs, *weights))
        if any(state.region is not self.region for state in states):
            raise self.error(kind, name, "a state must be made in the repetition that reads it")
        op = Operator(
            name,
            kind,
            inputs=_tensors(inputs),
            weights=_tensors(weights),
            states=_tensors(states),
            attributes=tuple(sorted(attributes.items())),
        )
        try:
            op = KINDS[kind].complete(op)
        except ShapeError as problem:
            raise self.error(kind, name, str(problem)) from None
        self.region.tensors[name] = op.outputs[0]
        self.region.items.append(Draft(op, _uses(inputs), _uses(weights), call_site()))
        return Value(op.outputs[0], self.region, (*inputs, *weights))

    def view(self, value: Value, suffix: str, shape: Shape) -> Value:
        """A slice or another order of the axes of a value: the same memory, no work."""
        tensor = value.tensor
        seen = replace(tensor, name=tensor.name + suffix, shape=shape, base=tensor.base or tensor.name)
        return Value(seen, value.region, (value,))

    def own(self, name: str, shape: Shape, role: Role, element: ElementType | None = None) -> Value:
        """A tensor that is not the result of an operator, under its full name."""
        if any(type(size) is not int or size < 1 for size in shape):
            raise self.error(role, name, f"shape {shape} must have integers of at least 1")
        if name in self.region.tensors:
            raise self.error(role, name, "there is an operator or weight of this name already; give another")
        tensor = Tensor(name, shape, element or self.element, role)
        self.region.tensors[name] = tensor
        return Value(tensor, self.region)

    def named(self, name: str | None, kind: str) -> str:
        """Full name of an operator or weight; one without a name is called after its kind and numbered."""
        if name is not None:
            self._check_name(name)
            full = self._scoped(name)
            if full in self.region.tensors:
                raise self.error(kind, full, "there is an operator or weight of this name already; give another")
            return full
        full, index = self._scoped(kind), 1
        while full in self.region.tensors:
            index += 1
            full = self._scoped(f"{kind}_{index}")
        return full

    def error(self, kind: str, name: str, problem: str) -> ModelError:
        """An error about an operator, with the file and line of the call."""
        place = self.region
        while place.repeat is not None and place.parent is not None:
            name, place = f"{place.repeat.name}.{name}", place.parent
        return ModelError(f"{call_site()}: {kind} '{name}': {problem}")

    def _scoped(self, name: str) -> str:
        return ".".join((*self.region.scopes, name))

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise self.error("name", name, "must be lower-case letters, digits and _, beginning with a letter")

    def _check_origin(self, kind: str, name: str, values: Sequence[Value]) -> None:
        for value in values:
            if not made_in(value, self.root):
                raise self.error(kind, name, f"'{value.tensor.name}' was made while another graph was traced")


def _tensors(values: Sequence[Value]) -> tuple[Tensor, ...]:
    return tuple(value.tensor for value in values)


def _uses(values: Sequence[Value]) -> tuple[Use, ...]:
    return tuple(Use(value) for value in values)
