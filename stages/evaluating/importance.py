"""Permutation importance: how much worse the metric gets when a column is shuffled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.evaluating.metrics import Metric, Rows

Array = np.ndarray[Any, np.dtype[Any]]
MOST_ROWS = 20_000  # of more, the first so many in a shuffled order are used


@dataclass(frozen=True)
class Importance:
    """How much the metric gets worse, over the permutations: mean and standard deviation."""

    column: str
    mean: float
    deviation: float


def compute_importances(
    predict: Callable[[Array], Array],
    X: Array,
    rows: Rows,
    names: Sequence[str],
    metric: Metric,
    permutations: int,
    seed: int,
) -> list[Importance]:
    """Return the importance of each column of the encoded matrix ``X`` (n x names).

    ``rows`` holds what ``predict`` makes of ``X``. A column that matters has a mean above 0, in the
    metric's own unit (Breiman 2001; Fisher et al. 2019). Every column has a generator of its own,
    so that its result does not depend on the others. At most MOST_ROWS rows are used.
    """
    X, rows = _sample(X, rows, seed)
    found = []
    for index, name in enumerate(names):
        generator = np.random.default_rng([seed, index])
        drops = _measure_drops(predict, X, rows, index, metric, permutations, generator)
        found.append(Importance(name, float(drops.mean()), float(drops.std(ddof=0))))
    return found


def _measure_drops(
    predict: Callable[[Array], Array],
    X: Array,
    rows: Rows,
    index: int,
    metric: Metric,
    permutations: int,
    generator: np.random.Generator,
) -> Array:
    """Predict all permutations of a column in one call, which costs a forest far less."""
    shuffled = np.tile(X, (permutations, 1))
    shuffled[:, index] = np.concatenate(
        [generator.permutation(X[:, index]) for _ in range(permutations)]
    )
    parts = np.split(predict(shuffled), permutations)
    scores = [metric.of(Rows(rows.truth, part, rows.rule)) for part in parts]
    return metric.direction * (metric.of(rows) - np.array(scores))


def _sample(X: Array, rows: Rows, seed: int) -> tuple[Array, Rows]:
    if len(rows) <= MOST_ROWS:
        return X, rows
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS])
    return X[chosen], rows.part(chosen)
