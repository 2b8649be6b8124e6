"""What who knows the target's mean alone would score, and what the champion gains over that."""

import numpy as np

from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Array, DecisionRule, Metric, Rows
from stages.evaluating.ranking import Difference
from stages.evaluating.settings import EvaluationContext


def predict_baseline(
    context: EvaluationContext, rule: DecisionRule, known: Array, y: Array
) -> Rows:
    """Return what a dummy predicts: always the shares of the classes, or the mean, of ``known``.

    As scikit-learn's DummyClassifier (prior) and DummyRegressor (mean). It decides for the most
    frequent class, and its interval is as wide as the champion's.
    """
    if context.is_classification:
        shares = np.bincount(known, minlength=len(context.schema.labels)) / len(known)
        return Rows(y, np.tile(shares, (len(y), 1)), DecisionRule(bins=rule.bins))
    return Rows(y, np.full(len(y), known.mean()), rule)


def compute_gain(rows: Rows, baseline: Rows, metric: Metric, bootstrap: Bootstrap) -> Difference:
    """Return how much better (above 0) than the baseline the champion predicts the same rows.

    Both are scored on the same samples, so that rows that are hard for both cancel out.
    """

    def score(weights: Array) -> list[Array]:
        return [metric.direction * (metric.score(rows, weights) - metric.score(baseline, weights))]

    drawn = bootstrap.draw(len(rows), score, rows.groups)[0]
    mean = metric.direction * (metric.of(rows) - metric.of(baseline))
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Difference(mean, float("nan"), float("nan"))
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Difference(mean, float(low), float(high))
