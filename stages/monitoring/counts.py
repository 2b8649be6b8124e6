"""Exact tests of counts: a part of a window's rows against the same part of the reference's."""

from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ndtri

from stages.monitoring.columns import Array

FAR = 37.0  # the largest deviate that a float's probability allows


def rank_middle(values: Array) -> Array:
    """Return each value's rank, from 1; equal ones share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[places])


@lru_cache(maxsize=8)
def _log_factorials(largest: int) -> Array:
    return np.asarray(gammaln(np.arange(largest + 1) + 1.0))


@lru_cache(maxsize=4096)
def tabulate_deviates(held: int, reference: int, window: int) -> Array:
    """Return for each count 0 … window the normal deviate of its two-sided probability.

    ``held`` of the ``reference`` rows are in the part. What a window of so many rows may hold then
    is known exactly, whatever the part's true share (beta-binomial, all shares alike beforehand):
    one row of a value never seen has the probability window / (reference + window + 1). Above 0
    is more than expected.
    """
    counts = np.arange(window + 1)
    log = _log_factorials(reference + window)
    inside = log[held + counts] - log[held] - log[counts]
    rest = reference - held
    outside = log[rest + window - counts] - log[rest] - log[window - counts]
    whole = log[reference + window] - log[reference] - log[window]
    chance = np.exp(inside + outside - whole) * (reference + 1) / (reference + window + 1)
    below, above = np.cumsum(chance), np.cumsum(chance[::-1])[::-1]
    tail = np.minimum(1.0, 2 * np.minimum(below, above))
    size = np.minimum(-ndtri(np.maximum(tail, 1e-300) / 2), FAR)
    return np.asarray(np.where(above < below, size, -size))


def compute_deviates(counts: Array, held: Array, reference: int, window: int) -> Array:
    """Return the deviates of counts (windows x parts), of which the reference has ``held``."""
    tables = [tabulate_deviates(int(k), reference, window) for k in held.tolist()]
    found = [table[column] for table, column in zip(tables, counts.T, strict=True)]
    return np.stack(found, axis=1) if found else np.zeros(counts.shape)
