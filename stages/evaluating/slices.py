"""The metric on parts of the rows: each category, both booleans, equal groups of a number.

Texts are grouped by their length in characters. A contract may name columns to slice by that no
model sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluating.bootstrap import Bootstrap, Estimate
from stages.evaluating.metrics import Metric, Rows
from stages.shared.features import UNSEEN
from stages.shared.schema import SLICE, Field

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST_ROWS = 10  # of a slice that gets a value
FEWEST_OF_A_CLASS = 3  # rows, in each of at least two classes


@dataclass(frozen=True)
class Slice:
    """The rows (a mask of n) in which a column has certain values, named by ``label``."""

    column: str
    label: str
    mask: Array


@dataclass(frozen=True)
class Scored:
    """A slice's number of rows, and its estimate or the reason why there is none."""

    column: str
    label: str
    rows: int
    estimate: Estimate | None
    reason: str | None


def cut_slices(fields: Sequence[Field], X: Array, groups: int) -> Iterator[Slice]:
    """Yield the slices of every column of the encoded matrix (n x fields).

    Each row is in exactly one slice of each column. Values missing, or (of a category) not among
    the declared ones, make a slice where there are any.
    """
    for field, column in zip(fields, X.T, strict=True):
        for label, mask in _cut_column(field, _measure(field, column), groups):
            yield Slice(field.name, label, mask)


def read_slices(frame: pd.DataFrame) -> Iterator[Slice]:
    """Yield the slices of the prepared table's columns that are only there to slice by."""
    for name in frame.columns:
        if name.startswith(SLICE):
            values = frame[name].fillna("missing")
            for value in sorted(values.unique()):
                yield Slice(name.removeprefix(SLICE), value, (values == value).to_numpy())


def score_slices(
    parts: Sequence[Slice], rows: Rows, metric: Metric, bootstrap: Bootstrap
) -> list[Scored]:
    """Return the metric with its interval for each slice that has rows enough for it."""
    scored = []
    for part in parts:
        inside = rows.part(part.mask)
        reason = explain_unscorable(inside, metric)
        found = None if reason else bootstrap.estimate([metric], inside)[metric.name]
        if found and np.isnan(found.value):
            found, reason = None, f"{metric.name} is undefined here"
        scored.append(Scored(part.column, part.label, len(inside), found, reason))
    return scored


def sort_worst_first(scored: Sequence[Scored], metric: Metric) -> list[Scored]:
    """Return the slices that have a value, the worst first."""
    known = [(metric.direction * part.estimate.value, part) for part in scored if part.estimate]
    return [part for _, part in sorted(known, key=lambda pair: pair[0])]


def explain_unscorable(rows: Rows, metric: Metric) -> str | None:
    """Return why the slice is too small for the metric, or None."""
    if len(rows) < FEWEST_ROWS:
        return f"fewer than {FEWEST_ROWS} rows"
    if metric.problem == "classification":
        enough = np.bincount(rows.truth) >= FEWEST_OF_A_CLASS
        if enough.sum() < 2:
            return f"fewer than {FEWEST_OF_A_CLASS} rows of a second class"
    return None


def _measure(field: Field, column: Array) -> Array:
    """Return the column as numbers: of a text its length, NaN where it is missing."""
    if field.type == "text":
        return np.array([len(text) or np.nan for text in column])
    return column.astype(np.float64, copy=False)


def _cut_column(field: Field, column: Array, groups: int) -> Iterator[tuple[str, Array]]:
    missing = ~np.isfinite(column)
    if field.type == "category":
        yield from ((value, column == code) for code, value in enumerate(field.values))
        if np.any(column == UNSEEN):
            yield "not declared", column == UNSEEN
    elif field.type == "boolean":
        yield from (("false", column == 0), ("true", column == 1))
    elif not missing.all():
        yield from _cut_groups(field, column, missing, groups)
    if missing.any():
        yield "missing", missing


def _cut_groups(
    field: Field, column: Array, missing: Array, groups: int
) -> Iterator[tuple[str, Array]]:
    """Yield groups of about equal size; equal values stay together, so there may be fewer."""
    cuts = np.quantile(column[~missing], np.arange(1, groups) / groups)
    group = np.where(missing, -1, np.searchsorted(cuts, column, side="left"))
    for number in np.unique(group[~missing]):
        mask = group == number
        yield _format_span(field, column[mask]), mask


def _format_span(field: Field, values: Array) -> str:
    low, high = _format_value(field, values.min()), _format_value(field, values.max())
    span = low if low == high else f"{low} to {high}"
    return f"{span} characters" if field.type == "text" else span


def _format_value(field: Field, value: float) -> str:
    if field.type == "datetime":
        return str(pd.Timestamp(value, unit="s").date())
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
