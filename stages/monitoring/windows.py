"""Draws windows that nothing happened to, from rows that they are not held against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.monitoring.columns import Array, Plain
from stages.monitoring.encoder import Encoded, Encoder, fit_encoder
from stages.monitoring.layout import Layout
from stages.monitoring.statistics import Base, Sums, count_bins


@dataclass(frozen=True)
class Half:
    """A half of the reference that stands for it, and the other half, which windows come from."""

    encoder: Encoder
    base: Base
    others: Plain
    encoded: Encoded


def cut_halves(layout: Layout, plain: Plain, count: int, seed: int) -> Iterator[Half]:
    """Yield random halves, one after another; each is fitted anew, so that nothing is shared."""
    for number in range(count):
        order = np.random.default_rng([seed, number]).permutation(plain.rows)
        own, others = (plain.take(np.sort(part)) for part in np.array_split(order, 2))
        encoder = fit_encoder(layout, own)
        base = Base.from_encoded(encoder.encode(own, own=True))
        yield Half(encoder, base, others, encoder.encode(others))


def draw_windows(
    encoded: Encoded, sizes: Sequence[int], count: int, rng: np.random.Generator
) -> list[Sums]:
    """Return the sums of ``count`` windows of each size; larger ones hold the smaller ones."""
    rows = len(encoded.measured)
    starts, largest = [0, *sizes[:-1]], sizes[-1]
    bins, counted, measured = [], [], []
    for _ in range(count):
        order = rng.permutation(rows)[:largest]
        parts = np.array_split(encoded.bins[order], sizes[:-1])
        bins.append(np.cumsum([count_bins(part) for part in parts], axis=0))
        counted.append(_add_up(encoded.counted[order], starts))
        measured.append(_add_up(encoded.measured[order], starts))
    stacked = [np.stack(found, axis=1) for found in (bins, counted, measured)]
    return [Sums(size, *(part[i] for part in stacked)) for i, size in enumerate(sizes)]


def cut_stretches(encoded: Encoded, rows: int, count: int) -> tuple[Sums, list[Base]]:
    """Return windows of rows that follow one another, and for each the rows outside of it.

    Up to ``count`` of them, evenly over the reference; they may overlap.
    """
    whole, total = len(encoded.measured), Base.from_encoded(encoded)
    step = max(1, (whole - rows) // max(count - 1, 1))
    starts = np.arange(0, whole - rows + 1, step)[:count]
    parts = [slice(start, start + rows) for start in starts.tolist()]
    sums = Sums(
        rows,
        np.stack([count_bins(encoded.bins[part]) for part in parts]),
        np.stack([encoded.counted[part].sum(axis=0, dtype=np.float64) for part in parts]),
        np.stack([encoded.measured[part].sum(axis=0, dtype=np.float64) for part in parts]),
    )
    return sums, [_leave_out(total, sums, i) for i in range(len(parts))]


def _leave_out(total: Base, sums: Sums, place: int) -> Base:
    rest = total.rows - sums.rows
    return Base(
        rest,
        total.bins - sums.bins[place],
        total.counted - sums.counted[place].astype(np.int64),
        (total.mean * total.rows - sums.measured[place]) / rest,
        total.spread,
    )


def _add_up(values: Array, starts: Sequence[int]) -> Array:
    """Return the running sums at the end of each part."""
    parts = np.add.reduceat(values, starts, axis=0, dtype=np.float64)
    return np.asarray(np.cumsum(parts, axis=0))
