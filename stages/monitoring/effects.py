"""How far apart two distributions are, in the field's usual measures: reported, never tested."""

import numpy as np

from stages.monitoring.columns import Array
from stages.monitoring.scores import Scale
from stages.shared.frozen import Frozen

DECILES = np.arange(1, 10) / 10
LEAST = 1e-4  # share that stands for an empty part, or PSI would be infinite
DIGITS = 4


class Effects(Frozen):
    """Population stability index (over tenths of the reference, or values), Jensen and Shannon's
    distance (base 2, the same parts), and for numbers Wasserstein's distance in spreads."""

    psi: float
    jensen_shannon: float
    wasserstein: float | None = None


def measure_numbers(reference: Array, window: Array, scale: Scale) -> Effects | None:
    """Return the effects for a number; None where either has no value."""
    old, new = reference[~np.isnan(reference)], window[~np.isnan(window)]
    if not len(old) or not len(new):
        return None
    edges = np.unique(np.quantile(old, DECILES))
    counts = [
        np.bincount(np.searchsorted(edges, cells, side="left"), minlength=len(edges) + 1)
        for cells in (old, new)
    ]
    distance = measure_distance(old, new)
    moved = round(distance / scale.spread, DIGITS) if scale.spread > 0 else None
    return compare_counts(*counts).model_copy(update={"wasserstein": moved})


def measure_categories(reference: Array, window: Array) -> Effects | None:
    """Return the effects for a category; missing cells are left out."""
    old, new = (cells[cells != None].tolist() for cells in (reference, window))  # noqa: E711
    if not old or not new:
        return None
    values = {value: place for place, value in enumerate(sorted({*old, *new}))}
    counts = [
        np.bincount([values[value] for value in cells], minlength=len(values))
        for cells in (old, new)
    ]
    return compare_counts(*counts)


def compare_counts(old: Array, new: Array) -> Effects:
    """Return PSI and Jensen and Shannon's distance between two rows of counts."""
    p, q = old / old.sum(), new / new.sum()
    p_safe, q_safe = np.maximum(p, LEAST), np.maximum(q, LEAST)
    psi = float(((q_safe - p_safe) * np.log(q_safe / p_safe)).sum())
    middle = (p + q) / 2
    divergence = (_diverge(p, middle) + _diverge(q, middle)) / 2
    return Effects(psi=round(psi, DIGITS), jensen_shannon=round(max(divergence, 0) ** 0.5, DIGITS))


def measure_distance(one: Array, other: Array) -> float:
    """Return Wasserstein's distance: the area between two cumulative distributions."""
    values = np.sort(np.concatenate([one, other]))
    held = [
        np.searchsorted(np.sort(part), values[:-1], side="right") / len(part)
        for part in (one, other)
    ]
    return float((np.abs(held[0] - held[1]) * np.diff(values)).sum())


def _diverge(p: Array, q: Array) -> float:
    held = p > 0
    return float((p[held] * np.log2(p[held] / q[held])).sum())
