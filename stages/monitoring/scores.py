"""Normal scores: what a standard normal variable has at a value's rank. Ties share a rank."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from stages.monitoring.columns import Array

BINS = 40  # of about equal size, in which a distribution's shape is compared
EXCEEDING = 0.02  # share of the rows behind a tail's model ...
FEWEST = 20  # ... and how many there are at least
BEYOND = (1e-5, 1e-4)  # probabilities, by that model, beyond which values count as outliers
SLOWEST_TAIL = 0.9  # largest shape of a generalised Pareto tail that is believed


@dataclass(frozen=True)
class Scale:
    """How one number's values are read: its scores, its bins, and where outliers begin.

    ``limits`` are the lowest and highest value that is none, for each probability of ``BEYOND``;
    ``spread`` is the unit of shifts: the distance between quartiles as a standard deviation.
    """

    values: Array
    scores: Array
    edges: Array
    limits: tuple[tuple[float, float], ...]
    spread: float

    @classmethod
    def fit(cls, cells: Array) -> "Scale":
        """Read the scale off a reference's cells; NaN is missing."""
        known = np.sort(cells[~np.isnan(cells)])
        if not len(known):
            nothing = np.empty(0)
            return cls(nothing, nothing, nothing, ((-np.inf, np.inf),) * len(BEYOND), 0.0)
        values, counts = np.unique(known, return_counts=True)
        middles = (np.cumsum(counts) - counts / 2) / len(known)
        cuts = values if len(values) <= BINS else np.quantile(known, np.arange(1, BINS) / BINS)
        limits = tuple((-_find_limit(-known[::-1], p), _find_limit(known, p)) for p in BEYOND)
        edges = np.unique(cuts)[: BINS - 1]
        return cls(values, ndtri(middles), edges, limits, _measure_spread(known))

    @property
    def varies(self) -> bool:
        return len(self.values) > 1

    def score(self, cells: Array) -> Array:
        """Return the normal scores; beyond the reference's ends they stay at its ends."""
        if not self.varies:
            return np.zeros(len(cells))
        return np.asarray(
            np.interp(np.nan_to_num(cells, nan=self.values[0]), self.values, self.scores)
        )

    def bin(self, cells: Array) -> Array:
        """Return each cell's bin, from 0; a missing cell has the last one, ``BINS``."""
        places = np.searchsorted(self.edges, cells, side="left")
        return np.asarray(np.where(np.isnan(cells), BINS, places), dtype=np.int64)

    def find_outliers(self, cells: Array) -> list[Array]:
        """Say for each of ``BEYOND`` which cells are farther out than the tails explain."""
        return [(cells < low) | (cells > high) for low, high in self.limits]


def _measure_spread(known: Array) -> float:
    quartiles = np.quantile(known, [0.25, 0.75])
    return float((quartiles[1] - quartiles[0]) / 1.349) or float(known.std())


def _find_limit(known: Array, probability: float) -> float:
    """Return the value beyond which values have the ``probability``.

    The largest values of the sorted ones are taken for a generalised Pareto tail (Hosking and
    Wallis 1987, by probability weighted moments), whose shape is taken at the slow end of what the
    rows leave open: better a missed outlier than a false one.
    """
    count = max(FEWEST, int(EXCEEDING * len(known)))
    if len(known) < 2 * FEWEST:
        return float(known[-1])
    start = known[-count - 1]
    above = known[-count:] - start
    mean, weighted = above.mean(), (above * (1 - (np.arange(count) + 0.65) / count)).mean()
    if not mean > 2 * weighted > 0:
        return float(known[-1])
    shape = 2 - mean / (mean - 2 * weighted)  # of Hosking's k, with the sign of xi
    slow = float(np.clip(shape + 1.645 * (1 + abs(shape)) / np.sqrt(count), 0.05, SLOWEST_TAIL))
    reach = ((probability * len(known) / count) ** -slow - 1) / slow
    return float(max(known[-1], start + mean * (1 - slow) * reach))
