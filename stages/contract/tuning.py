"""How long to search for a model's arguments."""

from pydantic import Field

from stages.shared.frozen import Frozen


class Tuning(Frozen):
    """How long to search for one model's arguments."""

    trials: int = Field(default=50, ge=2)
    seed: int = 42
