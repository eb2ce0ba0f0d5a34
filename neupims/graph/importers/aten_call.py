"""A node of an exported torch module, as the handlers of operators see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from neupims.graph.importers.assembly import Assembler
from neupims.graph.tensor import Shape
from neupims.graph.tracing.regions import Value


@dataclass(frozen=True, slots=True)
class Call:
    """A node: its arguments, tensors among them as values, and the shape of its first result."""

    net: Assembler
    name: str
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    shape: Shape

    def get(self, index: int, key: str, default: Any = None) -> Any:
        """An argument by place or name."""
        given = self.arguments[index] if index < len(self.arguments) else self.keywords.get(key)
        return default if given is None else given

    def number(self, index: int, key: str, default: int = 0) -> int:
        """An integer."""
        return int(self.get(index, key, default))

    @property
    def x(self) -> Value:
        """The first argument."""
        return cast("Value", self.arguments[0])

    def pair(self, index: int, key: str, default: Any) -> tuple[int, ...]:
        """One number for each axis of space, which may be given as one for all."""
        axes, given = len(self.x.shape) - 2, self.get(index, key, default)
        numbers = tuple(cast("list[int]", given)) if isinstance(given, list | tuple) else (int(given),)
        return numbers * axes if len(numbers) == 1 else numbers


Results = Value | Sequence[Value]
Handler = Callable[[Call], Results]
