"""How windows are judged: ``monitoring`` in ``conf/config.yaml``, which explains each value."""

from typing import Self

from pydantic import Field, model_validator

from stages.shared.frozen import Frozen, Items

OUTCOMES = 0.2  # share of the budget that belongs to outcomes


class PowerSettings(Frozen):
    """What the power card answers for: a shift in spreads, and how sure it is to be found."""

    shift: float = Field(gt=0, le=3)
    probability: float = Field(ge=0.5, lt=1)


class MonitoringSettings(Frozen):
    """How a window is held against the reference."""

    budget: float = Field(gt=0.0005, le=0.2)
    seed: int
    reference_rows: int = Field(ge=100)
    sizes: Items[int] = Field(min_length=1)
    windows: int = Field(ge=500)
    harmless: float = Field(ge=0)
    power: PowerSettings

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 10:
            raise ValueError(f"sizes must grow, from 10 rows on, not be {list(self.sizes)}")
        if self.windows * self.budget < 10:
            raise ValueError(
                f"windows x budget = {self.windows} x {self.budget:g}: a threshold needs at least "
                "10 windows beyond it"
            )
        return self
