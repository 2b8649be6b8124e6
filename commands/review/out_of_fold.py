"""Asks how two champions compare out of fold: each row predicted by models that never saw it.

There are several times as many such rows as test rows, so a loss shows here that a small test
cannot tell from chance. Both sides are scored on the same rows, fold by fold, as `evaluate` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from commands.review.rows import find_shared_fields, match_equal_rows
from commands.review.side import Side
from commands.review.store import MissingError
from stages.evaluating.candidates import OutOfFold
from stages.evaluating.metrics import Metric, Rows, find_metric
from stages.shared.features import encode_target
from stages.shared.folds import count_groups, read_groups, take_groups

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST = 20  # shared rows below which nothing is said


@dataclass(frozen=True)
class Part:
    """The rows held out in one fold of one repeat: their places among the shared rows."""

    places: Array
    rows: Rows


@dataclass(frozen=True)
class FoldQuestion:
    """Asks for the mean of a metric over the folds of every repeat, for both champions.

    Each side keeps its own folds: a table that grew was dealt anew.
    """

    name: str
    metric: Metric
    rows: int
    base: Sequence[Part]
    here: Sequence[Part]
    groups: Array | None = None

    @property
    def units(self) -> int:
        return count_groups(self.groups, self.rows)

    @cached_property
    def scores(self) -> tuple[float, float]:
        """The cross-validated metric of base and here; NaN where it is undefined."""
        everything = np.ones((1, self.rows))
        base, here = (float(self._score(side, everything)[0]) for side in (self.base, self.here))
        return base, here

    def gains(self, weights: Array) -> Array:
        """Return how much the metric grows from base to here, in each sample (samples x n)."""
        return self._score(self.here, weights) - self._score(self.base, weights)

    def _score(self, parts: Sequence[Part], weights: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):  # a sample may hold none of a fold
            scores = [self.metric.score(part.rows, weights[:, part.places]) for part in parts]
        defined = ~np.isnan(scores)
        total = np.nansum(scores, axis=0)
        count = defined.sum(axis=0)
        return np.asarray(np.divide(total, count, where=count > 0, out=total * np.nan))


def ask_out_of_fold(base: Side, here: Side) -> FoldQuestion:
    """Match the rows that both sides trained on; raises MissingError where there are too few."""
    matched = match_equal_rows(base.known, here.known, find_shared_fields(base.schema, here.schema))
    if len(matched.here) < FEWEST:
        raise MissingError(
            f"only {len(matched.here)} of {len(here.known)} rows to train on are the base's, too"
        )
    metric = find_metric(here.evaluation.metric, here.schema.problem, "evaluation.json: metric")
    truth = encode_target(here.known, here.schema)[matched.here]
    order = [base.schema.labels.index(label) for label in here.schema.labels]
    return FoldQuestion(
        f"{metric.name} out of fold",
        metric,
        len(truth),
        _cut_into_folds(base, base.out_of_fold, matched.base, truth, order),
        _cut_into_folds(here, here.out_of_fold, matched.here, truth, list(range(len(order)))),
        take_groups(read_groups(here.known, here.schema), matched.here),
    )


def _cut_into_folds(
    side: Side, found: OutOfFold, places: Array, truth: Array, order: list[int]
) -> list[Part]:
    """Return the shared rows of every fold, classes in the ``order`` of the side here."""
    parts = []
    for folds, predictions in zip(found.folds[:, places], found.predictions, strict=True):
        answers = predictions[places][:, order] if order else predictions[places]
        rows = Rows(truth, answers, side.ranking_terms)
        for fold in np.unique(folds):
            held = np.flatnonzero(folds == fold)
            parts.append(Part(held, rows.part(held)))
    return parts
