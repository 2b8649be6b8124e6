"""Finds a target that follows from several columns: by a sum, a product, or by comparing two.

What was rounded on the way does not hide it. A draft says so, and `validate` stops there.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stages.shared.heuristics import FEW_ROWS, ROWS

NEARLY = 0.999  # share of a target's variance, or of its classes, from which a formula is told
COMPARED = 0.95  # the same for a class that a comparison of two columns tells
AHEAD = 3.0  # times that a column's part in a sum outweighs what is left over
MOST_COLUMNS = 60  # whose pairs are compared
COMPARED_ROWS = 2_000

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Formula:
    """What tells the target: the columns, in words how, the share it tells, the largest miss.

    The share is that of the variance (numbers), or of the balanced accuracy beyond guessing
    (classes); ``miss`` is in the target's unit, or a number of rows of ``rows``.
    """

    columns: tuple[str, ...]
    text: str
    share: float
    miss: float
    rows: int
    is_classification: bool

    @property
    def exactness(self) -> str:
        """Say how exactly the formula holds."""
        if self.is_classification and not self.miss:
            return f"in each of {self.rows:,} rows"
        if self.is_classification:
            return f"in all but {self.miss:,.0f} of {self.rows:,} rows"
        if not self.miss:
            return f"exactly, in {self.rows:,} rows"
        return f"to within {self.miss:.2g} in {self.rows:,} rows"


def find_formula(
    names: Sequence[str], numbers: Array, target: Array, *, is_classification: bool
) -> Formula | None:
    """Return the formula that tells the ``target`` (n) from ``numbers`` (n x names), if any.

    Rows with a gap are left out. Classes are any labels.
    """
    complete = np.isfinite(numbers).all(axis=1) & ~pd.isna(target)
    rows = np.flatnonzero(complete)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:ROWS])
    if len(rows) < FEW_ROWS + 3 * len(names) or not names:
        return None
    if is_classification:
        return _find_comparison(names, numbers[rows], pd.factorize(target[rows])[0])
    return _find_sum(names, numbers[rows], target[rows].astype(np.float64)) or _find_product(
        names, numbers[rows], target[rows].astype(np.float64)
    )


def _find_sum(names: Sequence[str], X: Array, y: Array) -> Formula | None:
    """Return the weighted sum that tells ``y``: least squares on every other row tell the rest."""
    used = np.flatnonzero(np.ptp(X, axis=0) > 0)
    if not np.ptp(y) or not len(used):
        return None
    weights = _fit_weights(X[:, used], y)
    if _measure_share(_add_up(X[:, used], weights), y) < NEARLY:
        return None
    left = float(np.std(y - _add_up(X[:, used], weights)))
    parts = np.abs(weights[:-1]) * X[:, used].std(axis=0)
    used = used[parts > max(AHEAD * left, 1e-6 * float(y.std()))]
    if not len(used):
        return None
    weights = _round_weights(_fit_weights(X[:, used], y), X[:, used], y)
    text = _write_sum([names[i] for i in used], weights, float(y.std()))
    return _state(names, used, text, _add_up(X[:, used], weights), y)


def _find_product(names: Sequence[str], X: Array, y: Array) -> Formula | None:
    """Return the product or ratio that tells ``y``, of columns that are positive throughout."""
    positive = np.flatnonzero((X > 0).all(axis=0) & (np.ptp(X, axis=0) > 0))
    if (y <= 0).any() or not np.ptp(y) or not len(positive):
        return None
    logs, log_y = np.log(X[:, positive]), np.log(y)
    powers = np.round(2 * _fit_weights(logs, log_y)[:-1]) / 2
    used = np.flatnonzero(powers)
    if not len(used):
        return None
    scale = float(np.exp(np.median(log_y - logs @ powers)))
    scale = 1.0 if abs(scale - 1) < 1e-3 else scale
    told = scale * np.exp(logs @ powers)
    factors = [(names[positive[i]], float(powers[i])) for i in used]
    return _state(names, positive[used], _write_product(factors, scale), told, y)


def _find_comparison(names: Sequence[str], X: Array, codes: Array) -> Formula | None:
    """Return the two columns of which the larger one tells the class."""
    few = X[:COMPARED_ROWS], codes[:COMPARED_ROWS]
    pairs = itertools.combinations(range(min(len(names), MOST_COLUMNS)), 2)
    scored = [(_score_comparison(*few, pair), pair) for pair in pairs]
    share, pair = max(scored, default=(0.0, (0, 0)))
    if share < COMPARED:
        return None
    share = _score_comparison(X, codes, pair)
    counts = _count_signs(X, codes, pair)
    missed = len(codes) - int(counts.max(axis=1).sum())
    columns = tuple(names[i] for i in pair)
    text = f"whether {columns[0]} is below, equal to or above {columns[1]}"
    return Formula(columns, text, share, missed, len(codes), True) if share >= COMPARED else None


def _score_comparison(X: Array, codes: Array, pair: tuple[int, int]) -> float:
    """Return the balanced accuracy of the sign of a difference, on a scale where guessing is 0."""
    counts = _count_signs(X, codes, pair)
    guesses = counts.argmax(axis=1)
    sizes = counts.sum(axis=0)
    hits = np.array(
        [counts[guesses == code, code].sum() for code in range(counts.shape[1])], dtype=float
    )
    classes = int((sizes > 0).sum())
    if classes < 2:
        return 0.0
    recall = float((hits[sizes > 0] / sizes[sizes > 0]).mean())
    return (recall - 1 / classes) / (1 - 1 / classes)


def _count_signs(X: Array, codes: Array, pair: tuple[int, int]) -> Array:
    """Return how often each class (columns) is seen with each sign (rows) of the difference."""
    classes = int(codes.max()) + 1
    signs = np.sign(X[:, pair[0]] - X[:, pair[1]]).astype(np.int64) + 1
    return np.bincount(signs * classes + codes, minlength=3 * classes).reshape(3, classes)


def _fit_weights(X: Array, y: Array) -> Array:
    """Return the weights of least squares on every other row, the constant last."""
    scale = np.maximum(np.abs(X).max(axis=0), 1e-300)
    design = np.column_stack([X / scale, np.ones(len(X))])[::2]
    weights = np.linalg.lstsq(design, y[::2], rcond=1e-12)[0]
    return np.append(weights[:-1] / scale, weights[-1])


def _round_weights(weights: Array, X: Array, y: Array) -> Array:
    """Return weights rounded to what a person would have written, where that tells as much."""
    error = float(np.std(y - _add_up(X, weights)))
    for digits in (1, 2, 3):
        simple = np.array([float(f"{weight:.{digits}g}") for weight in weights])
        simple[-1] = 0.0 if abs(weights[-1]) < 0.01 * y.std() else float(f"{weights[-1]:.3g}")
        if np.std(y - _add_up(X, simple)) <= 1.1 * error + 1e-9 * y.std():
            return simple
    return weights


def _add_up(X: Array, weights: Array) -> Array:
    return np.asarray(X @ weights[:-1] + weights[-1])


def _measure_share(told: Array, y: Array) -> float:
    """Return the share of the variance of ``y`` that is told, in the rows not fitted on."""
    rest = slice(1, None, 2)
    return 1 - float(np.mean((told - y)[rest] ** 2) / np.var(y))


def _state(names: Sequence[str], used: Array, text: str, told: Array, y: Array) -> Formula | None:
    share = _measure_share(told, y)
    if not share >= NEARLY:
        return None
    miss = float(np.abs(told - y).max())
    miss = 0.0 if miss <= 1e-9 * max(float(np.abs(y).max()), 1.0) else miss
    return Formula(tuple(names[i] for i in used), text, share, miss, len(y), False)


def _write_sum(names: Sequence[str], weights: Array, spread: float) -> str:
    terms = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):.6g} '}{name}"
        for name, weight in zip(names, weights, strict=False)
    ]
    if abs(weights[-1]) > 1e-9 * spread:
        terms.append(f"{'-' if weights[-1] < 0 else '+'} {abs(weights[-1]):.6g}")
    return " ".join(terms).removeprefix("+ ")


def _write_product(factors: Sequence[tuple[str, float]], scale: float) -> str:
    above = [_write_power(name, power) for name, power in factors if power > 0]
    below = [_write_power(name, -power) for name, power in factors if power < 0]
    first = [f"{scale:.6g}"] if scale != 1 or not above else []
    return " / ".join([" * ".join([*first, *above]), *below])


def _write_power(name: str, power: float) -> str:
    return name if power == 1 else f"{name}^{power:g}"
