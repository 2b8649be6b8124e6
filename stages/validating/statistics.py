"""What a table is like, in few numbers: what a later table is compared with once it is accepted."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.shared.schema import TARGET
from stages.validating.cells import Numbers, as_numbers
from stages.validating.prepared import Prepared
from stages.validating.spreads import Statistics, measure_spread
from stages.validating.texts import MOST_TEXTS, WORDS

MOST_WORDS = 20  # of a text column, those that go most with the target ...
RARE = 10  # ... and are in more texts than so many
DIGITS = 6


def compute_statistics(prepared: Prepared) -> Statistics:
    """Sum up a prepared table, all splits together."""
    fields = prepared.fields
    names, matrix = rank_columns(prepared)
    return Statistics(
        task=prepared.task,
        source=prepared.source,
        rows=len(prepared.frame),
        columns={
            name: measure_spread(prepared.frame[name], column) for name, column in fields.items()
        },
        ranked=tuple(names),
        correlations=tuple(tuple(_round_value(value) for value in row) for row in matrix),
        words={
            name: _pick_telling(relate_words(prepared, name))
            for name in list_text_columns(prepared)
        },
    )


def rank_columns(prepared: Prepared) -> tuple[list[str], Any]:
    """Return the columns that can be ranked, and Spearman's correlations between them."""
    kinds = ("number", "integer", "boolean")
    columns = {
        name: as_numbers(prepared.frame[name])
        for name, column in prepared.columns.items()
        if column.type in kinds
    }
    target = _rank_target(prepared)
    if target is not None:
        columns[TARGET] = target
    ranks = pd.DataFrame(columns).rank()
    return list(columns), ranks.corr(min_periods=10).to_numpy() if columns else np.empty((0, 0))


def list_text_columns(prepared: Prepared) -> list[str]:
    """Return the names of the columns of free text."""
    return [name for name, column in prepared.columns.items() if column.type == "text"]


def relate_words(prepared: Prepared, name: str) -> dict[str, float]:
    """Return how each word that is not rare in a text column goes with the target (phi)."""
    target = _rank_target(prepared)
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


def _pick_telling(related: Mapping[str, float]) -> dict[str, float]:
    order = sorted(related, key=lambda word: (-abs(related[word]), word))
    return {word: round(related[word], DIGITS) for word in order[:MOST_WORDS]}


def _rank_target(prepared: Prepared) -> Numbers | None:
    labels, target = prepared.target.labels, prepared.frame[TARGET]
    if not labels:
        return as_numbers(target)
    if len(labels) > 2:
        return None
    known = target.isin(labels)
    return np.where(known, (target == labels[1]).to_numpy(dtype=np.float64), np.nan)


def _round_value(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DIGITS)
