"""How long to search for a model's arguments."""

from pydantic import Field

from stages.contract.section import Section


class Tuning(Section):
    """How long to search for one model's arguments."""

    trials: int = Field(default=50, ge=2)
    """How many settings to try."""
    seed: int = 42

    """Another seed tries others."""
