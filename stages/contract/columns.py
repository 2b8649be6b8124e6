"""What each column that the models see may hold."""

import re
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from stages.contract.checks import Checks
from stages.contract.expressions import Expression
from stages.contract.names import Name, Value, check_order
from stages.contract.section import Section
from stages.contract.types import ColumnType
from stages.shared.frozen import Items


class Column(Section):
    """One column that the models see: its type, unit, and what its values may be."""

    renamed: ClassVar = {"missing_share": "max_missing_share"}

    type: ColumnType
    """What the cells are. A `category` has few values that are listed, a `text` is free."""
    description: str = ""
    """What the column means, for people and for the service's documentation."""
    unit: str | None = None
    """The unit of a number, as in `mmHg`."""
    range: Items[float] | None = Field(default=None, min_length=2, max_length=2)
    """The lowest and the highest number that can be true, both included."""
    values: Items[Value] | None = Field(default=None, min_length=1)
    """All values of a category."""
    length: Items[int] | None = Field(default=None, min_length=2, max_length=2)
    """The fewest and the most characters of a text, counted after `normalise` and without the
    blanks around it."""
    normalise: Literal["NFC", "NFKC"] | None = None
    """The Unicode normalisation form (UAX #15) that a text is brought to."""
    missing: Literal["allowed", "forbidden"] = "forbidden"
    """Whether a row may lack the value."""
    max_missing_share: float | None = Field(default=None, ge=0, le=1)
    """The largest share of rows that may lack it; without it, more than half is worth a
    warning."""
    checks: Checks = Field(default={})
    """How serious breaking a rule is for this column, where not as for the task."""
    unseen: Literal["reject", "flag"] = "reject"
    """What serving does with a category that is none of `values`: refuse the row, or answer it
    as unknown and say so."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.values is not None) != (self.type == "category"):
            raise ValueError("values are listed for a category, and for nothing else")
        if self.values and len(set(self.tokens)) < len(self.values):
            raise ValueError("values must differ from one another")
        if self.range and self.type not in ("number", "integer"):
            raise ValueError(f"a {self.type} has no range")
        if self.unseen == "flag" and self.type != "category":
            raise ValueError(f"a {self.type} has no unseen values: only a category has")
        if (self.length or self.normalise) and self.type != "text":
            raise ValueError(f"a {self.type} has no length and is not normalised: only a text is")
        if self.max_missing_share is not None and self.missing == "forbidden":
            raise ValueError("max_missing_share is for a column of which values may be missing")
        check_order(self.range)
        check_order(self.length, "length")
        return self

    @property
    def tokens(self) -> tuple[str, ...]:
        """The category's values as the text that a table holds."""
        return tuple(str(value) for value in self.values or ())


def check_derived(name: Name, formula: str, columns: dict[Name, Column]) -> None:
    """Raise ValueError unless ``formula`` is arithmetic over number and integer columns."""
    if name in columns or not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ValueError(f"derived.{name}: the name is taken or not a plain one")
    expression = Expression.parse(formula)
    if not expression.is_arithmetic or not expression.names:
        raise ValueError(f"derived.{name}: {formula!r} is not arithmetic over columns")
    for used in sorted(expression.names):
        if used not in columns or columns[used].type not in ("number", "integer"):
            raise ValueError(f"derived.{name}: {used!r} is not a number or integer column")
