"""How the score grows with the number of rows: would more data help?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from stages.shared.folds import deal_folds, take_groups

Array = np.ndarray[Any, np.dtype[Any]]
MOST_ROWS = 50_000
FOLDS = 3
SHARES = 5  # parts into which the rows to fit on are dealt; 1, 2, … of them are used
FEWEST = FOLDS * SHARES  # rows of each class, or groups of rows that have it


@dataclass(frozen=True)
class Point:
    """The mean score on ``rows`` rows fitted on, and on the rows held out from them."""

    rows: int
    fitted: float
    held_out: float


def explain_skip(
    model: Any, y: Array, is_classification: bool, groups: Array | None = None
) -> str | None:
    """Return why the model or its rows (class indices or values, n) suit no learning curve."""
    if not getattr(model, "refittable", True):
        return "fitting this model again takes too long"
    if len(y) > MOST_ROWS:
        return f"{len(y)} rows to fit on: above {MOST_ROWS} it is not worth its time"
    units = np.arange(len(y)) if groups is None else groups
    kinds = np.unique(y) if is_classification else [y]
    fewest = min(len(np.unique(units[y == kind])) for kind in kinds)
    if fewest < FEWEST:
        name = "rows" if groups is None else "groups"
        return f"{fewest} {name} to fit on (of the rarest class): below {FEWEST} it says nothing"
    return None


def compute_learning_curve(
    pipeline: Pipeline,
    X: Array,
    y: Array,
    score: Callable[[Pipeline, Array, Array], float],
    is_classification: bool,
    class_weight: str | None,
    seed: int,
    groups: Array | None = None,
) -> list[Point]:
    """Refit copies of the pipeline on 1/5, 2/5 … 5/5 of the rows, each in a 3-fold validation.

    A larger share contains the smaller ones, and each holds the classes in proportion; of groups
    that cannot, those shares are left out that lack a class. Rows of one of the ``groups`` are
    never on both sides. The copies keep the champion's settings, its number of trees included.
    """
    rounds = [
        (_deal_shares(fitted, y, seed, is_classification, groups), held)
        for fitted, held in deal_folds(y, FOLDS, seed, is_classification, groups)
    ]
    lacking = (
        max(_count_lacking_a_class(shares, y) for shares, _ in rounds) if is_classification else 0
    )
    found = [
        _score_shares(pipeline, X, y, score, shares[lacking:], held, class_weight)
        for shares, held in rounds
    ]
    return [Point(int(rows), *scores) for rows, *scores in np.mean(found, axis=0).tolist()]


def _deal_shares(
    fitted: Array, y: Array, seed: int, is_classification: bool, groups: Array | None
) -> list[Array]:
    dealing = deal_folds(y[fitted], SHARES, seed, is_classification, take_groups(groups, fitted))
    parts = [fitted[part] for _, part in dealing]
    return [np.concatenate(parts[:count]) for count in range(1, len(parts) + 1)]


def _count_lacking_a_class(shares: list[Array], y: Array) -> int:
    """Return how many shares, the smaller ones, hold too few groups for every class."""
    return sum(len(np.unique(y[share])) < len(np.unique(y)) for share in shares)


def _score_shares(
    pipeline: Pipeline,
    X: Array,
    y: Array,
    score: Callable[[Pipeline, Array, Array], float],
    shares: list[Array],
    held: Array,
    class_weight: str | None,
) -> list[tuple[int, float, float]]:
    """Return for each share its rows, and the scores on it and on the rows held out."""
    found = []
    for chosen in shares:
        copy = clone(pipeline).fit(X[chosen], y[chosen], **_weigh_rows(class_weight, y[chosen]))
        found.append(
            (len(chosen), score(copy, X[chosen], y[chosen]), score(copy, X[held], y[held]))
        )
    return found


def _weigh_rows(class_weight: str | None, y: Array) -> dict[str, Array]:
    if class_weight is None:
        return {}
    return {"estimator__sample_weight": compute_sample_weight(class_weight, y)}
