"""What turns predictions into decisions, chosen on out-of-fold predictions alone.

A probability's threshold for two classes, a prediction interval's half width for values.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from stages.evaluating.settings import ThresholdCriterion
from stages.shared.errors import PipelineError

Array = np.ndarray[Any, np.dtype[Any]]


def choose_threshold(
    truth: Array, probability: Array, rule: ThresholdCriterion
) -> tuple[float, float]:
    """Return the probability from which a row counts as positive, and the score it reaches.

    The score is the balanced accuracy (whose best threshold is that of Youden's J, 1950) or F1 of
    ``truth`` (n class indices, 1 positive) against ``probability`` (n). Thresholds are tried half
    way between neighbouring probabilities; of equally good ones the nearest to 0.5 is taken.
    """
    thresholds, accepted, hits = _list_cuts(truth, probability)
    positives, rows = int(truth.sum()), len(truth)
    if rule == "f1":
        scores = 2 * hits / (accepted + positives)
    else:
        rejected = (rows - positives) - (accepted - hits)
        scores = (hits / positives + rejected / (rows - positives)) / 2
    equally_good = thresholds[scores >= scores.max() - 1e-12]
    nearest = equally_good[np.argmin(np.abs(equally_good - 0.5))]
    return float(nearest), float(scores.max())


def compute_half_width(residuals: Array, coverage: float, units: int | None = None) -> float:
    """Return half the width of a prediction interval that holds ``coverage`` of new values.

    The ceil((n + 1) coverage)-th smallest of n absolute residuals (Vovk et al. 2005; Lei et al.
    2018), so the interval is equally wide everywhere. ``residuals`` is repeats x n: repeats are
    pooled, and count as the same n rows. They come from cross-validation rather than from rows
    held out once, which makes the guarantee approximate. Where rows are copies, n is the number of
    ``units``, each of its rows. Raises PipelineError where n is too few.
    """
    repeats, rows = residuals.shape
    units = units or rows
    rank = math.ceil((units + 1) * Fraction(str(coverage)))
    if rank > units:
        raise PipelineError(
            f"evaluation.coverage = {coverage} cannot be had from {units} rows to train on: "
            "lower it in conf/config.yaml"
        )
    ordered = np.sort(np.abs(residuals), axis=None)
    return float(ordered[math.ceil(Fraction(rank * rows, units)) * repeats - 1])


def _list_cuts(truth: Array, probability: Array) -> tuple[Array, Array, Array]:
    """Return thresholds, from high to low, with how many rows each accepts and how many rightly.

    The lowest accepts every row: it lies half way between the lowest probability and 0.
    """
    order = np.argsort(-probability, kind="stable")
    ranked = np.append(probability[order], 0.0)
    last = np.append(np.flatnonzero(ranked[1:-1] < ranked[:-2]), len(truth) - 1)
    return (ranked[last] + ranked[last + 1]) / 2, last + 1, np.cumsum(truth[order])[last]
