"""Sums each column up for the report: how many values, which, and how they are spread."""

import math
from typing import Any

import numpy as np
import pandas as pd

from stages.contract.columns import Column
from stages.contract.types import ColumnType
from stages.shared.frozen import Frozen, Items
from stages.validating.cells import Mask, Numbers, format_value
from stages.validating.prepared import Prepared
from stages.validating.spreads import as_amounts

ALL = "all"  # beside the splits' names
BINS = 24
LISTED_VALUES = 12
Plain = float | str  # a number, or a date in ISO 8601


class Part(Frozen):
    """A column in one split or in all rows; infinite numbers count as present only."""

    present: int
    missing: int
    low: Plain | None = None
    median: Plain | None = None
    high: Plain | None = None


class Histogram(Frozen):
    """Counts of the values in the contract's range, and of those out of it.

    ``low`` and ``high`` are the smallest and largest counted. Bin i holds the values from
    ``low + i * width`` up to the next bin's first; dates are seconds since 1970 in UTC.
    """

    low: float
    high: float
    width: float
    counts: Items[int]
    below: int
    above: int


class Value(Frozen):
    """A category (or true and false) with its rows in each split and in all."""

    value: str
    declared: bool
    rows: dict[str, int]


class Profile(Frozen):
    """One column: numbers, dates and lengths of texts have a histogram, the others values.

    ``values`` come the most frequent first; ``others`` says how many different ones are not listed.
    """

    type: ColumnType
    unit: str | None
    parts: dict[str, Part]
    histogram: Histogram | None = None
    values: Items[Value] = ()
    others: int = 0


def profile_columns(prepared: Prepared) -> dict[str, Profile]:
    """Return the profile of each column and of the target."""
    places = {ALL: np.full(len(prepared.frame), True), **prepared.places}
    return {
        name: _profile_column(prepared.frame[name], column, places)
        for name, column in prepared.fields.items()
    }


def _profile_column(cells: pd.Series, column: Column, places: dict[str, Mask]) -> Profile:
    if column.type in ("category", "boolean"):
        parts = {name: _count_cells(cells[inside]) for name, inside in places.items()}
        values, others = _count_values(cells, column, places)
        return Profile(
            type=column.type, unit=column.unit, parts=parts, values=values, others=others
        )
    numbers = as_amounts(cells, column)
    return Profile(
        type=column.type,
        unit="characters" if column.type == "text" else column.unit,
        parts={
            name: _measure_numbers(numbers[inside], column.type) for name, inside in places.items()
        },
        histogram=build_histogram(numbers, column.range or column.length or (-np.inf, np.inf)),
    )


def _count_cells(cells: pd.Series) -> Part:
    return Part(present=int(cells.notna().sum()), missing=int(cells.isna().sum()))


def _measure_numbers(numbers: Numbers, kind: ColumnType) -> Part:
    finite, missing = numbers[np.isfinite(numbers)], int(np.isnan(numbers).sum())
    counts = {"present": len(numbers) - missing, "missing": missing}
    if not len(finite):
        return Part(**counts)
    low, median, high = (to_plain(f(finite), kind) for f in (np.min, np.median, np.max))
    return Part(**counts, low=low, median=median, high=high)


def to_plain(number: float, kind: ColumnType) -> Plain:
    """Return a number as it is, and seconds since 1970 as a date."""
    if kind == "datetime":
        return pd.Timestamp(round(number * 1e6), unit="us").isoformat()
    return float(number)


def build_histogram(numbers: Numbers, bounds: tuple[float, ...]) -> Histogram | None:
    """Count the values within ``bounds`` in bins; None where there are none to count."""
    below, above = numbers < bounds[0], numbers > bounds[1]
    inside = numbers[np.isfinite(numbers) & ~below & ~above]
    span = float(inside.max()) - float(inside.min()) if len(inside) else math.inf
    if not math.isfinite(span):
        return None
    low, (width, bins) = float(inside.min()), _choose_bins(inside, span)
    places = np.minimum((inside - low) // width, bins - 1) if width else np.zeros(len(inside))
    return Histogram(
        low=low,
        high=float(inside.max()),
        width=width,
        counts=tuple(np.bincount(places.astype(np.int64), minlength=bins).tolist()),
        below=int(below.sum()),
        above=int(above.sum()),
    )


def _choose_bins(numbers: Numbers, span: float) -> tuple[float, int]:
    """Return width and number; each bin holds as many whole numbers as the others."""
    if (numbers % 1 == 0).all():
        width = math.ceil((span + 1) / BINS)
        return float(width), math.ceil((span + 1) / width)
    return span / BINS, BINS if span / BINS else 1


def _count_values(
    cells: pd.Series, column: Column, places: dict[str, Mask]
) -> tuple[tuple[Value, ...], int]:
    """Return the most frequent values (equals in the contract's order) and how many others."""
    text = cells if column.type == "category" else cells.map(_to_word, na_action="ignore")
    declared = column.tokens or ("true", "false")
    counts = {name: text[inside].value_counts().to_dict() for name, inside in places.items()}
    names = list(dict.fromkeys([*declared, *counts[ALL]]))
    first = sorted(names, key=lambda name: -counts[ALL].get(name, 0))[:LISTED_VALUES]
    values = tuple(
        Value(
            value=format_value(name),
            declared=name in declared,
            rows={place: count.get(name, 0) for place, count in counts.items()},
        )
        for name in first
    )
    return values, len(names) - len(first)


def _to_word(value: Any) -> str:
    return str(value).lower()
