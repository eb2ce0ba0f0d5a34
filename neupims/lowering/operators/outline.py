"""The segments of a graph as tasks to be scheduled, and rounds of them as a plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from neupims.isa.work import Plan
from neupims.lowering.on_demand import StagesOnDemand
from neupims.lowering.operators.plan import Lowered, Segment

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Chain:
    """A segment in one repetition of its block, in the order of the graph; or one that is repeated as a whole."""

    segment: Segment
    repeats: int = 1


def chain(segments: Sequence[Segment]) -> Iterator[Chain]:
    """Blocks that use both engines with every repetition written out, all others as they are."""
    for (_, times), members in groupby(segments, key=lambda part: (part.block, part.times)):
        parts = tuple(members)
        if len({part.engine for part in parts}) > 1:
            for _ in range(times):
                yield from (Chain(part) for part in parts)
        else:
            yield from (Chain(part, times) for part in parts)


@dataclass(frozen=True, slots=True)
class Turn:
    """What engines do side by side: (half, number of the segment) of each, in order, and how often."""

    parts: tuple[tuple[int, int], ...]
    repeats: int


def plan_of(lowered: Lowered, turns: Sequence[Turn]) -> Plan:
    """One stage for each turn, called A, B, ..., AA, AB, ... in order."""
    by_number = {part.number: part for part in lowered.segments}
    lower = [
        partial(lowered.stage, letters(index), [(half, by_number[number]) for half, number in turn.parts])
        for index, turn in enumerate(turns)
    ]
    return Plan(StagesOnDemand(lower, None), tuple(turn.repeats for turn in turns))


def letters(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    head, last = divmod(index, len(LETTERS))
    return (letters(head - 1) if head else "") + LETTERS[last]
