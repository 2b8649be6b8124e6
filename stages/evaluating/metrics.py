"""The metrics, as functions of row weights, so that one call scores every bootstrap sample.

Each takes ``Rows`` and ``weights`` (samples x n, not negative) and returns one value a sample, NaN
where the metric is undefined for it. With weights of one it equals scikit-learn's own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from stages.evaluating import rank_metrics
from stages.evaluating.rank_metrics import Ranking, divide
from stages.shared.errors import PipelineError

Array = np.ndarray[Any, np.dtype[Any]]
Problem = Literal["classification", "regression"]
NO_SPREAD = 1e-12  # relative variance below which R² has nothing to explain


@dataclass(frozen=True)
class DecisionRule:
    """What turns a prediction into a decision, and how it is looked at."""

    threshold: float = 0.5  # probability from which a row counts as positive; binary only
    half_width: float = np.nan  # of the prediction interval; regression only
    bins: int = 10  # of equal width, for the expected calibration error


@dataclass(frozen=True)
class Rows:
    """The truth of n rows, and what was predicted of them.

    ``truth`` is the class index or the value (n); ``prediction`` the probabilities (n x classes)
    or the values (n). Of two classes the second is the positive one. ``groups`` (n numbers) says
    which rows stand for one another, such as copies: an interval counts those once.
    """

    truth: Array
    prediction: Array
    rule: DecisionRule = field(default_factory=DecisionRule)
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def part(self, which: Array) -> "Rows":
        """Return the rows that a mask or an array of indices picks."""
        groups = None if self.groups is None else self.groups[which]
        return Rows(self.truth[which], self.prediction[which], self.rule, groups)

    @property
    def units(self) -> int:
        """The number of groups, or of rows where each is a group of its own."""
        return len(self) if self.groups is None else len(np.unique(self.groups))

    @property
    def classes(self) -> int:
        return int(self.prediction.shape[1])

    @property
    def scored_classes(self) -> list[int]:
        """The classes that one-against-the-rest metrics look at: of two the positive one."""
        return [1] if self.classes == 2 else list(range(self.classes))

    @cached_property
    def decision(self) -> Array:
        """The class decided for each row: by the threshold, or the most probable of several."""
        if self.classes == 2:
            return (self.prediction[:, 1] >= self.rule.threshold).astype(np.int64)
        return np.asarray(np.argmax(self.prediction, axis=1))

    @cached_property
    def rankings(self) -> list[Ranking]:
        return [Ranking.of(self.prediction[:, i], self.truth == i) for i in self.scored_classes]

    @property
    def error(self) -> Array:
        return self.prediction - self.truth


Score = Callable[[Rows, Array], Array]


def roc_auc(rows: Rows, weights: Array) -> Array:
    """Of several classes: the mean over each against the rest, those without both left out."""
    return _mean_defined([rank_metrics.roc_auc(r, weights) for r in rows.rankings])


def average_precision(rows: Rows, weights: Array) -> Array:
    """Of several classes: the mean over each against the rest, those without a row left out."""
    return _mean_defined([rank_metrics.average_precision(r, weights) for r in rows.rankings])


def accuracy(rows: Rows, weights: Array) -> Array:
    """The share of rows decided for their own class."""
    return _mean(rows.decision == rows.truth, weights)


def balanced_accuracy(rows: Rows, weights: Array) -> Array:
    """The mean recall over the classes that have a row."""
    hits, true, _ = _counts(rows, weights)
    return _mean_defined(divide(hits, true))


def f1(rows: Rows, weights: Array) -> Array:
    """Of the positive class, 0 where it neither is nor is decided; of several classes the mean.

    Classes that neither are nor are decided are left out of that mean.
    """
    hits, true, decided = _counts(rows, weights)
    scores = divide(2 * hits, true + decided)
    return np.nan_to_num(scores[1]) if rows.classes == 2 else _mean_defined(scores)


def brier(rows: Rows, weights: Array) -> Array:
    """The mean squared error of the positive class's probability; of several, their errors' sum.

    So 0 to 1 for two classes and 0 to 2 for several (Brier 1950), as in scikit-learn.
    """
    squares = (rows.prediction - np.eye(rows.classes)[rows.truth]) ** 2
    return _mean(squares[:, rows.scored_classes].sum(axis=1), weights)


def log_loss(rows: Rows, weights: Array) -> Array:
    """The mean of -ln of the true class's probability, kept off zero by the float64 epsilon."""
    tiny = np.finfo(np.float64).eps
    likelihood = rows.prediction[np.arange(len(rows)), rows.truth]
    return _mean(-np.log(np.clip(likelihood, tiny, 1 - tiny)), weights)


def ece(rows: Rows, weights: Array) -> Array:
    """Expected calibration error: mean distance of stated and observed share over the bins.

    Bins of equal width over the positive class's probability; with several classes over the
    highest probability, against being right (Naeini et al. 2015, Guo et al. 2017).
    """
    bins, stated, came_true = reliability(rows)
    gaps = np.zeros((len(rows), rows.rule.bins))
    gaps[np.arange(len(rows)), bins] = stated - came_true
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def reliability(rows: Rows) -> tuple[Array, Array, Array]:
    """Return each row's bin, the probability stated, and whether it came true (1.0 or 0.0)."""
    if rows.classes == 2:
        stated, came_true = rows.prediction[:, 1], rows.truth == 1
    else:
        stated, came_true = rows.prediction.max(axis=1), rows.decision == rows.truth
    bins = np.minimum((stated * rows.rule.bins).astype(np.int64), rows.rule.bins - 1)
    return bins, stated, came_true.astype(np.float64)


def rmse(rows: Rows, weights: Array) -> Array:
    """The root of the mean squared error, in the target's unit."""
    return np.sqrt(_mean(rows.error**2, weights))


def mae(rows: Rows, weights: Array) -> Array:
    """The mean absolute error, in the target's unit."""
    return _mean(np.abs(rows.error), weights)


def r2(rows: Rows, weights: Array) -> Array:
    """The share of the target's variance that is explained; NaN where the target is constant."""
    centred = rows.truth - rows.truth.mean()
    squares = _mean(centred**2, weights)
    variance = squares - _mean(centred, weights) ** 2
    variance = np.where(variance > NO_SPREAD * squares, variance, np.nan)
    return 1 - _mean(rows.error**2, weights) / variance


def mape(rows: Rows, weights: Array) -> Array:
    """The mean absolute error as a share of the truth (0.1 is 10 %); NaN where a truth is 0."""
    if np.any(rows.truth == 0):
        return np.full(len(weights), np.nan)
    return _mean(np.abs(rows.error / rows.truth), weights)


def interval_coverage(rows: Rows, weights: Array) -> Array:
    """The share of rows whose truth lies within the prediction's interval."""
    return _mean(np.abs(rows.error) <= rows.rule.half_width, weights)


@dataclass(frozen=True)
class Metric:
    """A metric's name, what it is for, and which end of it is good (0: neither)."""

    name: str
    score: Score
    problem: Problem
    direction: int

    def of(self, rows: Rows) -> float:
        """Return the metric over the rows as they are."""
        return float(self.score(rows, np.ones((1, len(rows))))[0])


METRICS = (
    Metric("roc_auc", roc_auc, "classification", +1),
    Metric("average_precision", average_precision, "classification", +1),
    Metric("accuracy", accuracy, "classification", +1),
    Metric("balanced_accuracy", balanced_accuracy, "classification", +1),
    Metric("f1", f1, "classification", +1),
    Metric("brier", brier, "classification", -1),
    Metric("log_loss", log_loss, "classification", -1),
    Metric("ece", ece, "classification", -1),
    Metric("rmse", rmse, "regression", -1),
    Metric("mae", mae, "regression", -1),
    Metric("r2", r2, "regression", +1),
    Metric("mape", mape, "regression", -1),
    Metric("interval_coverage", interval_coverage, "regression", 0),
)


def metrics_for(problem: Problem) -> list[Metric]:
    return [metric for metric in METRICS if metric.problem == problem]


def find_metric(name: str, problem: Problem, where: str) -> Metric:
    """Return the metric to rank by; raises PipelineError that names ``where`` it was asked for."""
    able = {metric.name: metric for metric in metrics_for(problem) if metric.direction}
    if name not in able:
        known = ", ".join(able)
        raise PipelineError(f"{where} is {name!r}; for {problem} it can be {known}")
    return able[name]


def _mean(values: Array, weights: Array) -> Array:
    means = weights @ values.astype(np.float64) / weights.sum(axis=1)
    return np.asarray(means)


def _counts(rows: Rows, weights: Array) -> tuple[Array, Array, Array]:
    """Return for each class (classes x samples) the weight that is right, is it, is decided it."""
    true = np.eye(rows.classes)[rows.truth]
    decided = np.eye(rows.classes)[rows.decision]
    hits = weights @ (true * decided)
    return hits.T, (weights @ true).T, (weights @ decided).T


def _mean_defined(scores: list[Array] | Array) -> Array:
    """Return the mean over the first axis of what is not NaN; NaN where nothing is."""
    table = np.asarray(scores)
    known = ~np.isnan(table)
    return divide(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
