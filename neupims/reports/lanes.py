"""Spans side by side: which lane a span belongs to, and what to call it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neupims.results.record import Run
from neupims.results.spans import OperatorSpan

UNITS: Mapping[str, str] = {
    "gpu": "GPU",
    "npu": "NPU",
    "array": "NPU",
    "vector": "vector",
    "pim": "PIM",
    "link": "link",
}
"""Lane of each unit, in the order of drawing."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Operators of one unit in rows, so that no two of a row overlap."""

    name: str
    rows: tuple[tuple[OperatorSpan, ...], ...]

    @property
    def spans(self) -> list[OperatorSpan]:
        """Operators of all rows, in order of start."""
        return sorted((span for row in self.rows for span in row), key=lambda span: span.start_ps)


def lanes(run: Run) -> tuple[Lane, ...]:
    """Lanes of the units that a run used, each with as few rows as its overlaps need."""
    names = dict.fromkeys((*UNITS.values(), *(lane_of(operator) for operator in run.operators)))
    found = {name: [operator for operator in run.operators if lane_of(operator) == name] for name in names}
    return tuple(Lane(name, pack(spans)) for name, spans in found.items() if spans)


def lane_of(operator: OperatorSpan) -> str:
    """Name of the lane; a unit that is not in the table has a lane of its own."""
    return UNITS.get(operator.unit, operator.unit)


def pack(spans: Sequence[OperatorSpan]) -> tuple[tuple[OperatorSpan, ...], ...]:
    """Spans in rows without overlap: each goes to the first row that is free at its start."""
    rows: list[list[OperatorSpan]] = []
    for span in sorted(spans, key=lambda span: (span.start_ps, span.end_ps)):
        free = next((row for row in rows if row[-1].end_ps <= span.start_ps), None)
        if free is None:
            rows.append([span])
        else:
            free.append(span)
    return tuple(tuple(row) for row in rows)


def short_name(operator: OperatorSpan) -> str:
    """What is done, without where and for whom: `logit` for `layer0.attention.logit@sb1`."""
    return operator.name.rsplit(".", 1)[-1].partition("@")[0]
