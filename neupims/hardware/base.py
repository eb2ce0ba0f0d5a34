"""What every hardware specification has in common: frozen, and closed to unknown keys."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen description of a part. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
