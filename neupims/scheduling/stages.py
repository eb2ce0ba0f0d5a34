"""The stages of an iteration: which operator groups run side by side (spec 6.5).

Interleaved, T = T_A + T_B + (n - 1) (T_C + T_D) + T_E + T_F for n layers; serial, T = n (T_A + T_B + T_E).
Several layers may be written out instead of repeating one, up to all of them, which is how the formula is checked.
"""

from collections.abc import Callable
from dataclasses import replace

from neupims.isa.outline import Outline, Part, StageOutline

Sequence = Callable[[tuple[int, ...], int], Outline]
"""How often each written layer (serial), or passage from one to the next (interleaved), stands in the iteration, and
the number of sub-batches, to stages."""
AT_EITHER_END = 1
"""Periods before and behind the repeated ones where no barrier makes all of them alike."""


def periods(count: int, written: int, barriers: bool) -> tuple[int, ...]:
    """Repeats of the periods that are written out for `count` equal ones, of which `written` stand for all others.

    Without barriers programs meet as they come, so one more at either end stands for itself.
    """
    ends = 0 if barriers else AT_EITHER_END
    middle = count - 2 * ends
    if middle <= written:
        return (1,) * count
    each, more = divmod(middle, written)
    return (*(1,) * ends, *(each + (index < more) for index in range(written)), *(1,) * ends)


def serial(repeats: tuple[int, ...], sub_batches: int) -> Outline:
    """A (QKV), B (attention) and E (projection and FFN) of the whole batch."""
    return tuple(stage for layer, times in enumerate(repeats) for stage in _serial_layer(layer, times))


def interleaved(repeats: tuple[int, ...], sub_batches: int) -> Outline:
    """While one sub-batch is on the NPU, the attention of the one before it runs.

    Sub-batches take turns. The stages of two are A to F of the paper; C and D stand for the steady state between two
    layers, and a single layer has none.
    """
    turns, last = range(sub_batches), len(repeats)
    names = NAMES if sub_batches == 2 else {key: [f"{key}{turn + 1}" for turn in turns] for key in NAMES}
    first = [StageOutline(names["first"][s], (Part("qkv", s, 0),), _attention(s, 0, sub_batches)) for s in turns]
    middle = [
        StageOutline(
            names["steady"][s],
            (Part("ffn", s, layer), Part("qkv", s, layer + 1)),
            _attention(s, layer + 1, sub_batches),
            times,
        )
        for layer, times in enumerate(repeats)
        for s in turns
    ]
    end = [
        StageOutline(names["last"][s], (Part("ffn", s, last),), _attention(s, last + 1, sub_batches)[: s == 0])
        for s in turns
    ]
    return (*first, *middle, *end)


NAMES = {"first": "AB", "steady": "CD", "last": "EF"}
"""Stages of two sub-batches."""


def _attention(turn: int, layer: int, sub_batches: int) -> tuple[Part, ...]:
    """That of the sub-batch before the one whose QKV of `layer` is on the NPU."""
    if turn:
        return (Part("attention", turn - 1, layer),)
    return (Part("attention", sub_batches - 1, layer - 1),) if layer else ()


def _serial_layer(layer: int, repeats: int) -> Outline:
    return (
        StageOutline("A", (Part("qkv", 0, layer),), (), repeats),
        StageOutline("B", (), (Part("attention", 0, layer),), repeats),
        StageOutline("E", (Part("ffn", 0, layer),), (), repeats),
    )


SEQUENCES: dict[str, tuple[Sequence, int]] = {"serial": (serial, 0), "interleaved": (interleaved, 1)}
"""By mode, with the number of layers that have no period of their own."""


def stages(mode: str, layers: int, written: int = 1, *, barriers: bool = True, sub_batches: int = 2) -> Outline:
    """Stages of an iteration over `layers` layers in a mode of `SEQUENCES`, of which `written` stand for the others.

    Without `barriers` only the first one has one.
    """
    sequence, without = SEQUENCES[mode]
    outline = sequence(periods(layers - without, written, barriers), sub_batches)
    return tuple(replace(stage, barrier=barriers or not index) for index, stage in enumerate(outline))


def execution_mode(interleaving: str, requests: int, interleaving_from: int) -> str:
    """`serial` or `interleaved`, from policy.interleaving and the size of the batch.

    `auto` interleaves from `interleaving_from` requests on; a single request cannot be split.
    """
    wanted = {"on": True, "off": False, "auto": requests >= interleaving_from}[interleaving]
    return "interleaved" if wanted and requests > 1 else "serial"
