"""How the score grows with the number of rows: would more data help?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

Array = np.ndarray[Any, np.dtype[Any]]
MOST_ROWS = 50_000
FOLDS = 3
SHARES = 5  # parts into which the rows to fit on are dealt; 1, 2, … of them are used
FEWEST_ROWS = FOLDS * SHARES  # of each class


@dataclass(frozen=True)
class Point:
    """The mean score on ``rows`` rows fitted on, and on the rows held out from them."""

    rows: int
    fitted: float
    held_out: float


def why_not(model: Any, y: Array, is_classification: bool) -> str | None:
    """Return why the model or its rows (class indices or values, n) suit no learning curve."""
    if not getattr(model, "refittable", True):
        return "fitting this model again takes too long"
    if len(y) > MOST_ROWS:
        return f"{len(y)} rows to fit on: above {MOST_ROWS} it is not worth its time"
    fewest = int(np.unique(y, return_counts=True)[1].min()) if is_classification else len(y)
    if fewest < FEWEST_ROWS:
        return f"{fewest} rows to fit on (of the rarest class): below {FEWEST_ROWS} it says nothing"
    return None


def learning_curve(
    pipeline: Pipeline,
    X: Array,
    y: Array,
    score: Callable[[Pipeline, Array, Array], float],
    is_classification: bool,
    class_weight: str | None,
    seed: int,
) -> list[Point]:
    """Refit copies of the pipeline on 1/5, 2/5 … 5/5 of the rows, each in a 3-fold validation.

    A larger share contains the smaller ones, and each holds the classes in proportion. The copies
    keep the champion's settings, its number of trees included.
    """
    deal = StratifiedKFold if is_classification else KFold
    rounds = [
        _scores(pipeline, X, y, score, shares, held, class_weight)
        for fitted, held in deal(FOLDS, shuffle=True, random_state=seed).split(X, y)
        for shares in [_shares(deal(SHARES, shuffle=True, random_state=seed), fitted, y)]
    ]
    return [Point(int(rows), *scores) for rows, *scores in np.mean(rounds, axis=0).tolist()]


def _shares(deal: Any, fitted: Array, y: Array) -> list[Array]:
    parts = [fitted[part] for _, part in deal.split(fitted, y[fitted])]
    return [np.concatenate(parts[:count]) for count in range(1, len(parts) + 1)]


def _scores(
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
        copy = clone(pipeline).fit(X[chosen], y[chosen], **_weights(class_weight, y[chosen]))
        found.append(
            (len(chosen), score(copy, X[chosen], y[chosen]), score(copy, X[held], y[held]))
        )
    return found


def _weights(class_weight: str | None, y: Array) -> dict[str, Array]:
    if class_weight is None:
        return {}
    return {"estimator__sample_weight": compute_sample_weight(class_weight, y)}
