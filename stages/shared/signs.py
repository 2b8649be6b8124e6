"""Signs by which a column gives itself away: an identifier, a mark for missing, a teller.

A draft goes by them, and `validate` warns of them.
"""

import re
from typing import Any

import numpy as np
import pandas as pd

IDENTIFIER = re.compile(
    r"(^|[_\W])(id|ids|uuid|guid|key|index|idx|row|nr|no|number)$|^(id|unnamed)\b", re.IGNORECASE
)
CAMEL_ID = re.compile(r"[a-z]I[dD]$")
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0)
TWICE = 2  # a mark occurs more than once
FEWEST = 10  # other values, so that there is something to stand apart from
PARTS = 64  # into which a column is cut to see what it tells
ROWS = 20_000  # looked at
FEW_ROWS = 50  # too few to say what tells what

Array = np.ndarray[Any, np.dtype[Any]]


def named_as_identifier(name: str) -> bool:
    return bool(IDENTIFIER.search(name) or CAMEL_ID.search(name))


def sentinels(numbers: Array) -> list[float]:
    """Return the numbers that look like marks for missing: -999, 99999, 0 where none can be."""
    present = numbers[np.isfinite(numbers)]
    found = [value for value in SENTINELS if _stands_apart(present, value)]
    return [*found, *([0.0] if _is_empty_zero(present) else [])]


def _stands_apart(present: Array, value: float) -> bool:
    """Say whether a value occurs more than once, beyond all else, and by far.

    Far is further than all else spans; a frequent -1 where nothing else is negative will do, too.
    """
    times = int((present == value).sum())
    others = present[present != value]
    if times < TWICE or len(others) < FEWEST or others.min() <= value <= others.max():
        return False
    gap = min(abs(others.min() - value), abs(others.max() - value))
    counts = np.unique(others, return_counts=True)[1]
    frequent = times > 2 * float(np.median(counts))
    return bool(gap > np.ptp(others) or (value < 0 <= others.min() and frequent))


def _is_empty_zero(present: Array) -> bool:
    """Say whether 0 lies apart below amounts that never come near it, again and again."""
    others = present[present != 0]
    different = np.unique(others)
    if len(present) - len(others) < TWICE or len(different) < FEWEST or different[0] <= 0:
        return False
    step = float(np.median(np.diff(different)))
    return bool(different[0] > max(0.25 * float(np.median(others)), 10 * step))


def told_share(cells: Array, target: Array, *, is_classification: bool) -> float:
    """Return how much of the target a column foretells by itself, from 0 (nothing) to 1 (all).

    ``cells`` (n floats, NaN where missing) are cut into at most PARTS parts of equal size. Each
    half of the rows is foretold by the parts' commonest class, or mean, in the other half. For
    classes the balanced accuracy on a scale where guessing is 0; for numbers R².
    """
    known = np.isfinite(cells) & ~pd.isna(target)
    rows = np.flatnonzero(known)
    if len(rows) < FEW_ROWS:
        return 0.0
    rows = np.random.default_rng(0).permutation(rows)[:ROWS]
    parts, y = _parts(cells[rows]), target[rows]
    halves = np.arange(len(rows)) % 2 == 0
    score = _class_score if is_classification else _value_score
    return max(0.0, float(np.mean([score(parts, y, half) for half in (halves, ~halves)])))


def _parts(cells: Array) -> Array:
    """Return the part that each value is in; few different values have a part each."""
    different = np.unique(cells)
    if len(different) <= PARTS:
        return np.searchsorted(different, cells)
    cuts = np.unique(np.quantile(cells, np.arange(1, PARTS) / PARTS))
    return np.searchsorted(cuts, cells, side="right")


def _class_score(parts: Array, y: Array, fitted: Array) -> float:
    codes, classes = pd.factorize(y)
    counts = np.zeros((parts.max() + 1, len(classes)))
    np.add.at(counts, (parts[fitted], codes[fitted]), 1)
    guess = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), -1)[parts[~fitted]]
    hits, truth = guess == codes[~fitted], codes[~fitted]
    recalls = [hits[truth == code].mean() for code in np.unique(truth)]
    if len(recalls) < 2:
        return 0.0
    return float((np.mean(recalls) - 1 / len(recalls)) / (1 - 1 / len(recalls)))


def _value_score(parts: Array, y: Array, fitted: Array) -> float:
    y = y.astype(np.float64)
    sums, counts = np.zeros(parts.max() + 1), np.zeros(parts.max() + 1)
    np.add.at(sums, parts[fitted], y[fitted])
    np.add.at(counts, parts[fitted], 1)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), y[fitted].mean())
    spread = ((y[~fitted] - y[~fitted].mean()) ** 2).sum()
    missed = ((y[~fitted] - means[parts[~fitted]]) ** 2).sum()
    return float(1 - missed / spread) if spread else 0.0
