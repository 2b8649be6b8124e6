"""Compares two models' predictions of the same rows, for many questions at once.

Rows are drawn again with replacement, the same ones for both models, so that what makes a row hard
for both cancels out. The intervals of one family of questions hold all together: of two equally
good models, any of them misses zero with probability `alpha` at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Metric, Rows

Array = np.ndarray[Any, np.dtype[Any]]
Sign = Literal["better", "worse", "within noise"]
Verdict = Literal["better", "not worse", "inconclusive", "worse"]
FEWEST_IN_TAIL = 5  # samples beyond the quantile, below which it is not trusted
ROUNDING = 1e-12  # relative: a difference by rounding alone is none


class Asked(Protocol):
    """What `differences` answers: a metric of both models on so many rows."""

    @property
    def name(self) -> str: ...
    @property
    def metric(self) -> Metric: ...
    @property
    def rows(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def scores(self) -> tuple[float, float]: ...
    def gains(self, weights: Array) -> Array: ...


@dataclass(frozen=True)
class Question:
    """A metric of both models on the rows where ``mask`` (n) holds; ``name`` is for people."""

    name: str
    metric: Metric
    base: Rows
    here: Rows
    mask: Array

    @classmethod
    def of(cls, name: str, metric: Metric, base: Rows, here: Rows, mask: Array) -> "Question":
        return cls(name, metric, base.part(mask), here.part(mask), mask)

    @property
    def rows(self) -> int:
        return len(self.base)

    @property
    def units(self) -> int:
        return self.base.units

    @cached_property
    def scores(self) -> tuple[float, float]:
        """The metric of base and here; NaN where it is undefined."""
        return self.metric.of(self.base), self.metric.of(self.here)

    def gains(self, weights: Array) -> Array:
        """Return how much the metric grows from base to here, in each sample (samples x n)."""
        own = weights[:, self.mask]
        with np.errstate(divide="ignore", invalid="ignore"):  # a sample may hold none of the rows
            return self.metric.score(self.here, own) - self.metric.score(self.base, own)


@dataclass(frozen=True)
class Difference:
    """The metric of both models, and their difference (here - base) with its interval."""

    name: str
    metric: Metric
    rows: int
    base: float
    here: float
    low: float
    high: float

    @property
    def value(self) -> float:
        return _subtract_values(self.base, self.here)

    @property
    def verdict(self) -> Sign | None:
        """Better or worse where the interval misses zero; None for a metric without direction."""
        if not self.metric.direction:
            return None
        if not (self.low > 0 or self.high < 0):
            return "within noise"
        return "better" if self.metric.direction * self.value > 0 else "worse"

    @property
    def gain(self) -> tuple[float, float, float]:
        """How much better the metric got, and the interval's ends: above 0 is always better."""
        if self.metric.direction < 0:
            return -self.value, -self.high, -self.low
        return self.value, self.low, self.high

    def judge(self, margin: float) -> Verdict | None:
        """Return the verdict where a loss of ``margin`` (a share of the base) does not matter."""
        if not self.metric.direction:
            return None
        _, low, high = self.gain
        return judge_interval(low, high, margin * abs(self.base))


def judge_interval(low: float, high: float, margin: float) -> Verdict:
    """Say what an interval of the gain means; ``margin`` is a loss that does not matter."""
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "not worse" if low >= -margin else "inconclusive"


def estimate_differences(
    questions: Sequence[Asked],
    rows: int,
    bootstrap: Bootstrap,
    alpha: float,
    groups: Array | None = None,
) -> list[Difference]:
    """Answer a family of questions over the same ``rows``; undefined ones are left out.

    Rows of one of the ``groups`` (a number for each row) are drawn together.

    The interval is the difference ± c standard errors of the bootstrap. c is the 1 - alpha
    quantile of the largest |deviation| / standard error over the family (the single-step maxT of
    Westfall and Young 1993), which loses little where questions are alike; it grows with Student's
    t for a question of few rows.
    """
    defined = [question for question in questions if np.isfinite(question.scores).all()]
    if not defined:
        return []
    drawn = bootstrap.draw(
        rows, lambda weights: [question.gains(weights) for question in defined], groups
    )
    bases = np.array([question.scores[0] for question in defined])
    values = np.array([_subtract_values(*question.scores) for question in defined])
    errors = np.nanstd(drawn, axis=1, ddof=1)
    errors[errors <= ROUNDING * np.abs(bases)] = 0
    critical = _find_critical_value(drawn - values[:, None], errors, alpha)
    reach = errors * _widen_reach(critical, np.array([question.units for question in defined]))
    return [
        Difference(
            question.name,
            question.metric,
            question.rows,
            *question.scores,
            value - own,
            value + own,
        )
        for question, value, own in zip(defined, values, reach, strict=True)
        if np.isfinite(own)
    ]


def _make_difference(question: Asked, value: float, reach: float) -> Difference:
    known = question.name, question.metric, question.rows, *question.scores
    return Difference(*known, value - reach, value + reach)


def _subtract_values(base: float, here: float) -> float:
    return 0.0 if abs(here - base) <= ROUNDING * abs(base) else here - base


def _find_critical_value(deviations: Array, errors: Array, alpha: float) -> float:
    """Return how many standard errors the intervals reach, before they are widened for few rows.

    Never further than Bonferroni's bound, which the largest deviation passes where questions have
    so few rows that their samples are coarse, or where too few samples lie beyond the quantile.
    """
    varies = errors > 0
    bonferroni = float(-ndtri(alpha / 2 / max(varies.sum(), 1)))
    if not varies.any() or alpha * deviations.shape[1] < FEWEST_IN_TAIL:
        return bonferroni
    scaled = np.abs(deviations[varies]) / errors[varies, None]
    joint = float(np.quantile(np.nan_to_num(scaled).max(axis=0), 1 - alpha))
    return min(joint, bonferroni)


def _widen_reach(critical: float, units: Array) -> Array:
    """Return the reach for each number of rows: Student's t with as much beyond it as the normal's.

    The bootstrap's variance is that of n rows divided by n rather than n - 1: that is made up for.
    Rows of one group count once.
    """
    reach = stdtrit(units - 1, ndtr(critical)) * np.sqrt(units / (units - 1))
    return np.asarray(reach)
