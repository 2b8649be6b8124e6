"""Learns from the reference itself how far windows stray to which nothing happened.

The reference is cut into random halves, many times. One half stands for the reference, windows are
drawn from the other: so no row is held against itself, values never seen before come up as they
will later, and what is fitted is not flattered. A half varies more than the whole, which leaves a
margin: the error rate is to hold for nearly every reference, not only on average over them.

Every other half tells how each statistic varies; the rest, how the largest of all of them does. So
however the statistics depend on one another, the whole check keeps to its budget.
"""

from collections.abc import Sequence

import numpy as np

from stages.monitoring.calibration import Calibration, SizeNull
from stages.monitoring.columns import Array, Plain
from stages.monitoring.encoder import fit_encoder
from stages.monitoring.layout import Layout, lay_out
from stages.monitoring.nulls import fit_null, fit_null_in_time
from stages.monitoring.power import Drawn, measure_power
from stages.monitoring.settings import OUTCOMES, MonitoringSettings
from stages.monitoring.statistics import Base, compute_statistics, list_statistics
from stages.monitoring.windows import Half, cut_halves, cut_stretches, draw_windows

LARGEST = 0.4  # of the reference's rows that a window may have
MOST_HALVES, FEWEST_HALVES = 100, 40
ROWS_FITTED = 200_000  # in all halves together: small references are cut more often
STRETCHES = 200
POWERED = 60  # windows at least that the power cards are made of


def calibrate(
    plain: Plain,
    settings: MonitoringSettings,
    alone: frozenset[str] = frozenset(),
    in_order: bool = False,
    order: str | None = None,
) -> Calibration:
    """Return how windows of each size vary; sizes that the reference is too small for are left.

    Parts that are ``alone`` are in no relation. ``in_order``: rows follow one another in time, and
    may depend on those before them; ``order`` is the column with their time, if there is one.
    """
    layout = lay_out(plain, alone)
    sizes = choose_sizes(plain.rows, settings.sizes, in_order)
    nulls, drawn = (_draw_in_time if in_order else _draw)(layout, plain, settings, sizes)
    return Calibration(
        rows=plain.rows,
        budget=settings.budget,
        statistics=len(list_statistics(layout)),
        shift=settings.power.shift,
        probability=settings.power.probability,
        in_order=in_order,
        order=order,
        sizes=tuple(nulls),
        power=measure_power(drawn, nulls, settings) if nulls else (),
    )


def choose_sizes(rows: int, wanted: Sequence[int], in_order: bool) -> list[int]:
    """Return the sizes that the reference allows, and the largest that it does."""
    largest = rows // 4 if in_order else int(LARGEST * rows)
    fitting = [size for size in wanted if size < largest]
    return [*fitting, largest] if fitting and len(fitting) < len(wanted) else fitting


def _draw(
    layout: Layout, plain: Plain, settings: MonitoringSettings, sizes: Sequence[int]
) -> tuple[list[SizeNull], list[Drawn]]:
    found: list[list[Array]] = [[] for _ in sizes]
    drawn: list[Drawn] = []
    count = int(np.clip(ROWS_FITTED // plain.rows, FEWEST_HALVES, MOST_HALVES)) // 2 * 2
    each = -(-settings.windows // count)
    halves = cut_halves(layout, plain, count if sizes else 0, settings.seed)
    for number, half in enumerate(halves):
        rng = np.random.default_rng([settings.seed, number, 1])
        windows = draw_windows(half.encoded, sizes, each, rng)
        for place, sums in enumerate(windows):
            found[place].append(compute_statistics(sums, half.base, half.encoder))
        if len(drawn) * each < POWERED:
            drawn.append((half, windows))
    listed = list_statistics(layout)
    nulls = [
        fit_null(size, deviates, listed, settings.budget * (1 - OUTCOMES))
        for size, deviates in zip(sizes, found, strict=True)
    ]
    return nulls, drawn


def _draw_in_time(
    layout: Layout, plain: Plain, settings: MonitoringSettings, sizes: Sequence[int]
) -> tuple[list[SizeNull], list[Drawn]]:
    encoder = fit_encoder(layout, plain)
    encoded = encoder.encode(plain, own=True)
    listed, nulls, windows = list_statistics(layout), [], []
    for size in sizes:
        sums, bases = cut_stretches(encoded, size, STRETCHES)
        deviates = np.concatenate(
            [
                compute_statistics(sums.take(place), base, encoder)
                for place, base in enumerate(bases)
            ]
        )
        nulls.append(
            fit_null_in_time(size, plain.rows, deviates, listed, settings.budget * (1 - OUTCOMES))
        )
        windows.append(sums)
    half = Half(encoder, Base.from_encoded(encoded), plain, encoded)
    return nulls, [(half, windows)]
