"""What a report is set by: ``report`` in ``conf/config.yaml``, which explains each value."""

from typing import Literal

from pydantic import Field

from stages.shared.frozen import Frozen, Items

FailOn = Literal["metric", "metrics", "slices", "out_of_fold", "inconclusive"]


class ReportSettings(Frozen):
    """How sure a report is, and what it lets pass."""

    confidence: float = Field(gt=0, lt=1)
    fail_on: Items[FailOn]
    allowed_loss: float = Field(ge=0)
    margin: float = Field(ge=0)

    @property
    def tolerance(self) -> float:
        """The largest loss that does not matter, as a share of the base's value."""
        return max(self.margin, self.allowed_loss)
