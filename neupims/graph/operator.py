"""One operator of a graph: a frozen record that needs nothing else to be understood."""

from dataclasses import dataclass

from neupims.graph.tensor import Tensor

Attribute = int | float | str | bool | tuple[int, ...]
Attributes = tuple[tuple[str, Attribute], ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """What is computed, from which operands, and how much work it is.

    `macs` counts multiply-accumulates of matrix products; `other_ops` counts element-wise work, norms,
    reductions and lookups. Bytes count every operand once, as if nothing were kept on chip between operators.
    """

    name: str
    kind: str
    """A key of `neupims.graph.kinds.KINDS`."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...] = ()
    weights: tuple[Tensor, ...] = ()
    states: tuple[Tensor, ...] = ()
    """KV cache or recurrent state that the operator reads and brings up to date."""
    attributes: Attributes = ()
    """Pairs of name and value, such as `heads`, in the order of their names."""
    macs: int = 0
    other_ops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    def number(self, attribute: str) -> int:
        """An integer attribute such as `heads`; KeyError or TypeError if there is none."""
        value = dict(self.attributes)[attribute]
        if not isinstance(value, int):
            raise TypeError(f"{self.kind} '{self.name}': {attribute} is {value!r}, not an integer")
        return value

    def numbers(self, attribute: str) -> tuple[int, ...]:
        """An attribute that is a list of integers, such as `lengths`; KeyError or TypeError if there is none."""
        value = dict(self.attributes)[attribute]
        if not isinstance(value, tuple):
            raise TypeError(f"{self.kind} '{self.name}': {attribute} is {value!r}, not a list of integers")
        return value
