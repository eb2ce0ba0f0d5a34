"""What an operator group waits for in the other program, where no barrier between stages does it."""

from neupims.isa.outline import Operators, Outline, Part
from neupims.lowering.kv import KvRows
from neupims.lowering.layer import Layer
from neupims.lowering.placement import LinearCache

Parts = frozenset[Part]

BEFORE: dict[Operators, tuple[Operators, str]] = {
    "attention": ("qkv", "attention.qkv"),
    "ffn": ("attention", "attention"),
}
"""The group of the other program that one needs, in the same layer and sub-batch, and the last operator of it."""


def parts_together(outline: Outline) -> list[Parts]:
    """For each stage, the parts of all stages between the same two barriers."""
    begins = [index for index, stage in enumerate(outline) if not index or stage.barrier]
    groups = [outline[low:high] for low, high in zip(begins, [*begins[1:], len(outline)], strict=True)]
    parts = [frozenset(part for stage in group for part in (*stage.npu, *stage.attention)) for group in groups]
    return [together for together, group in zip(parts, groups, strict=True) for _ in group]


def waits_for(part: Part, layer: Layer, together: Parts, cache: KvRows | LinearCache) -> tuple[str, ...]:
    """Names of the works that the first operator of `part` comes after; none where attention is on the NPU as well."""
    if part.operators not in BEFORE or not isinstance(cache, KvRows):
        return ()
    operators, name = BEFORE[part.operators]
    return (layer.name(name),) if Part(operators, part.sub_batch, part.layer) in together else ()
