"""What a table is like, in few numbers: what a later table is compared with once it is accepted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from stages.contract.columns import Column
from stages.shared.frozen import Frozen, Items
from stages.shared.schema import TARGET
from stages.validating.findings import Numbers, Prepared, as_numbers, as_seconds
from stages.validating.texts import MOST_TEXTS, WORDS

PARTS = 12  # of about equal size, into which numbers are cut
MOST_VALUES = 100  # of a category that are counted one by one
MOST_WORDS = 20  # of a text column, those that go most with the target ...
RARE = 10  # ... and are in more texts than so many
DIGITS = 6


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


def statistics(prepared: Prepared) -> Statistics:
    """Sum up a prepared table, all splits together."""
    fields = prepared.fields
    names, matrix = ranked(prepared)
    return Statistics(
        task=prepared.task,
        source=prepared.source,
        rows=len(prepared.frame),
        columns={name: spread(prepared.frame[name], it) for name, it in fields.items()},
        ranked=tuple(names),
        correlations=tuple(tuple(_plain(value) for value in row) for row in matrix),
        words={name: _telling(related_words(prepared, name)) for name in text_columns(prepared)},
    )


def spread(cells: pd.Series, column: Column) -> Spread:
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
    return cells.dropna().astype(str).str.lower() if cells.dtype == "boolean" else cells.dropna()


def count_numbers(numbers: Numbers, edges: Sequence[float]) -> tuple[int, ...]:
    """Count numbers up to each edge and above the last; infinite ones count, missing do not."""
    places = np.searchsorted(np.array(edges), numbers[~np.isnan(numbers)], side="left")
    return tuple(np.bincount(places, minlength=len(edges) + 1).tolist())


def count_words(cells: pd.Series, values: Sequence[str]) -> tuple[int, ...]:
    counts = as_words(cells).value_counts()
    known = [int(counts.get(value, 0)) for value in values]
    return (*known, int(counts.sum()) - sum(known))


def ranked(prepared: Prepared) -> tuple[list[str], Any]:
    """Return the columns that can be ranked, and Spearman's correlations between them."""
    kinds = ("number", "integer", "boolean")
    columns = {
        name: as_numbers(prepared.frame[name])
        for name, it in prepared.columns.items()
        if it.type in kinds
    }
    target = _ranked_target(prepared)
    if target is not None:
        columns[TARGET] = target
    ranks = pd.DataFrame(columns).rank()
    return list(columns), ranks.corr(min_periods=10).to_numpy() if columns else np.empty((0, 0))


def text_columns(prepared: Prepared) -> list[str]:
    return [name for name, it in prepared.columns.items() if it.type == "text"]


def related_words(prepared: Prepared, name: str) -> dict[str, float]:
    """Return how each word that is not rare in a text column goes with the target (phi)."""
    target = _ranked_target(prepared)
    if target is None:
        return {}
    texts = prepared.frame[name]
    known = np.flatnonzero(texts.notna() & ~np.isnan(target))[:MOST_TEXTS]
    y = target[known] - target[known].mean() if len(known) else np.empty(0)
    held: Counter[str] = Counter()
    sums: dict[str, float] = {}
    for text, distance in zip(texts.iloc[known], y.tolist(), strict=True):
        for word in set(WORDS.findall(text.casefold())):
            held[word] += 1
            sums[word] = sums.get(word, 0.0) + distance
    scale = float(np.sqrt(len(y) * (y * y).sum()))
    return {
        word: sums[word] / (scale * np.sqrt(count / len(y) * (1 - count / len(y))))
        for word, count in held.items()
        if scale and RARE < count < len(y)
    }


def _telling(related: Mapping[str, float]) -> dict[str, float]:
    order = sorted(related, key=lambda word: (-abs(related[word]), word))
    return {word: round(related[word], DIGITS) for word in order[:MOST_WORDS]}


def _ranked_target(prepared: Prepared) -> Numbers | None:
    labels, target = prepared.target.labels, prepared.frame[TARGET]
    if not labels:
        return as_numbers(target)
    if len(labels) > 2:
        return None
    known = target.isin(labels)
    return np.where(known, (target == labels[1]).to_numpy(dtype=np.float64), np.nan)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DIGITS)
