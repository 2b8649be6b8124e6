"""How the values of a column are spread, in few numbers."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from stages.contract.columns import Column
from stages.shared.frozen import Frozen, Items
from stages.validating.cells import Numbers, as_numbers, as_seconds

PARTS = 12  # of about equal size, into which numbers are cut
MOST_VALUES = 100  # of a category that are counted one by one


class Spread(Frozen):
    """How one column's values are spread.

    Numbers (of a text: its characters; of a date: seconds since 1970) are counted between
    ``edges``: up to the first, up to the second, …, above the last. Words are counted by
    ``values``, and in a last count all others together.
    """

    missing: int
    edges: Items[float] = ()
    values: Items[str] = ()
    counts: Items[int]


class Statistics(Frozen):
    """``statistics.json``: rows, every column's spread, and how numbers go together.

    ``correlations`` are Spearman's, in the order of ``ranked``; NaN, where a column does not vary,
    is None. Numbers, integers and booleans are ranked, a number to predict, and of two classes the
    positive one against the other. ``words`` has of each text column those words that go most with
    that target, and the correlation (phi) of a text's having one with it.
    """

    format: Literal[1] = 1
    task: str
    source: str
    rows: int
    columns: dict[str, Spread]
    ranked: Items[str]
    correlations: Items[Items[float | None]]
    words: dict[str, dict[str, float]] = Field(default_factory=dict)


def measure_spread(cells: pd.Series, column: Column) -> Spread:
    """Return how a column is spread, cut where it falls into parts of equal size."""
    missing = int(cells.isna().sum())
    if column.type in ("category", "boolean"):
        values = tuple(as_words(cells).value_counts().index[:MOST_VALUES])
        return Spread(missing=missing, values=values, counts=count_words(cells, values))
    numbers = as_amounts(cells, column)
    finite = numbers[np.isfinite(numbers)]
    cuts = np.quantile(finite, np.arange(1, PARTS) / PARTS) if len(finite) else np.empty(0)
    kept = tuple(float(edge) for edge in np.unique(cuts))
    return Spread(missing=missing, edges=kept, counts=count_numbers(numbers, kept))


def as_amounts(cells: pd.Series, column: Column) -> Numbers:
    """Return the numbers that stand for a column that is no category; NaN where missing."""
    if column.type == "text":
        return as_numbers(cells.str.len())
    return as_seconds(cells) if column.type == "datetime" else as_numbers(cells)


def as_words(cells: pd.Series) -> pd.Series:
    """Return the values present as text, one for each of them; booleans in lower case."""
    return cells.dropna().astype(str).str.lower() if cells.dtype == "boolean" else cells.dropna()


def count_numbers(numbers: Numbers, edges: Sequence[float]) -> tuple[int, ...]:
    """Count numbers up to each edge and above the last; infinite ones count, missing do not."""
    places = np.searchsorted(np.array(edges), numbers[~np.isnan(numbers)], side="left")
    return tuple(np.bincount(places, minlength=len(edges) + 1).tolist())


def count_words(cells: pd.Series, values: Sequence[str]) -> tuple[int, ...]:
    """Count the cells of each value, and last those of all others; missing ones do not count."""
    counts = as_words(cells).value_counts()
    known = [int(counts.get(value, 0)) for value in values]
    return (*known, int(counts.sum()) - sum(known))
