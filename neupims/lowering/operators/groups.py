"""Operators that are lowered together, and the engine of each group."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from neupims.lowering.operators.once import Names, Once

Engine = Literal["npu", "pim"]
ATTENTION = ("logit", "softmax", "attend")


@dataclass(frozen=True, slots=True)
class Group:
    """One operator, or the three of attention over a cache."""

    operators: tuple[Once, ...]

    @property
    def name(self) -> str:
        """Of the operator; of attention, what its operators have in common."""
        first = self.operators[0].op.name
        if len(self.operators) == 1:
            return first
        scope = first.rpartition(".")[0]
        number = first.removeprefix(f"{scope}.").removeprefix("logit")
        return f"{scope or 'attention'}{number}"

    @property
    def block(self) -> Names:
        """Blocks that it stands in."""
        return self.operators[0].block

    @property
    def times(self) -> int:
        """How often it stands in the graph."""
        return self.operators[0].times

    @property
    def cached(self) -> bool:
        """Whether it is attention over a cache, one new token for each request."""
        first = self.operators[0].op
        return len(self.operators) == 3 and bool(first.states) and set(first.numbers("new")) == {1}


def grouped(operators: Sequence[Once]) -> Iterator[Group]:
    """Operators in order; logit, softmax and attend over a cache stand in one group if they follow each other."""
    index = 0
    while index < len(operators):
        part = operators[index : index + 3]
        fused = tuple(item.op.kind for item in part) == ATTENTION and bool(part[0].op.states)
        taken = tuple(part) if fused else (operators[index],)
        yield Group(taken)
        index += len(taken)
