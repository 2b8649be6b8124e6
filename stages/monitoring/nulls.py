"""From the deviates of windows to which nothing happened to scales and a threshold."""

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr, stdtrit

from stages.monitoring.calibration import LEVEL, UNIT, SizeNull
from stages.monitoring.columns import Array
from stages.monitoring.statistics import Statistic

KEPT = 200  # of the largest sizes that are written down
SURE = 0.95  # that no more windows exceed the threshold than the budget allows
DIGITS = 5


def fit_null(
    rows: int, deviates: Sequence[Array], statistics: Sequence[Statistic], budget: float
) -> SizeNull:
    """Return the null of windows of one size from those of each half.

    Every other half tells how each statistic varies; the rest, how the largest of them does.
    """
    each = np.abs(np.concatenate(deviates[::2]))
    scales = np.quantile(each, 1 - LEVEL, axis=0)
    scales[[statistic.is_exact for statistic in statistics]] = UNIT
    scales = np.maximum(scales, 1.0).round(DIGITS)
    largest = (np.abs(np.concatenate(deviates[1::2])) / scales).max(axis=1)
    ordered = np.sort(largest)[::-1].round(DIGITS)
    return SizeNull(
        rows=rows,
        windows=len(ordered),
        scales=tuple(scales.tolist()),
        threshold=float(_take_quantile(ordered, budget)),
        largest=tuple(ordered[:KEPT].tolist()),
    )


def _take_quantile(ordered: Array, budget: float) -> float:
    """Return what a ``budget`` share of windows exceeds at most, for SURE; ordered downwards."""
    few = np.arange(len(ordered) + 1)
    allowed = int(np.searchsorted(bdtr(few, len(ordered), budget), 1 - SURE))
    return float(ordered[max(allowed - 1, 0)])


def fit_null_in_time(
    rows: int, reference: int, deviates: Array, statistics: Sequence[Statistic], budget: float
) -> SizeNull:
    """Return the null of windows whose rows follow one another, and may depend on one another.

    How far the reference's own stretches stray from the rest tells each statistic's spread. There
    are few of them, so Student's t has the tails, and Bonferroni's bound the whole check.
    """
    freedom = max(reference / rows - 1, 1.0)
    spread = np.sqrt((deviates**2).mean(axis=0))
    own = np.array([UNIT if statistic.is_exact else 1.0 for statistic in statistics])
    unit = float(stdtrit(freedom, 1 - LEVEL / 2))
    bound = float(stdtrit(freedom, 1 - budget / 2 / len(statistics)))
    scales = np.maximum(spread * unit, own).round(DIGITS)
    return SizeNull(
        rows=rows,
        windows=len(deviates),
        scales=tuple(scales.tolist()),
        threshold=round(bound / unit, DIGITS),
        freedom=round(freedom, DIGITS),
    )
