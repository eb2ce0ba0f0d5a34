"""A whole device, as one YAML file describes it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from neupims.hardware.base import Spec
from neupims.hardware.link import LinkSpec
from neupims.hardware.memory import MemorySpec
from neupims.hardware.npu import GpuSpec, NpuSpec
from neupims.hardware.pim import PimSpec
from neupims.hardware.policy import PolicySpec


class SystemSpec(Spec):
    """One device of a system and the links to its peers."""

    name: str
    title: str
    processor: Annotated[NpuSpec | GpuSpec, Field(discriminator="kind")]
    memory: MemorySpec | None = None
    """Simulated DRAM; a roofline processor has its bandwidth instead."""
    pim: PimSpec | None = None
    link: LinkSpec
    policy: PolicySpec = PolicySpec()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.processor.kind == "npu" and self.memory is None:
            raise ValueError("an npu needs a memory section")
        if self.pim is not None and self.memory is None:
            raise ValueError("pim needs a memory section")
        if self.policy.attention == "pim" and self.pim is None:
            raise ValueError("policy.attention is 'pim' but there is no pim section")
        if self.pim is not None and self.pim.front_end.path != "own" and self.policy.attention_order != "barrier":
            raise ValueError(
                f"pim.front_end.path must be 'own' where policy.attention_order is '{self.policy.attention_order}': in "
                f"line with the scores, an instruction that waits for them would hold them up; use 'barrier'"
            )
        if self.policy.addresses != "placed" and self.policy.attention_order == "head":
            raise ValueError("policy.attention_order 'head' needs policy.addresses 'placed'")
        if self.policy.split_requests is not None and self.policy.addresses != "placed":
            raise ValueError("policy.split_requests needs policy.addresses 'placed'")
        if self.pim is not None and self.memory is not None:
            row = self.memory.organization.row_bytes
            if self.pim.vector_buffer_bytes != row:
                raise ValueError(f"pim.vector_buffer_bytes must be one row ({row} bytes): PIM_GWRITE copies a row")
        return self
