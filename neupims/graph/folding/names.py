"""Names in a block: what the paths of the first two repetitions have behind the number in which they differ."""

import re
from collections.abc import Sequence

from neupims.graph.operator import Operator

NUMBERED = re.compile(r"(.*?)(\d+)")


def block_name(first: Sequence[Operator], second: Sequence[Operator]) -> tuple[str, int] | None:
    """`layers` and 4 for repetitions called layers.4 and layers.5, or layers4 and layers5; else None.

    Operators between them, such as a residual outside of the layers, may have other names.
    """
    found = (_parted(a.name, b.name) for a, b in zip(first, second, strict=True))
    places = {parts[:2] for parts in found if parts is not None}
    return places.pop() if len(places) == 1 else None


def strangers(first: Sequence[Operator], second: Sequence[Operator]) -> int:
    """How many operators have names that say nothing of a block; all, if the others do not agree on one."""
    if block_name(first, second) is None:
        return len(first)
    return sum(_parted(a.name, b.name) is None for a, b in zip(first, second, strict=True))


def inner_names(first: Sequence[Operator], second: Sequence[Operator]) -> list[str]:
    """`attention.q` for layers.0.attention.q and layers.1.attention.q; else the kind, numbered. All differ."""
    names: list[str] = []
    for a, b in zip(first, second, strict=True):
        parts = _parted(a.name, b.name)
        name = a.kind if parts is None else parts[2]
        numbered, index = name, 1
        while numbered in names:
            index += 1
            numbered = f"{name}_{index}"
        names.append(numbered)
    return names


def _parted(first: str, second: str) -> tuple[str, int, str] | None:
    """What stands before the number in which two paths differ by one, the number, and what is behind it."""
    a, b = first.split("."), second.split(".")
    at = next((index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if at is None or len(a) != len(b) or a[at + 1 :] != b[at + 1 :] or at + 1 == len(a):
        return None
    x, y = NUMBERED.fullmatch(a[at]), NUMBERED.fullmatch(b[at])
    if x is None or y is None or x[1] != y[1] or int(y[2]) != int(x[2]) + 1:
        return None
    return ".".join(part for part in (*a[:at], x[1]) if part) or "block", int(x[2]), ".".join(a[at + 1 :])
