"""How rows are dealt to train, validation and test."""

from datetime import UTC, datetime
from typing import Self

from pydantic import Field, model_validator

from stages.contract.names import Name
from stages.contract.section import Section

ISO_8601 = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?$"


class TimeSplit(Section):
    """Splits by a time column at fixed dates, so that new rows move no old ones.

    Dates and times are ISO 8601, in UTC where they name no zone.
    """

    column: Name
    """The column with each row's date or time."""
    validation_from: str = Field(pattern=ISO_8601)
    """From when on rows are for validation."""
    test_from: str = Field(pattern=ISO_8601)
    """From when on rows are for the test."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        starts = [datetime.fromisoformat(text) for text in (self.validation_from, self.test_from)]
        first, second = (start.replace(tzinfo=start.tzinfo or UTC) for start in starts)
        if first > second:
            raise ValueError("validation_from must not be later than test_from")
        return self


class Split(Section):
    """How rows are dealt to train, validation and test.

    Each row goes by a hash of its content (or of its ``group``) and ``seed``; ``validation`` and
    ``test`` are the shares to expect. With ``time`` the dates decide instead.
    """

    seed: int
    """Another seed deals all rows anew."""
    validation: float = Field(gt=0, lt=1)
    """The share of rows for validation."""
    test: float = Field(gt=0, lt=1)
    """The share of rows for the test."""
    group: Name | None = None
    """A column whose equal values stay in one split together."""
    time: TimeSplit | None = None
    """Dates that split the rows, instead of their content."""

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        if self.group and self.time:
            raise ValueError("split by group or by time, not both")
        return self
