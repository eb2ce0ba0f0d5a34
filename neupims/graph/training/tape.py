"""The backward pass of one body while it is being written: its operators, and the gradients so far."""

from collections.abc import Iterable, Mapping, Sequence

from neupims.errors import ModelError
from neupims.graph.body import Block, Body
from neupims.graph.kinds import KINDS
from neupims.graph.operator import Attribute, Operator
from neupims.graph.tensor import Part, Shape, Tensor
from neupims.graph.training.needs import Names, reached
from neupims.graph.training.views import part_of, reshaped, root, view

Given = tuple[Tensor, Tensor]
"""A tensor of the forward pass, or a view of one, and a gradient of its shape."""


class Tape:
    """Operators of a backward pass in order, and what each tensor of the forward pass has got of its gradient."""

    def __init__(self, body: Body, needs: Names) -> None:
        self.needs = set(needs)
        self.parts: dict[str, Part] = {part.weight: part for part in body.trained}
        self.items: list[Operator | Block] = []
        self.states: list[Tensor] = []
        self.made: dict[str, Tensor] = {}
        """What is made here or comes in, by name."""
        self._given: dict[str, list[Given]] = {}

    def wants(self, tensor: Tensor) -> bool:
        """Whether a tensor of the forward pass, or a view of one, needs a gradient."""
        return reached(tensor, self.needs)

    def give(self, operand: Tensor, gradient: Tensor) -> None:
        """One of the terms of the gradient of an operand; summed over the axes along which it was broadcast."""
        if not self.wants(operand):
            return
        if operand.elements != gradient.elements:
            gradient = self.summed_to(of(operand), gradient, operand.shape)
        self._given.setdefault(root(operand), []).append((operand, reshaped(gradient, operand.shape)))

    def has(self, name: str) -> bool:
        """Whether a tensor has got a term of its gradient."""
        return bool(self._given.get(name))

    def has_exactly(self, operand: Tensor) -> bool:
        """Whether this operand, seen just so, has got a term."""
        return any(seen == operand for seen, _ in self._given.get(root(operand), ()))

    def gradient(self, tensor: Tensor) -> Tensor | None:
        """The gradient of a tensor that is no view, of all terms so far; None if there are none."""
        terms = self._given.pop(tensor.name, [])
        if not terms:
            return None
        whole = self.merged(tensor, terms)
        self._given[tensor.name] = [(tensor, whole)]
        return whole

    def taken(self, operand: Tensor) -> Tensor:
        """The terms of this operand, seen just so, as one; they are no longer its own."""
        terms = self._given.pop(root(operand))
        self._given[root(operand)] = [term for term in terms if term[0] != operand]
        return self._sum(operand, [gradient for seen, gradient in terms if seen == operand])

    def part_gradient(self, weight: Tensor) -> Tensor | None:
        """The gradient of what is trained of a weight, in its shape."""
        target = part_of(weight, self.parts[weight.name])
        if target == weight:
            return self.gradient(weight)
        terms = self._given.pop(weight.name, [])
        found = [gradient for seen, gradient in terms if seen == target]
        whole = [term for term in terms if term[0] != target]
        if whole:
            found.append(part_of(self.merged(weight, whole), self.parts[weight.name]))
        return self._sum(weight, found) if found else None

    def merged(self, tensor: Tensor, terms: Sequence[Given]) -> Tensor:
        """Terms of a tensor and of views of it as one gradient: sums, and parts put in their place."""
        views: dict[Tensor, list[Tensor]] = {}
        for seen, gradient in terms:
            views.setdefault(seen, []).append(gradient)
        self._check(tensor, views)
        sums = {seen: self._sum(tensor, found) for seen, found in views.items()}
        whole = [_as(tensor, seen, term) for seen, term in sums.items() if seen.elements == tensor.elements]
        parts = [term for seen, term in sums.items() if seen.elements != tensor.elements]
        if parts:
            whole.append(self.emit("assemble", of(tensor), parts, attributes={"shape": tensor.shape}))
        return self._sum(tensor, whole)

    def emit(
        self,
        kind: str,
        name: str,
        inputs: Iterable[Tensor],
        *,
        weights: Iterable[Tensor] = (),
        states: Iterable[Tensor] = (),
        attributes: Mapping[str, Attribute] = {},
    ) -> Tensor:
        """Write an operator; its first result. A name that is taken is numbered."""
        op = Operator(
            self._free(name),
            kind,
            inputs=tuple(inputs),
            weights=tuple(weights),
            states=tuple(states),
            attributes=tuple(sorted(attributes.items())),
        )
        op = KINDS[kind].complete(op)
        self.items.append(op)
        self.made |= {tensor.name: tensor for tensor in op.outputs}
        return op.outputs[0]

    def summed_to(self, name: str, gradient: Tensor, shape: Shape) -> Tensor:
        """A gradient summed over axes to a shape."""
        return self.emit("sum_to", name, (gradient,), attributes={"shape": shape})

    def came_in(self, tensor: Tensor) -> Tensor:
        """A tensor from outside, which is known from now on."""
        self.made[tensor.name] = tensor
        return tensor

    def _sum(self, tensor: Tensor, terms: Sequence[Tensor]) -> Tensor:
        total = terms[0]
        for term in terms[1:]:
            total = self.emit("add", of(tensor), (total, term), attributes={"residual": False})
        return total

    def _check(self, tensor: Tensor, views: Iterable[Tensor]) -> None:
        for seen in views:
            if "each]" in seen.name and seen.base is not None:
                raise ModelError(f"'{seen.name}', another part of '{tensor.name}' in each repetition, has no gradient")

    def _free(self, name: str) -> str:
        free, number = name, 1
        while free in self.made or f"{free}.0" in self.made:
            number += 1
            free = f"{name}_{number}"
        return free


def of(tensor: Tensor) -> str:
    """Name of the gradient of a tensor, where it is more than what one operator gives."""
    return f"grad:{root(tensor)}"


def _as(tensor: Tensor, seen: Tensor, term: Tensor) -> Tensor:
    """The gradient of a view of all elements, with the axes of the tensor."""
    return term if seen.base is None else view(term, f"(as {tensor.name})", tensor.shape)
