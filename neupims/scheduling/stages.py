"""The stages of an iteration: which operator groups run side by side (spec 6.5).

Interleaved, T = T_A + T_B + (n - 1) (T_C + T_D) + T_E + T_F for n layers; serial, T = n (T_A + T_B + T_E).
`unroll` writes every layer out instead of repeating one, which is how the formula is checked.
"""

from collections.abc import Callable
from dataclasses import replace

from neupims.isa.outline import Outline, Part, StageOutline

Sequence = Callable[[int, bool], Outline]
"""Number of layers, and whether to unroll them, to stages."""


def serial(layers: int, unroll: bool) -> Outline:
    """A (QKV), B (attention) and E (projection and FFN) of the whole batch."""
    if not unroll:
        return tuple(replace(stage, repeats=layers) for stage in _serial_layer(0))
    return tuple(stage for layer in range(layers) for stage in _serial_layer(layer))


def interleaved(layers: int, unroll: bool) -> Outline:
    """A to F: while one sub-batch is on the NPU, the other one's attention runs.

    C and D stand for the steady state between two layers; a single layer has none.
    """
    last = layers - 1 if unroll else min(layers - 1, 1)
    middle: Outline = ()
    for layer in range(last):
        middle += _steady(layer, 1 if unroll else layers - 1)
    return (
        StageOutline("A", (Part("qkv", 0, 0),), ()),
        StageOutline("B", (Part("qkv", 1, 0),), (Part("attention", 0, 0),)),
        *middle,
        StageOutline("E", (Part("ffn", 0, last),), (Part("attention", 1, last),)),
        StageOutline("F", (Part("ffn", 1, last),), ()),
    )


def _serial_layer(layer: int) -> Outline:
    return (
        StageOutline("A", (Part("qkv", 0, layer),), ()),
        StageOutline("B", (), (Part("attention", 0, layer),)),
        StageOutline("E", (Part("ffn", 0, layer),), ()),
    )


def _steady(layer: int, repeats: int) -> Outline:
    """C and D between a layer and the next one."""
    following = layer + 1
    return (
        StageOutline("C", (Part("ffn", 0, layer), Part("qkv", 0, following)), (Part("attention", 1, layer),), repeats),
        StageOutline(
            "D", (Part("ffn", 1, layer), Part("qkv", 1, following)), (Part("attention", 0, following),), repeats
        ),
    )


SEQUENCES: dict[str, Sequence] = {"serial": serial, "interleaved": interleaved}


def stages(mode: str, layers: int, unroll: bool = False) -> Outline:
    """Stages of an iteration over `layers` layers in a mode of `SEQUENCES`."""
    return SEQUENCES[mode](layers, unroll)


def execution_mode(interleaving: str, requests: int, interleaving_from: int) -> str:
    """`serial` or `interleaved`, from policy.interleaving and the size of the batch.

    `auto` interleaves from `interleaving_from` requests on; a single request cannot be split.
    """
    wanted = {"on": True, "off": False, "auto": requests >= interleaving_from}[interleaving]
    return "interleaved" if wanted and requests > 1 else "serial"
