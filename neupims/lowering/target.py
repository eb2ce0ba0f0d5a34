"""What a lowering needs to know of the device it lowers to."""

from collections.abc import Callable
from dataclasses import dataclass

from neupims.hardware.npu import NpuSpec
from neupims.hardware.policy import PolicySpec
from neupims.isa.work import Dataflow, Records
from neupims.lowering.storage import Storage

Cost = Callable[[Records, Dataflow], int]
"""Cycles of the NPU clock that STEPs take on the arrays when no data are missing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One device of a tensor-parallel group."""

    npu: NpuSpec
    policy: PolicySpec
    storage: Storage
    bytes_per_cycle: float
    """Memory bandwidth per cycle of the NPU clock."""
    cost: Cost
    devices: int = 1
    """Devices that share each layer."""

    @property
    def element_bytes(self) -> int:
        """Bytes of one number."""
        return self.npu.element_bytes
