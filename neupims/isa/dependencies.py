"""Whether the works of stages that run together can all begin: names that exist, once, and no cycle."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from neupims.isa.work import AnyWork, Stage


def dependency_problems(stages: Sequence[Stage]) -> Iterator[str]:
    """What is wrong with `after` of the works between two barriers."""
    npu = [(stage, work) for stage in stages for work in stage.npu]
    pim = [(stage, work) for stage in stages for work in stage.pim]
    names = [[work.name for _, work in program] for program in (npu, pim)]
    found = [*_names(npu, names[1], "PIM"), *_names(pim, names[0], "NPU")]
    yield from found
    if not found:
        yield from _cycles([work for _, work in npu], [work for _, work in pim])


def _names(program: Sequence[tuple[Stage, AnyWork]], others: Sequence[str], which: str) -> Iterator[str]:
    for stage, work in program:
        for name in work.after:
            if others.count(name) != 1:
                many = "is no work" if name not in others else "stands for several works"
                yield f"{stage.name}: {work.name}: it comes after {name!r}, which {many} of the {which} program"


def _cycles(npu: Sequence[AnyWork], pim: Sequence[AnyWork]) -> Iterator[str]:
    """A work comes after the one before it in its program, and after those that it names in the other."""
    programs = (npu, pim)
    sorter = TopologicalSorter[tuple[int, int]]()
    for which, works in enumerate(programs):
        place = {work.name: index for index, work in enumerate(programs[1 - which])}
        for index, work in enumerate(works):
            sorter.add((which, index), *((1 - which, place[name]) for name in work.after))
        for before, index in pairwise(range(len(works))):
            sorter.add((which, index), (which, before))
    try:
        sorter.prepare()
    except CycleError as error:
        circle: list[tuple[int, int]] = error.args[1]
        names = " after ".join(programs[which][index].name for which, index in reversed(circle))
        yield f"works wait for each other: {names}"
