"""What `validate` says of one thing that is wrong."""

from stages.shared.frozen import Frozen, Items
from stages.validating.rules import Rule, Severity


class Finding(Frozen):
    """One thing that is wrong with the table.

    ``column`` is a column's name, ``_target``, or None for whole rows. ``count`` says how many
    rows are concerned (0 where rows are what is lacking), ``share`` how many of all. ``rows`` are
    the first of them by their number in the raw table, from 1; ``values`` the first different ones
    seen there, made printable.
    """

    rule: Rule
    severity: Severity
    column: str | None
    found: str
    expected: str
    remedy: str
    count: int
    share: float
    rows: Items[int]
    values: Items[str]
