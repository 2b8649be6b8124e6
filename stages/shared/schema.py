"""What `prepare` tells the stages after it of the table: names, types, classes, and no more.

It is the contract less everything that only checks (ranges, units, what may be missing), so that
editing those retrains nothing.
"""

from pathlib import Path

from stages.contract.types import ColumnType, Problem
from stages.shared.frozen import Frozen, Items
from stages.shared.storage import read_json

ROW, TARGET = "_row", "_target"
GROUP = "_group"  # only in a table that is split by group: the group as text
SLICE = "_slice_"  # begins the names of the columns to slice by, which no model sees
RESERVED = (ROW, TARGET, GROUP)  # no column of a contract may have these names
SPLITS = ("train", "validation", "test")


class Field(Frozen):
    """One column of the prepared table; ``values`` are a category's values, as text."""

    name: str
    type: ColumnType
    values: Items[str] = ()


class Derived(Frozen):
    """A number computed from other columns."""

    name: str
    expression: str


class Schema(Frozen):
    """The prepared table's columns, and what is predicted from them.

    ``labels`` are the classes in the order of a model's probabilities, the positive one last;
    for regression there are none.
    """

    problem: Problem
    fields: Items[Field]
    derived: Items[Derived] = ()
    labels: Items[str] = ()
    positive: str | None = None

    @property
    def names(self) -> list[str]:
        return [field.name for field in self.fields]

    @property
    def has_text(self) -> bool:
        return any(field.type == "text" for field in self.fields)

    @property
    def is_binary(self) -> bool:
        return len(self.labels) == 2


def read_schema(folder: Path) -> Schema:
    """Read ``schema.json`` from a prepared folder."""
    path = folder / "schema.json"
    return Schema.parse(read_json(path), str(path))
