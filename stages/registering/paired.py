"""Compares two models on the same rows: what one gains over the other, with paired intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Array, Metric, Rows
from stages.evaluating.slices import Slice
from stages.registering.settings import Promotion, Verdict

NOISE = 1e-12  # relative: a difference by rounding alone is none


@dataclass(frozen=True)
class Pair:
    """The same rows as two models predict them."""

    challenger: Rows
    champion: Rows

    def part(self, mask: Array) -> "Pair":
        return Pair(self.challenger.part(mask), self.champion.part(mask))

    def gain(self, metric: Metric) -> float:
        """Return how much better the challenger is: above 0 is better, whatever the metric."""
        gain = metric.direction * (metric.of(self.challenger) - metric.of(self.champion))
        return gain if abs(gain) > NOISE * abs(metric.of(self.champion)) else 0.0

    def gains(self, metrics: Sequence[Metric], bootstrap: Bootstrap) -> Array:
        """Return the gain by every metric (first axis) in every sample; NaN where undefined."""
        directions = np.array([[metric.direction] for metric in metrics])
        challenger, champion = bootstrap.scores(metrics, self.challenger, self.champion)
        return np.asarray(directions * (challenger - champion))


@dataclass(frozen=True)
class Comparison:
    """A metric of both models, the gain with its interval (above 0 is better), and the word.

    ``where`` names the slice, and is empty for all rows.
    """

    metric: str
    where: str
    rows: int
    champion: float
    challenger: float
    gain: float
    low: float
    high: float
    verdict: Verdict


def compare(
    pair: Pair, metrics: Sequence[Metric], terms: Promotion, seed: int
) -> dict[str, Comparison]:
    """Return a comparison for each metric that has a good end, over all rows.

    The intervals are percentile intervals expanded for small samples (Hesterberg 2015, section
    5.3), which a plain percentile interval of few rows undercuts.
    """
    rated = [metric for metric in metrics if metric.direction]
    rows = len(pair.champion)
    bootstrap = Bootstrap.affordable(terms.resamples, rows, terms.confidence, seed)
    tail = expanded_tail(terms.confidence, rows)
    return {
        metric.name: _judged(pair, metric, "", interval(gains, tail), terms.margin)
        for metric, gains in zip(rated, pair.gains(rated, bootstrap), strict=True)
    }


def compare_worst_slice(
    pair: Pair, parts: Sequence[Slice], metric: Metric, terms: Promotion, seed: int
) -> Comparison | None:
    """Return the comparison on the slice where the challenger loses most; None without slices.

    Most in standard errors of the gain. So that looking at many slices finds no loss by chance, the
    interval is that of all slices together: the maximum over them of the studentised bootstrap
    gain (Westfall and Young 1993), drawn for each slice on its own, which errs on the wide side.
    """
    found = [it for it in (_studied(pair, part, metric, terms, seed) for part in parts) if it]
    if not found:
        return None
    reach = np.quantile(np.max([it.deviations for it in found], axis=0), terms.slice_confidence)
    worst = min(found, key=lambda it: it.gain / it.error)
    bounds = worst.gain - reach * worst.error, worst.gain + reach * worst.error
    return _judged(worst.pair, metric, worst.name, bounds, terms.margin)


@dataclass(frozen=True)
class _Studied:
    """A slice's gain, its standard error, and how far each sample's gain is from it in those."""

    name: str
    pair: Pair
    gain: float
    error: float
    deviations: Array


def _studied(
    pair: Pair, part: Slice, metric: Metric, terms: Promotion, seed: int
) -> _Studied | None:
    """Study one slice; None where it is too small, or both models predict the same."""
    inside = pair.part(part.mask)
    rows, gain = len(inside.champion), inside.gain(metric)
    if rows < terms.slice_rows or np.isnan(gain):
        return None
    bootstrap = Bootstrap.affordable(terms.resamples, rows, terms.slice_confidence, seed)
    gains = inside.gains([metric], bootstrap)[0]
    error = float(np.nanstd(gains) * np.sqrt(rows / (rows - 1)))
    if not error > NOISE:
        return None
    deviations = np.nan_to_num(np.abs(gains - gain) / error)
    return _Studied(f"{part.column} {part.label}", inside, gain, error, deviations)


def expanded_tail(confidence: float, rows: int) -> float:
    """Return the share to cut off either end, so that few rows do not make an interval narrow."""
    if rows < 2:
        return 0.0
    t = stdtrit(rows - 1, (1 + confidence) / 2)
    return float(ndtr(-np.sqrt(rows / (rows - 1)) * t))


def interval(gains: Array, tail: float) -> tuple[float, float]:
    """Return the percentile interval of what is defined; the whole line where nothing is."""
    defined = gains[~np.isnan(gains)]
    if not len(defined):
        return -np.inf, np.inf
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def word(low: float, high: float, margin: float) -> Verdict:
    """Say what an interval of the gain means; ``margin`` is a loss that does not matter."""
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "not worse" if low >= -margin else "inconclusive"


def _judged(
    pair: Pair, metric: Metric, where: str, bounds: tuple[float, float], margin: float
) -> Comparison:
    champion, challenger = metric.of(pair.champion), metric.of(pair.challenger)
    verdict = word(*bounds, margin * abs(champion))
    rows, gain = len(pair.champion), pair.gain(metric)
    return Comparison(metric.name, where, rows, champion, challenger, gain, *bounds, verdict)
