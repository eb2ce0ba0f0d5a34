"""Vector units: latency of one row of an operator, and which unit takes it.

With `lanes` elements at a time, it(n) = ceil(n / lanes) passes cover n elements, and an adder tree
reduces them in tree(n) = 1 step for n <= lanes, else it(n) + tree(it(n)).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapreplace
from typing import Literal

from neupims.events.agenda import Agenda
from neupims.events.clock import Clock
from neupims.hardware.npu import VectorUnits
from neupims.machine.ranks import VECTOR_UNIT

Program = Literal["npu", "pim"]

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


def _each(adds: int = 0, multiplies: int = 0, exponentials: int = 0) -> Formula:
    """Operations on each element."""
    return lambda v, it, tree: it * (adds * v.add + multiplies * v.multiply + exponentials * v.exponential)


def _reduction(v: VectorUnits, it: int, tree: int) -> int:
    return tree * v.tree_step


def _rms_norm(v: VectorUnits, it: int, tree: int) -> int:
    return tree * v.tree_step + v.scalar_multiply + v.scalar_sqrt + 3 * it * v.multiply


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
    "rms_norm": _rms_norm,
    "group_norm": _layer_norm,
    "batch_norm": _each(adds=1, multiplies=1),
    "rotary": _each(adds=1, multiplies=2),
    "silu": _each(adds=1, multiplies=1, exponentials=1),
    "swiglu": _each(adds=1, multiplies=2, exponentials=1),
    "quick_gelu": _each(adds=1, multiplies=2, exponentials=1),
    "sigmoid": _each(adds=1, multiplies=1, exponentials=1),
    "tanh": _each(adds=2, multiplies=1, exponentials=1),
    "softplus": _each(adds=1, exponentials=2),
    "elu": _each(adds=1, exponentials=1),
    "hard_swish": _each(adds=2, multiplies=2),
    **dict.fromkeys(("exp", "log", "sqrt", "rsqrt", "sin", "cos", "erf", "power"), _each(exponentials=1)),
    **dict.fromkeys(("mul", "div", "square", "reciprocal"), _each(multiplies=1)),
    **dict.fromkeys(("sub", "maximum", "minimum", "compare", "where", "relu", "abs", "neg", "sign"), _each(adds=1)),
    **dict.fromkeys(("relu6", "clip", "round"), _each(adds=2)),
    **dict.fromkeys(("leaky_relu", "hard_sigmoid"), _each(adds=1, multiplies=1)),
    **dict.fromkeys(("sum", "mean", "max", "min", "argmax"), _reduction),
    "variance": lambda v, it, tree: 2 * tree * v.tree_step + it * (v.add + v.multiply),
    "cumsum": _each(adds=1),
    "scan": _each(adds=1, multiplies=1),
    "selective_scan": _each(adds=2, multiplies=4, exponentials=1),
    **dict.fromkeys(("avg_pool", "max_pool", "interpolate", "message_passing"), _each(adds=1)),
    **dict.fromkeys(("top_k", "sort", "fft", "cholesky", "eigen", "triangular_solve"), _each(adds=1)),
    **dict.fromkeys(("conv", "conv_transposed", "causal_conv", "matmul", "linear", "expert_linear"), _each(adds=1)),
    **dict.fromkeys(("logit", "attend", "attention_gradient", "expert_gradient"), _each(adds=1)),
    **dict.fromkeys(("conv_input_gradient", "conv_weight_gradient", "causal_conv_gradient"), _each(adds=1)),
    **dict.fromkeys(("gradient", "edge_gradient", "selective_scan_gradient", "sum_to", "assemble"), _each(adds=1)),
    **dict.fromkeys(("cross_entropy", "squared_error", "adamw", "adam", "momentum", "sgd"), _each(adds=1)),
    **dict.fromkeys(("dual_scan", "wkv", "token_shift", "eigenvalues"), _each(adds=1)),
    **dict.fromkeys(("copy", "gather", "scatter", "concat", "pad", "repeat", "roll", "last", "append"), _each()),
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


@dataclass(slots=True)
class Rows:
    """Rows that wait for units; `done` gets the cycle at which the last one ends, once that is known."""

    left: int
    latency: int
    done: Callable[[int], None]
    end: int = 0


class VectorPool:
    """The units of a device, shared by its programs; a row goes to the unit that is free first.

    Rows wait in one queue for each program, first come first served. A unit that becomes free takes
    from the PIM program first: its rows are few and banks wait for them. In the published simulator
    nothing waits: a row starts at once, and only leaves its unit after the row before it.
    """

    def __init__(self, units: VectorUnits, agenda: Agenda, clock: Clock) -> None:
        self._agenda, self._clock = agenda, clock
        self._waits = units.counts == "elements"
        self._free = [0] * units.count
        self._nominal = [0] * units.count
        """As published: when the last row of each unit would end if none was before it."""
        self._wake = -1
        self._queues: dict[Program, deque[Rows]] = {"pim": deque(), "npu": deque()}

    def run(self, rows: int, latency: int, program: Program, done: Callable[[int], None]) -> None:
        """Run `rows` rows of `latency` cycles each; they are ready now."""
        if rows < 1:
            raise RuntimeError("a step on the vector units has no rows")
        if self._waits:
            self._queues[program].append(Rows(rows, latency, done))
            self._dispatch()
        else:
            done(self._run_at_once(rows, latency))

    @property
    def _now(self) -> int:
        return self._clock.edge(int(self._agenda.env.now))

    def _dispatch(self) -> None:
        now = self._now
        while (work := self._next()) is not None:
            if self._free[0] > now:
                self._wake_up_at(self._free[0])
                return
            self._start(work, now + work.latency)

    def _wake_up_at(self, cycle: int) -> None:
        if self._wake <= self._now:
            self._wake = cycle
            self._agenda.at(self._clock.ps(cycle), VECTOR_UNIT, self._dispatch)

    def _next(self) -> Rows | None:
        for queue in self._queues.values():
            if queue and queue[0].left == 0:
                queue.popleft()
            if queue:
                return queue[0]
        return None

    def _run_at_once(self, rows: int, latency: int) -> int:
        now, free, last = self._now, self._free, 0
        for _ in range(rows):
            unit = self._unit_at_once(now)
            self._nominal[unit] = now + latency
            free[unit] = max(now + latency, free[unit] + 1)
            last = max(last, free[unit])
        return last

    def _unit_at_once(self, now: int) -> int:
        """Published: the first idle unit; else the last whose last row would have ended, or the first of all."""
        for unit, end in enumerate(self._free):
            if end <= now:
                return unit
        for unit in reversed(range(len(self._nominal))):
            if self._nominal[unit] < now:
                return unit
        return 0

    def _start(self, work: Rows, end: int) -> None:
        heapreplace(self._free, end)
        self._count(work, end)

    def _count(self, work: Rows, end: int) -> None:
        work.end = max(work.end, end)
        work.left -= 1
        if work.left == 0:
            work.done(work.end)
