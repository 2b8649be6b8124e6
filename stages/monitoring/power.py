"""What a check would have seen: drawn windows are moved by a shift, and judged again."""

from collections.abc import Sequence

import numpy as np

from stages.monitoring.calibration import ColumnPower, PowerCard, SizeNull
from stages.monitoring.columns import Array, Plain
from stages.monitoring.settings import MonitoringSettings
from stages.monitoring.statistics import Sums, add_up, compute_statistics
from stages.monitoring.windows import Half

SHIFTS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)  # spreads that are tried
ROWS = 500  # by which the effect of a shift is measured
WINDOWS = 100  # that are moved
DIGITS = 4
Drawn = tuple[Half, Sequence[Sums]]


def measure_power(
    drawn: Sequence[Drawn], nulls: Sequence[SizeNull], settings: MonitoringSettings
) -> tuple[PowerCard, ...]:
    """Return a card for each size: which shift of each number would be found."""
    numbers = drawn[0][0].encoder.layout.numbers
    tables = {name: _tabulate(drawn, nulls, name, settings) for name in numbers}
    return tuple(
        PowerCard(
            rows=null.rows,
            columns=tuple(
                _describe(name, drawn[0][0], found[place], settings)
                for name, found in tables.items()
            ),
        )
        for place, null in enumerate(nulls)
    )


def _tabulate(
    drawn: Sequence[Drawn], nulls: Sequence[SizeNull], name: str, settings: MonitoringSettings
) -> Array:
    """Return the share of moved windows that are found (sizes x shifts, the named one last).

    What is always found needs no larger shift: the rest of its row is 1.
    """
    shifts = sorted({*SHIFTS, settings.power.shift})
    found = np.ones((len(nulls), len(shifts)))
    samples = [_sample(half) for half, _ in drawn]
    for column, shift in enumerate(shifts):
        open_rows = [row for row in range(len(nulls)) if not column or found[row, column - 1] < 1]
        if not open_rows:
            break
        shares = [
            _find_shares(each, sample, nulls, open_rows, name, shift)
            for each, sample in zip(drawn, samples, strict=True)
        ]
        found[open_rows, column] = np.mean(shares, axis=0)
    order = [*(shifts.index(shift) for shift in SHIFTS), shifts.index(settings.power.shift)]
    return found[:, order]


def _sample(half: Half) -> tuple[Plain, Sums]:
    """Return some rows by which the effect of a shift is measured, and their sums."""
    sample = half.others.take(np.arange(min(ROWS, half.others.rows)))
    return sample, add_up(half.encoder.encode(sample))


def _find_shares(
    drawn: Drawn,
    sample: tuple[Plain, Sums],
    nulls: Sequence[SizeNull],
    rows: Sequence[int],
    name: str,
    shift: float,
) -> list[float]:
    """Return the share of one half's windows, once moved, that are found: for each of the sizes."""
    half, sums = drawn
    after = add_up(half.encoder.encode(shift_number(sample[0], name, shift, half)))
    return [_count_found(_move(sums[row], sample[1], after), half, nulls[row]) for row in rows]


def shift_number(plain: Plain, name: str, shift: float, half: Half) -> Plain:
    """Return the rows with one number moved by so many of its spreads."""
    moved = plain.numbers[name] + shift * half.encoder.scales[name].spread
    return Plain(
        plain.rows, {**plain.numbers, name: moved}, plain.categories, plain.texts, plain.of
    )


def _move(sums: Sums, before: Sums, after: Sums) -> Sums:
    """Return the windows as they would be on average if their rows had been moved."""
    part = sums.rows / before.rows
    few = slice(None, WINDOWS)
    return Sums(
        sums.rows,
        np.maximum(sums.bins[few] + part * (after.bins - before.bins), 0),
        np.maximum(sums.counted[few] + part * (after.counted - before.counted), 0),
        sums.measured[few] + part * (after.measured - before.measured),
    )


def _count_found(sums: Sums, half: Half, null: SizeNull) -> float:
    sizes = null.measure_sizes(compute_statistics(sums, half.base, half.encoder))
    return float((sizes.max(axis=1) > null.threshold).mean())


def _describe(name: str, half: Half, found: Array, settings: MonitoringSettings) -> ColumnPower:
    return ColumnPower(
        part=name,
        spread=round(half.encoder.scales[name].spread, 12),
        smallest=_find_smallest(found[:-1], settings.power.probability),
        found=round(float(found[-1]), DIGITS),
    )


def _find_smallest(found: Array, wanted: float) -> float | None:
    """Return the shift at which the share found reaches the wanted one, between those tried."""
    rising = np.maximum.accumulate(found)
    if rising[-1] < wanted:
        return None
    place = int(np.argmax(rising >= wanted))
    if not place:
        return SHIFTS[0]
    ends, shares = SHIFTS[place - 1 : place + 1], rising[place - 1 : place + 1]
    return round(float(np.interp(wanted, shares, ends)), 3)
