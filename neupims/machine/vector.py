"""Vector units: latency of one row of an operator, and which unit takes it.

With `lanes` elements at a time, it(n) = ceil(n / lanes) passes cover n elements, and an adder tree
reduces them in tree(n) = 1 step for n <= lanes, else it(n) + tree(it(n)).
"""

from collections.abc import Callable
from heapq import heappush, heapreplace

from neupims.hardware.npu import VectorUnits

Formula = Callable[[VectorUnits, int, int], int]


def passes(elements: int, lanes: int) -> int:
    """it(n): passes over n elements."""
    return -(-elements // lanes)


def tree_steps(elements: int, lanes: int) -> int:
    """tree(n): steps that reduce n elements to one."""
    total = 1
    while elements > lanes:
        elements = passes(elements, lanes)
        total += elements
    return total


def _layer_norm(v: VectorUnits, it: int, tree: int) -> int:
    scalars = 2 * v.scalar_multiply + v.scalar_sqrt
    return 2 * tree * v.tree_step + scalars + it * (2 * v.add + 3 * v.multiply)


FORMULAS: dict[str, Formula] = {
    "layer_norm": _layer_norm,
    "softmax": lambda v, it, tree: 2 * tree * v.tree_step + it * (v.add + v.exponential + v.multiply),
    "add": lambda v, it, tree: it * v.add,
    "gelu": lambda v, it, tree: it * v.gelu,
    "embedding": lambda v, it, tree: it * v.add,
    "attention": lambda v, it, tree: it * (v.add + v.multiply) + tree * v.tree_step,
    "partial_sum": lambda v, it, tree: it * v.add,
}
"""Cycles of one row. `embedding` adds the position; `attention` is a dot product; `partial_sum` adds results of PIM."""

PUBLISHED_COUNTS: dict[str, Callable[[int, int], int]] = {
    "layer_norm": lambda elements, size: 0,
    "add": lambda elements, size: 0,
    "gelu": lambda elements, size: 0,
    "softmax": lambda elements, size: elements * size,
    "partial_sum": lambda elements, size: elements * size,
}
"""What the published simulator takes for the number of elements: none, or bytes."""


def row_latency(kind: str, elements: int, units: VectorUnits, element_bytes: int) -> int:
    """Cycles that one unit needs for a row of `elements`; at least the one in which it issues.

    Raises:
        ValueError: the units have no formula for `kind`.
    """
    formula = FORMULAS.get(kind)
    if formula is None:
        raise ValueError(f"vector units cannot do '{kind}'; they can do {', '.join(FORMULAS)}")
    if units.counts == "published" and kind in PUBLISHED_COUNTS:
        elements = PUBLISHED_COUNTS[kind](elements, element_bytes)
    return max(1, formula(units, passes(elements, units.lanes), tree_steps(elements, units.lanes)))


class VectorPool:
    """The units of a device; each row goes to the one that is free first."""

    def __init__(self, units: VectorUnits) -> None:
        self.units = units
        self.busy = 0
        """Cycles of work given to units, summed over them."""
        self._free: list[int] = []
        for _ in range(units.count):
            heappush(self._free, 0)

    def issue(self, rows: int, latency: int, now: int) -> int:
        """Spread `rows` over the units; returns the cycle at which the last of them ends.

        A row waits for its unit. In the published simulator it starts at once, and only leaves the
        unit after the row before it.
        """
        last = now
        wait = self.units.counts == "elements"
        for _ in range(rows):
            free = self._free[0]
            end = max(free, now) + latency if wait else max(now + latency, free + 1)
            heapreplace(self._free, end)
            last = max(last, end)
        self.busy += rows * latency
        return last
