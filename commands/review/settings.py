"""What a report is set by: ``report`` in ``conf/config.yaml``, which explains each value."""

from typing import Literal

from pydantic import Field

from stages.shared.frozen import Frozen, Items


class ReportSettings(Frozen):
    """How sure a report is, and what it lets pass."""

    confidence: float = Field(gt=0, lt=1)
    fail_on: Items[Literal["metric", "metrics", "slices"]]
    allowed_loss: float = Field(ge=0)
