"""Intervals by the bootstrap: rows drawn again with replacement, as counts of how often.

Rows of one group are drawn together (the cluster bootstrap, Davison and Hinkley 1997, 3.8): four
copies of a row tell no more than one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from stages.evaluating.metrics import Metric, Rows

Array = np.ndarray[Any, np.dtype[Any]]
CELLS_AT_ONCE = 1_000_000  # samples x rows held in memory: 8 MB a matrix
MOST_CELLS = 50_000_000  # above it fewer samples are drawn ...
FEWEST_SAMPLES = 200  # ... but not fewer than this


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it; NaN where undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: ``samples`` drawn from ``seed``, for a share ``confidence``."""

    samples: int
    confidence: float
    seed: int

    @classmethod
    def affordable(cls, wanted: int, rows: int, confidence: float, seed: int) -> "Bootstrap":
        """Draw the samples wanted, but for many rows only as many as MOST_CELLS allows.

        From 50,000 rows on 1,000 samples become fewer, 200 from 250,000 rows on: an interval of so
        many rows is narrow, and the error of its ends small beside it.
        """
        most = max(FEWEST_SAMPLES, MOST_CELLS // max(rows, 1))
        return cls(min(wanted, most), confidence, seed)

    def estimate(self, metrics: Sequence[Metric], rows: Rows) -> dict[str, Estimate]:
        """Return each metric over the rows, with its percentile interval (Efron 1979).

        Samples in which a metric is undefined (ROC AUC where a class is absent) are left out.
        """
        drawn = self.draw(
            len(rows),
            lambda weights: [metric.score(rows, weights) for metric in metrics],
            rows.groups,
        )
        tail = (1 - self.confidence) / 2
        return {
            metric.name: Estimate(metric.of(rows), *_compute_quantiles(scores, tail))
            for metric, scores in zip(metrics, drawn, strict=True)
        }

    def draw(
        self,
        rows: int,
        score: Callable[[Array], Sequence[Array]],
        groups: Array | None = None,
    ) -> Array:
        """Return what ``score`` makes of every sample's weights (scores x samples).

        ``score`` gets weights (some samples x rows) and returns so many arrays of one value a
        sample. Rows of one of the ``groups`` (n numbers) are drawn together.
        """
        with _find_libraries().limit(limits=1, user_api="blas"):
            chunks = [
                np.asarray(score(weights))
                for weights in draw_resamples(rows, self.samples, self.seed, groups)
            ]
        return np.concatenate(chunks, axis=1)


def draw_resamples(
    rows: int, samples: int, seed: int, groups: Array | None = None
) -> Iterator[Array]:
    """Yield matrices (samples x rows, float64) of how often each row is drawn.

    A sample draws as many rows as there are, or as many of the ``groups`` (n numbers), each with
    all of its rows. A generator of its own from ``seed``; no matrix holds more than CELLS_AT_ONCE,
    or one sample.
    """
    codes = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    generator, units = np.random.default_rng(seed), int(codes.max()) + 1
    at_once = max(1, CELLS_AT_ONCE // rows)
    for start in range(0, samples, at_once):
        count = min(at_once, samples - start)
        drawn = generator.integers(0, units, (count, units)) + units * np.arange(count)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units) * 1.0
        yield counts if groups is None else counts[:, codes]


@cache
def _find_libraries() -> ThreadpoolController:
    """One thread for matrix products: sums then do not depend on the number of cores."""
    return ThreadpoolController()


def _compute_quantiles(scores: Array, tail: float) -> tuple[float, float]:
    defined = scores[~np.isnan(scores)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
