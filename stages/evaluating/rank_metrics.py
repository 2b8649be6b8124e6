"""ROC AUC and average precision for many row weights at once: one sort, then running sums."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Ranking:
    """Rows sorted from the highest score to the lowest, the positive and the negative ones apart.

    ``positives`` and ``negatives`` are row indices. The others have an entry for each positive row:
    how many negatives score higher (``above``), how many at least as high (``level``), and how many
    positives at least as high (``rank``, itself included).
    """

    positives: Array
    negatives: Array
    above: Array
    level: Array
    rank: Array

    @classmethod
    def of(cls, scores: Array, positive: Array) -> Self:
        """Rank rows by ``scores`` (n); ``positive`` (n) is a mask."""
        order = np.argsort(-scores, kind="stable")
        hits, others = order[positive[order]], order[~positive[order]]
        high, low = -scores[hits], -scores[others]
        above, level = (np.searchsorted(low, high, side) for side in ("left", "right"))
        return cls(hits, others, above, level, np.searchsorted(high, high, "right"))


def roc_auc(ranking: Ranking, weights: Array) -> Array:
    """Return the area under the ROC curve of each sample (samples x n); NaN without both classes.

    The weight of pairs in the right order, ties counting half (Mann and Whitney 1947), which is
    the trapezoidal rule of scikit-learn's ``roc_auc_score``.
    """
    hits, false = weights[:, ranking.positives], _accumulate(weights[:, ranking.negatives])
    higher = false[:, ranking.above] + false[:, ranking.level]
    positive, negative = hits.sum(axis=1), false[:, -1]
    return 1 - divide(_dot(hits, higher), 2 * positive * negative)


def average_precision(ranking: Ranking, weights: Array) -> Array:
    """Return the step-wise area under the precision-recall curve; NaN without a positive.

    The mean over the positives of the precision at their score, as scikit-learn's
    ``average_precision_score``.
    """
    hits, false = weights[:, ranking.positives], _accumulate(weights[:, ranking.negatives])
    right = _accumulate(hits)[:, ranking.rank]
    accepted = right + false[:, ranking.level]
    precision = np.divide(right, accepted, out=right, where=accepted > 0)
    return divide(_dot(hits, precision), hits.sum(axis=1))


def divide(parts: Array, wholes: Array) -> Array:
    """Return the quotients; NaN where the whole is 0."""
    unknown = np.full(parts.shape, np.nan)
    return np.asarray(np.divide(parts, wholes, out=unknown, where=wholes > 0))


def _accumulate(weights: Array) -> Array:
    """Return the sums of the first 0, 1, … columns."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _dot(left: Array, right: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", left, right))
