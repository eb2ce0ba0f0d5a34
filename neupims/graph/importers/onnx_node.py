"""A node of an ONNX file, as the handlers of operators see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neupims.graph.importers.assembly import Assembler, Given
from neupims.graph.tracing.regions import Value

Array = np.ndarray[Any, Any]
Operand = Value | Array | None
"""A tensor, an array that is known already, or an input that is left out."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of the file; what its inputs and attributes are."""

    op: str
    inputs: Sequence[Operand]
    attributes: Mapping[str, Any]
    outputs: int

    def array(self, index: int, attribute: str = "") -> Array | None:
        """An input that must be known, or the attribute that it was in older versions; None if there is neither."""
        given = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(given, Value):
            raise TypeError(f"input {index} depends on data, which a static graph cannot follow")
        return np.asarray(self.attributes[attribute]) if given is None and attribute in self.attributes else given

    def integers(self, index: int, attribute: str = "") -> tuple[int, ...] | None:
        """The same as integers."""
        found = self.array(index, attribute)
        return None if found is None else tuple(int(item) for item in found.reshape(-1))

    def value(self, net: Assembler, index: int) -> Value:
        """An input as a tensor; arrays that are known are constants."""
        found = self.inputs[index]
        if isinstance(found, Value):
            return found
        if found is None:
            raise TypeError(f"input {index} is left out")
        element = "fp32" if found.dtype.kind == "f" else "int32"
        return net.constant(*(found.shape or (1,)), name="constant", element=element)

    def given(self, net: Assembler, index: int) -> Given:
        """An input as a number if it is one, else as a tensor."""
        found = self.inputs[index]
        return float(found.item()) if isinstance(found, np.ndarray) and found.size == 1 else self.value(net, index)


Results = Sequence[Value]
Handler = Callable[[Assembler, Node], Results]
