"""Which stretches of a list of operators to fold."""

from collections.abc import Iterator

import numpy as np

from neupims.graph.folding.flat import Flat, Stretch
from neupims.graph.folding.names import strangers


def stretches(flat: Flat) -> list[Stretch]:
    """Stretches that repeat and are wired alike, in order: the one that covers most, then left and right of it."""
    return _within(flat, 0, len(flat.operators))


def _within(flat: Flat, start: int, end: int) -> list[Stretch]:
    best = _best(flat, start, end)
    if best is None:
        return []
    return [*_within(flat, start, best.start), best, *_within(flat, best.end, end)]


def _best(flat: Flat, start: int, end: int) -> Stretch | None:
    found: Stretch | None = None
    for run in sorted(_alike(flat, start, end), key=lambda run: (-run.size * run.count, run.size, run.start)):
        if found is not None and run.size * run.count <= found.size * found.count:
            break
        aligned = _aligned(flat, run, end)
        if aligned is not None and (found is None or aligned.size * aligned.count > found.size * found.count):
            found = aligned
    return found


def _aligned(flat: Flat, run: Stretch, end: int) -> Stretch | None:
    """The best place to begin: most repetitions, then where names count them, then fewest tensors between them."""
    last = _last_alike(flat, run, end)
    shifted = (
        flat.fitting(Stretch(begin, run.size, (last - begin) // run.size))
        for begin in range(run.start, run.start + run.size)
        if (last - begin) // run.size > 1
    )
    found = [stretch for stretch in shifted if stretch.count > 1]
    return min(found, key=lambda stretch: _cost(flat, stretch), default=None)


def _cost(flat: Flat, stretch: Stretch) -> tuple[int, int, int, int]:
    ops, middle = flat.operators, stretch.start + stretch.size
    unnamed = strangers(ops[stretch.start : middle], ops[middle : middle + stretch.size])
    return (-stretch.count, unnamed, flat.crossing(stretch), stretch.start)


def _last_alike(flat: Flat, run: Stretch, end: int) -> int:
    place = run.start + run.size
    while place < end and flat.keys[place] == flat.keys[place - run.size]:
        place += 1
    return place


def _alike(flat: Flat, start: int, end: int) -> Iterator[Stretch]:
    """Stretches whose operators look alike, whatever they read, one for each size and place where they begin."""
    keys = np.array(flat.keys[start:end])
    for size in range(1, len(keys) // 2 + 1):
        equal = np.concatenate(([False], keys[size:] == keys[:-size], [False]))
        edges = np.flatnonzero(equal[1:] != equal[:-1])
        for begin, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if stop - begin >= size:
                yield Stretch(start + begin, size, (stop - begin) // size + 1)
