"""Stages that are lowered when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from neupims.isa.counter import RunningCounter
from neupims.isa.work import Stage


class StagesOnDemand(Sequence[Stage]):
    """The stages of a plan, of which only the one asked for last is kept: a whole model may have hundreds.

    Where stages take their addresses from a `counter`, what it has reached before each of them is remembered, so
    that a stage is the same whenever it is lowered.
    """

    def __init__(self, lower: Sequence[Callable[[], Stage]], counter: RunningCounter | None) -> None:
        self._lower, self._counter = lower, counter
        self._cursors = [0 if counter is None else counter.cursor]
        self._kept: tuple[int, Stage] | None = None

    def __len__(self) -> int:
        return len(self._lower)

    def __iter__(self) -> Iterator[Stage]:
        return map(self.__getitem__, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Stage: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Stage]: ...
    def __getitem__(self, index: int | slice) -> Stage | Sequence[Stage]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return tuple(self[number] for number in numbers)
        for before in range(len(self._cursors) - 1, numbers):
            self._stage(before)
        if self._kept is None or self._kept[0] != numbers:
            self._kept = numbers, self._stage(numbers)
        return self._kept[1]

    def _stage(self, number: int) -> Stage:
        if self._counter is not None:
            self._counter.cursor = self._cursors[number]
        stage = self._lower[number]()
        if number + 1 == len(self._cursors):
            self._cursors.append(0 if self._counter is None else self._counter.cursor)
        return stage
