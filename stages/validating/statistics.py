"""What a table is like, in few numbers: what a later table is compared with once it is accepted."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.shared.schema import TARGET
from stages.validating.cells import Numbers, as_numbers
from stages.validating.prepared import Prepared
from stages.validating.spreads import Statistics, spread
from stages.validating.texts import MOST_TEXTS, WORDS

MOST_WORDS = 20  # of a text column, those that go most with the target ...
RARE = 10  # ... and are in more texts than so many
DIGITS = 6


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
