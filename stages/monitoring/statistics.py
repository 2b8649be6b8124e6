"""The statistics by which a window is held against the reference, each as a normal deviate."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, pdtrc

from stages.monitoring.columns import Array
from stages.monitoring.counts import FAR, compute_deviates
from stages.monitoring.encoder import Encoded, Encoder
from stages.monitoring.layout import Kind, Layout
from stages.monitoring.scores import BEYOND, BINS

EXACT: frozenset[Kind] = frozenset({"missing", "category", "new values", "outliers", "words"})
SINGLE = 3.29  # the most that a single outlier may count: one row sets off no alarm


@dataclass(frozen=True)
class Statistic:
    """One thing that is looked at: which parts of the table it is about, and what of them."""

    kind: Kind
    parts: tuple[str, ...]
    label: str = ""

    @property
    def is_exact(self) -> bool:
        return self.kind in EXACT

    @property
    def name(self) -> str:
        return " · ".join([self.kind, *self.parts, *([self.label] if self.label else [])])


@dataclass(frozen=True)
class Sums:
    """What windows of ``rows`` rows add up to: windows x numbers x bins, x counted, x measured."""

    rows: int
    bins: Array
    counted: Array
    measured: Array

    def take(self, place: int) -> "Sums":
        """Return one of the windows."""
        part = slice(place, place + 1)
        return Sums(self.rows, self.bins[part], self.counted[part], self.measured[part])


@dataclass(frozen=True)
class Base:
    """What the reference adds up to; ``mean`` and ``spread`` are of what is measured."""

    rows: int
    bins: Array
    counted: Array
    mean: Array
    spread: Array

    @classmethod
    def from_encoded(cls, encoded: Encoded) -> "Base":
        whole = add_up(encoded)
        spread = encoded.measured.std(axis=0, dtype=np.float64)
        return cls(
            whole.rows,
            whole.bins[0],
            whole.counted[0].astype(np.int64),
            whole.measured[0] / whole.rows,
            np.where(spread > 1e-9, spread, np.inf),
        )


def add_up(encoded: Encoded) -> Sums:
    """Return the sums of all rows as one window."""
    rows = len(encoded.measured)
    counted = encoded.counted.sum(axis=0, dtype=np.float64)
    measured = encoded.measured.sum(axis=0, dtype=np.float64)
    return Sums(rows, count_bins(encoded.bins)[None], counted[None], measured[None])


def count_bins(bins: Array) -> Array:
    """Return how many of the rows are in each bin of each number (numbers x bins)."""
    width = BINS + 1
    places = bins + width * np.arange(bins.shape[1])
    counts = np.bincount(places.ravel(), minlength=width * bins.shape[1])
    return counts.reshape(-1, width)


def list_statistics(layout: Layout) -> list[Statistic]:
    """Return every statistic, in the order in which `compute_statistics` has them."""
    found = [*_list_counted(layout), *(Statistic("shape", (name,)) for name in layout.numbers)]
    found += _list_measured(layout)
    every = tuple(dict.fromkeys(factor.part for factor in layout.factors))
    found += [Statistic("joint level", every), Statistic("joint relations", every)]
    return [*found, Statistic("joint words", tuple(layout.words))]


def _list_counted(layout: Layout) -> Iterator[Statistic]:
    for name in layout.numbers:
        yield Statistic("missing", (name,))
        yield from (Statistic("outliers", (name,), f"beyond {p:g}") for p in BEYOND)
    for name, values in layout.categories.items():
        yield Statistic("missing", (name,))
        yield Statistic("new values", (name,))
        yield from (Statistic("category", (name,), value) for value in values)
    for name, words in layout.words.items():
        yield from (Statistic("words", (name,), word) for word in words)


def _list_measured(layout: Layout) -> Iterator[Statistic]:
    numbers = [layout.factors[i] for i in layout.number_factors]
    yield from (Statistic("level", (factor.part,)) for factor in numbers)
    yield from (Statistic("spread", (factor.part,)) for factor in numbers)
    for factor in layout.factors:
        label = "" if factor.label == factor.part else factor.label
        yield Statistic("level given the rest", (factor.part,), label)
    yield from (Statistic("spread given the rest", (factor.part,)) for factor in numbers)
    for one, two in layout.pairs:
        pair = layout.factors[one], layout.factors[two]
        label = " and ".join(factor.label for factor in pair)
        yield Statistic("relation", (pair[0].part, pair[1].part), label)
    yield from (Statistic("new words", (name,)) for name in layout.words)


def compute_statistics(sums: Sums, base: Base, encoder: Encoder) -> Array:
    """Return the deviates (windows x statistics); above 0 is more than in the reference."""
    error = base.spread * np.sqrt(1 / sums.rows + 1 / base.rows)
    z = (sums.measured / sums.rows - base.mean) / error
    sizes = [len(j.basis.T) for j in (encoder.level, encoder.relations, encoder.words)]
    ends = z.shape[1] - np.cumsum([0, *sizes[::-1]])[::-1]
    joint = [_join(z[:, start:end]) for start, end in itertools.pairwise(ends)]
    counted = _deviate_counts(sums, base, encoder.layout)
    shapes = _deviate_shapes(sums.bins, base.bins)
    return np.concatenate([counted, shapes, z[:, : ends[0]], np.stack(joint, axis=1)], axis=1)


def _deviate_counts(sums: Sums, base: Base, layout: Layout) -> Array:
    counts = np.rint(sums.counted).astype(np.int64).clip(0, sums.rows)
    found = compute_deviates(counts, base.counted, base.rows, sums.rows)
    each = 1 + len(BEYOND)  # tests of counts for a number
    for place, probability in enumerate(BEYOND, 1):
        columns = np.arange(place, each * len(layout.numbers), each)
        share = np.maximum(base.counted[columns] / base.rows, probability)
        found[:, columns] = _deviate_outliers(counts[:, columns], share * sums.rows)
    return found


def _deviate_outliers(counts: Array, expected: Array) -> Array:
    """Return how unlikely so many outliers are; one row alone never sets off an alarm."""
    found = -ndtri(np.maximum(pdtrc(np.maximum(counts - 1, 0), expected), 1e-300))
    limited = np.where(counts == 1, np.minimum(found, SINGLE), np.minimum(found, FAR))
    return np.where(counts > 0, np.maximum(limited, 0), 0.0)


def _deviate_shapes(found: Array, base: Array) -> Array:
    """Return how far distributions are apart (Anderson and Darling's distance, over the bins).

    Its cube root is nearly normal. Missing cells are left out, and bins keep ties together.
    """
    inside, outside = found[:, :, :BINS], base[:, :BINS]
    n, rows = inside.sum(axis=2), outside.sum(axis=1)
    held = np.cumsum(inside, axis=2) / np.maximum(n, 1)[:, :, None]
    share = np.cumsum(outside, axis=1) / np.maximum(rows, 1)[:, None]
    both = np.maximum(n + rows, 1)
    middle = (share * rows[:, None] + held * n[:, :, None]) / both[:, :, None]
    weight = middle * (1 - middle)
    mass = (outside + inside) / both[:, :, None]
    size = n * rows / both
    distance = (held - share) ** 2 / np.where(weight > 1e-8, weight, np.inf)
    return np.asarray(np.cbrt(size * (distance * mass).sum(axis=2)))


def _join(z: Array) -> Array:
    """Return the deviate of a sum of squares (Wilson and Hilferty 1931)."""
    count = z.shape[1]
    if not count:
        return np.zeros(len(z))
    spread = 2 / (9 * count)
    root = np.cbrt((z**2).sum(axis=1) / count)
    return np.asarray((root - (1 - spread)) / np.sqrt(spread))
