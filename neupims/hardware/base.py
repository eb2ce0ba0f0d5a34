"""What every hardware specification has in common: frozen, and closed to unknown keys."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveFloat

from neupims.units import period_ps


def _has_whole_period(clock_ghz: float) -> float:
    period_ps(clock_ghz)
    return clock_ghz


ClockGhz = Annotated[PositiveFloat, AfterValidator(_has_whole_period)]
"""A clock in GHz whose period is a whole number of picoseconds."""


class Spec(BaseModel):
    """A frozen description of a part. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
