"""Signs by which a column gives itself away: an identifier, a mark for missing, a teller.

A draft goes by them, and `validate` warns of them.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

IDENTIFIER = re.compile(
    r"(^|[_\W])(id|ids|uuid|guid|key|index|idx|row|nr|no|number)$|^(id|unnamed)\b", re.IGNORECASE
)
SURE_IDENTIFIER = re.compile(r"(^|[_\W])(id|ids|uuid|guid)$|^id\b", re.IGNORECASE)
CAMEL_ID = re.compile(r"[a-z]I[dD]$")
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0)
TWICE = 2  # a mark occurs more than once
THRICE = 3  # the same, of a number that is none of the usual marks
VERY_FAR = 3.0  # of the others' span: so far off a mark need not be more frequent than others
NEGATIVE_GAP = 0.1  # of the others' span, below amounts of which none is negative
FEWEST = 10  # other values, so that there is something to stand apart from
PARTS = 64  # into which a column is cut to see what it tells
IN_A_PART = 10  # values, where a column is cut because they are too many for a part each
ROWS = 20_000  # looked at
FEW_ROWS = 50  # too few to say what tells what
BESIDE = 5  # neighbouring values on each side ...
SPIKE = 8  # than the most frequent of which a mark in their midst is so many times as frequent

Array = np.ndarray[Any, np.dtype[Any]]
Score = Callable[[Array, Array, Array], float]


def is_named_as_identifier(name: str) -> bool:
    """Say whether a column's name is that of an identifier: ``id``, ``patient_id``, ``caseId``."""
    return bool(IDENTIFIER.search(name) or CAMEL_ID.search(name))


def is_surely_an_identifier(name: str) -> bool:
    """Say whether a name can be of nothing else: an index or a number may also be measured."""
    return bool(SURE_IDENTIFIER.search(name) or CAMEL_ID.search(name))


def find_sentinels(numbers: Array) -> list[float]:
    """Return the numbers that look like marks for missing: -999, 99999, 0 where none can be.

    A number outside the list is one where it lies at the end, far off, and again and again.
    """
    present = numbers[np.isfinite(numbers)]
    different, counts = np.unique(present, return_counts=True)
    seen = set(different.tolist())
    found = [value for value in SENTINELS if value in seen and _stands_apart(present, value)]
    ends = (
        [(value, count) for value, count in zip(different[[0, -1]], counts[[0, -1]], strict=True)]
        if len(different)
        else []
    )
    found += [
        float(value)
        for value, count in ends
        if value not in (*found, 0) and count >= THRICE and _lies_far_off(present, value, count)
    ]
    return [*found, *([0.0] if 0 in seen and _is_empty_zero(different, counts) else [])]


def _lies_far_off(present: Array, value: float, count: int) -> bool:
    """Say whether an extreme value is further from the rest than the rest spans, and frequent.

    Where nothing else is negative, a negative one need not lie that far off.
    """
    others = present[present != value]
    different, counts = np.unique(others, return_counts=True)
    if len(others) < FEWEST or len(different) < FEWEST:
        return False
    gap, span = min(abs(others.min() - value), abs(others.max() - value)), np.ptp(others)
    if count <= 2 * float(np.median(counts)):
        return bool(gap > VERY_FAR * span)
    return bool(gap > span or (value < 0 <= others.min() and gap > NEGATIVE_GAP * span))


def _stands_apart(present: Array, value: float) -> bool:
    """Say whether a value occurs more than once, beyond all else, and by far.

    Far is further than all else spans; a frequent -1 where nothing else is negative will do, too.
    """
    times = int((present == value).sum())
    others = present[present != value]
    if times < TWICE or len(others) < FEWEST:
        return False
    if others.min() <= value <= others.max():
        return _is_spike(others, value, times)
    gap = min(abs(others.min() - value), abs(others.max() - value))
    counts = np.unique(others, return_counts=True)[1]
    frequent = times > 2 * float(np.median(counts))
    return bool(gap > np.ptp(others) or (value < 0 <= others.min() and frequent))


def _is_spike(others: Array, value: float, times: int) -> bool:
    """Say whether a value is far more frequent than the values on both sides of it."""
    different, counts = np.unique(others, return_counts=True)
    place = int(np.searchsorted(different, value))
    beside = counts[max(place - BESIDE, 0) : place + BESIDE]
    return times >= FEWEST and times > SPIKE * int(beside.max())


def _is_empty_zero(values: Array, counts: Array) -> bool:
    """Say whether 0 lies apart below amounts that never come near it, again and again."""
    different, times = values[values != 0], counts[values != 0]
    zeros = int(counts[values == 0].sum())
    if zeros < TWICE or len(different) < FEWEST or different[0] <= 0 or zeros > times.sum():
        return False  # zeros in most rows are amounts: nothing was bought, nothing fell
    step = float(np.median(np.diff(different)))
    middle = float(np.median(np.repeat(different, times)))
    return bool(different[0] > max(0.25 * middle, 10 * step))


def sample_rows(count: int) -> Array:
    """Return the rows that are looked at, in an order of their own."""
    return np.random.default_rng(0).permutation(count)[:ROWS]


def measure_predictability(cells: Array, target: Array, *, is_classification: bool) -> float:
    """Return how much of the target a column foretells by itself, from 0 (nothing) to 1 (all).

    ``cells`` are n floats, NaN where missing; that a cell is missing may tell the target, too. For
    classes the balanced accuracy on a scale where guessing is 0; for numbers the share of the
    variance of their ranks, so that no few large ones decide.
    """
    rows = np.flatnonzero(~pd.isna(target))
    rows = np.random.default_rng(0).permutation(rows)[:ROWS]
    cells, target = cells[rows], target[rows]
    told = _predict_class if is_classification else _predict_value
    known = np.isfinite(cells)
    if not known.any():
        return 0.0
    shares = [told(cells[known], target[known])]
    if not known.all():
        lowest = np.nextafter(cells[known].min(), -np.inf)
        shares.append(told(np.where(known, cells, lowest), target))
    return max(0.0, *shares)


def _predict_class(cells: Array, target: Array) -> float:
    codes, classes = pd.factorize(target)
    if len(cells) < FEW_ROWS:
        return 0.0
    one_cut = _score_cut(cells, codes) if len(classes) == 2 else 0.0
    return max(one_cut, _score_halves(_score_classes, cells, codes))


def _predict_value(cells: Array, target: Array) -> float:
    if len(cells) < FEW_ROWS or not np.ptp(cells) or not np.ptp(target):
        return 0.0
    ranks = pd.Series(target).rank().to_numpy()
    monotone = np.corrcoef(pd.Series(cells).rank().to_numpy(), ranks)[0, 1] ** 2
    return max(float(monotone), _score_halves(_score_values, cells, ranks))


def _score_halves(score: Score, cells: Array, y: Array) -> float:
    """Return how well each half of the rows is foretold, part by part, from the other half.

    The parts are cut by the cells; their commonest class, or mean, in one half is the guess.
    """
    parts, halves = _cut_parts(cells), np.arange(len(y)) % 2 == 0
    return float(np.mean([score(parts, y, half) for half in (halves, ~halves)]))


def _score_cut(cells: Array, codes: Array) -> float:
    """Return Kolmogorov and Smirnov's statistic: what the best single cut tells of two classes.

    The rows that judge the cut chose it, so chance gives it 0.87 * sqrt(1/n + 1/m) on average (the
    mean of Kolmogorov's distribution; n and m are the classes' rows): 0.2 with 20 rows of one. That
    is far from what is called a leak. Judged on other rows, a cut through amounts without a gap
    would miss a row or two of a few hundred, and a sure leak with them.
    """
    values, places = np.unique(cells, return_inverse=True)
    sizes = np.bincount(codes)
    if sizes.min() < FEWEST:
        return 0.0
    counts = [np.bincount(places[codes == code], minlength=len(values)) for code in (0, 1)]
    below = [count.cumsum() / size for count, size in zip(counts, sizes, strict=True)]
    return float(np.abs(below[0] - below[1]).max())


def _cut_parts(cells: Array) -> Array:
    """Return the part that each value is in; few different values have a part each."""
    different = np.unique(cells)
    if len(different) <= PARTS:
        return np.searchsorted(different, cells)
    count = min(PARTS, max(2, len(cells) // IN_A_PART))
    cuts = np.unique(np.quantile(cells, np.arange(1, count) / count))
    return np.searchsorted(cuts, cells, side="right")


def _score_classes(parts: Array, codes: Array, fitted: Array) -> float:
    counts = np.zeros((parts.max() + 1, codes.max() + 1))
    np.add.at(counts, (parts[fitted], codes[fitted]), 1)
    guess = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), -1)[parts[~fitted]]
    hits, truth = guess == codes[~fitted], codes[~fitted]
    recalls = [hits[truth == code].mean() for code in np.unique(truth)]
    if len(recalls) < 2:
        return 0.0
    return float((np.mean(recalls) - 1 / len(recalls)) / (1 - 1 / len(recalls)))


def _score_values(parts: Array, y: Array, fitted: Array) -> float:
    sums, counts = np.zeros(parts.max() + 1), np.zeros(parts.max() + 1)
    np.add.at(sums, parts[fitted], y[fitted])
    np.add.at(counts, parts[fitted], 1)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), y[fitted].mean())
    spread = ((y[~fitted] - y[~fitted].mean()) ** 2).sum()
    missed = ((y[~fitted] - means[parts[~fitted]]) ** 2).sum()
    return float(1 - missed / spread) if spread else 0.0
