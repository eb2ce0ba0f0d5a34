"""Published, measured and derived sizes of architectures, and whether a graph has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from neupims.graph import Body, Graph, Operator, Phase, load_model
from neupims.graph.body import Block

TOLERANCE = 0.005
"""Of multiply-accumulates: counters differ in what they count."""


@dataclass(frozen=True)
class Figure:
    """What a table says of a model, and the variant and options that reproduce it."""

    model: str
    params: int | None
    macs: int | None
    options: Mapping[str, object] = field(default_factory=dict)
    lengths: tuple[int, ...] = (1,)
    """Of each request; one sample each, for models that are not made of tokens."""
    phase: Phase | None = None
    only: tuple[str, ...] = ()
    """Kinds of operators that the table counts; none: all."""
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.model} {options} {self.phase or ''} {'+'.join(self.only)}".strip()

    def check(self) -> None:
        """Parameters equal, multiply-accumulates within the tolerance."""
        model = load_model(self.model, options=self.options)
        graph = model.trace(self.lengths, self.phase)
        if self.params is not None:
            assert graph.params == self.params
        if self.macs is not None:
            assert abs(counted(graph, self.only) / self.macs - 1) <= self.tolerance


def counted(graph: Graph, only: tuple[str, ...] = ()) -> int:
    """Multiply-accumulates of operators of some kinds, of all of them if none is named."""
    return sum(times * op.macs for op, times in weighted(graph) if not only or op.kind in only)


def weighted(body: Body, times: int = 1) -> list[tuple[Operator, int]]:
    """Operators, each with how often it stands in the graph."""
    found: list[tuple[Operator, int]] = []
    for item in body.items:
        found += weighted(item, times * item.count) if isinstance(item, Block) else [(item, times)]
    return found
