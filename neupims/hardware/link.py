"""Links between devices."""

from pydantic import Field, PositiveFloat

from neupims.hardware.base import Spec


class LinkSpec(Spec):
    """A link of one device to its peers."""

    bandwidth_gb_s: PositiveFloat
    """Per direction."""
    latency_us: float = Field(ge=0)
    """One message between two devices."""
    energy_pj_per_bit: float = Field(ge=0)
