"""List scheduling of a task graph on engines that work side by side, in rounds that begin together.

In every round each engine takes the ready task that is first in line, and goes on with tasks that only wait for what
it does in this round or what was done before it. The stages of sub-batch interleaving (spec 6.5) are the rounds of two
halves of a batch whose layers use the NPU and the PIM in turn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """What one engine does without a break."""

    label: tuple[int, ...]
    """Tasks with the same label are the same work, in another repetition."""
    engine: str
    after: tuple[int, ...]
    """Numbers of the tasks that must have ended before."""
    priority: tuple[int, ...]
    """The lowest goes first."""
    repeats: int = 1
    """How often it is done; if more than once, it shares its round with nothing."""


@dataclass(frozen=True, slots=True)
class Round:
    """Numbers of the tasks of each engine that begin together, by engine."""

    tasks: tuple[tuple[str, tuple[int, ...]], ...]
    repeats: int = 1


def rounds(tasks: Sequence[Task]) -> list[Round]:
    """All tasks in rounds. ValueError if tasks wait for each other."""
    done: set[int] = set()
    made: list[Round] = []
    while len(done) < len(tasks):
        left = sorted((index for index in range(len(tasks)) if index not in done), key=lambda i: tasks[i].priority)
        ready = [index for index in left if done.issuperset(tasks[index].after)]
        if not ready:
            raise ValueError(f"tasks {left} wait for each other")
        made.append(_round(tasks, left, ready, done))
        done.update(index for _, taken in made[-1].tasks for index in taken)
    return made


def _round(tasks: Sequence[Task], left: list[int], ready: list[int], done: set[int]) -> Round:
    alone = next((index for index in ready if tasks[index].repeats > 1), None)
    if alone is not None and alone == ready[0]:
        return Round(((tasks[alone].engine, (alone,)),), tasks[alone].repeats)
    taken: dict[str, list[int]] = {}
    for index in ready:
        if tasks[index].repeats == 1:
            taken.setdefault(tasks[index].engine, [index])
    for engine, line in taken.items():
        known = done | set(line)
        for index in left:
            task = tasks[index]
            follows = line[-1] in task.after and known.issuperset(task.after)
            if task.engine == engine and task.repeats == 1 and index not in known and follows:
                line.append(index)
                known.add(index)
    return Round(tuple((engine, tuple(line)) for engine, line in sorted(taken.items())))


def labels(tasks: Sequence[Task], one: Round) -> tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]:
    """What is done in a round, whatever the repetition."""
    return tuple((engine, tuple(tasks[index].label for index in taken)) for engine, taken in one.tasks)


def repeated(tasks: Sequence[Task], made: Iterable[Round]) -> list[Round]:
    """Each different round once, in order of its first time, with how often it is run."""
    kept: dict[object, Round] = {}
    for one in made:
        key = labels(tasks, one)
        before = kept[key].repeats if key in kept else 0
        first = kept[key].tasks if key in kept else one.tasks
        kept[key] = Round(first, before + one.repeats)
    return list(kept.values())
