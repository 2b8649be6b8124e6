"""Ranks candidates by cross-validated score and chooses by the one-standard-error rule.

Nothing here sees a test row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from stages.evaluating.formatting import format_number
from stages.evaluating.metrics import Metric

Array = np.ndarray[Any, np.dtype[Any]]
TIE = 1e-12  # relative: floating-point noise must not decide


@dataclass(frozen=True)
class Candidate:
    """A trained model, and its score on each fold (repeats x folds) in the task's metric."""

    name: str
    complexity: int
    scores: Array

    @property
    def mean(self) -> float:
        return float(self.scores.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean: sqrt(mean over repeats of the fold scores' variance / number of folds).

        As Breiman et al. (1984, 3.4.3) and Hastie et al. (2009, 7.10.1) have it for one run of
        K folds. Repeats use the same rows again, so they steady the estimate of the variance but
        do not divide it. NaN from one fold.
        """
        folds = self.scores.shape[1]
        if folds < 2:
            return float("nan")
        return float(np.sqrt(self.scores.var(axis=1, ddof=1).mean() / folds))


@dataclass(frozen=True)
class Difference:
    """How much better (above 0) or worse a candidate scores than another on the same folds."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """The champion, the candidate of the best mean, and what the rule let in besides."""

    champion: Candidate
    best: Candidate
    limit: float
    within: tuple[Candidate, ...]

    def explain(self, metric: Metric) -> str:
        """Return in words why the champion is the champion."""
        best, champion = self.best, self.champion
        least = "at least" if metric.direction > 0 else "at most"
        names = ", ".join(candidate.name for candidate in self.within)
        mean, error, limit = map(format_number, (best.mean, best.standard_error, self.limit))
        rule = (
            f"The best mean {metric.name} over the folds is {mean} ({best.name}), with a standard "
            f"error of {error}. Of the candidates within one standard error ({least} {limit}: "
            f"{names}) the simplest is chosen: {champion.name}, complexity {champion.complexity}."
        )
        alike = [c.name for c in self.within if c.complexity == champion.complexity]
        return (
            rule if len(alike) == 1 else f"{rule} Of equally simple ones the better mean decides."
        )


def choose(candidates: Sequence[Candidate], metric: Metric) -> Choice:
    """Choose by the one-standard-error rule (Breiman et al. 1984; Hastie et al. 2009, 7.10.1).

    Among the candidates whose mean is within one standard error of the best mean, the one of
    lowest complexity; then the better mean; then the name decides. With a single fold there is no
    standard error, and the best mean wins.
    """
    best = min(candidates, key=lambda c: (-metric.direction * c.mean, c.complexity, c.name))
    allowed = np.nan_to_num(best.standard_error) + TIE * abs(best.mean)
    within = [c for c in candidates if metric.direction * (best.mean - c.mean) <= allowed]
    simplest = min(within, key=lambda c: (c.complexity, -metric.direction * c.mean, c.name))
    limit = best.mean - metric.direction * float(np.nan_to_num(best.standard_error))
    return Choice(simplest, best, limit, tuple(within))


def compare_candidates(
    one: Candidate, other: Candidate, metric: Metric, confidence: float
) -> Difference:
    """Return how much better ``one`` is than ``other`` over the same folds, with an interval.

    The corrected resampled t interval: the training sets overlap, so the variance of a mean of
    J = repeats x folds differences is taken as s² (1/J + 1/(folds - 1)), with J - 1 degrees of
    freedom (Nadeau and Bengio 2003; Bouckaert and Frank 2004). NaN bounds from fewer than 2 folds.
    """
    gains = metric.direction * (one.scores - other.scores)
    mean, folds = float(gains.mean()), gains.shape[1]
    if folds < 2:
        return Difference(mean, float("nan"), float("nan"))
    error = np.sqrt(gains.var(ddof=1) * (1 / gains.size + 1 / (folds - 1)))
    reach = float(stdtrit(gains.size - 1, (1 + confidence) / 2) * error)
    return Difference(mean, mean - reach, mean + reach)
