"""Collectives that join the shards of a tensor-parallel group."""

from neupims.isa.work import LinkWork
from neupims.lowering.target import Target


def all_reduce(name: str, tokens: int, width: int, target: Target) -> tuple[LinkWork, ...]:
    """Sum of a [tokens, width] tensor over all devices; nothing for one device, or if the system does none."""
    if target.devices == 1 or not target.policy.all_reduce:
        return ()
    return (LinkWork(name, "all_reduce", tokens * width * target.element_bytes, target.devices),)
