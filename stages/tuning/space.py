"""Where a search for better arguments looks: ``conf/tune/<model>.yaml``."""

from typing import Self

from pydantic import model_validator

from stages.shared.frozen import Frozen, Items

Value = bool | int | float | str | None
Values = dict[str, Value]  # by argument


class Range(Frozen):
    """Where to look for one argument: from ``low`` to ``high``, both included, or in ``choices``.

    Two whole numbers bound whole numbers. ``log``: as many trials from 1 to 10 as from 10 to 100.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: Items[Value] = ()

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.choices and (self.low, self.high, self.log) == (None, None, False):
            return self
        if self.choices or self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        if self.low >= self.high:
            raise ValueError("low has to be below high")
        if self.log and self.low <= 0:
            raise ValueError("log needs a low above 0")
        return self
