"""What a column's drift does to the loss: estimated two ways, as one cannot know which is so.

If the values are true, rows of kinds that the model finds hard may have become more: the losses out
of fold are weighted anew. If they are wrong (a sensor, a unit, a join), the answers are wrong with
them: the values are carried back to the reference's distribution, and the model is asked again.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from stages.monitoring.columns import Array, Plain
from stages.monitoring.findings import Estimate

Predict = Callable[[pd.DataFrame], Array]  # rows to probabilities (n x labels) or values (n)
PARTS = np.arange(1, 10) / 10
NORMAL = 1.96
MOST_ROWS = 300  # that a model is asked about again
DIGITS = 5


def estimate_real(old: Array, new: Array, losses: Array) -> Estimate | None:
    """Return the change of loss if the values are true; parts are bins or values, as integers.

    A part that the reference hardly has is left out: nothing is known of losses there.
    """
    width = int(max(old.max(initial=0), new.max(initial=0))) + 1
    before, after = np.bincount(old, minlength=width), np.bincount(new, minlength=width)
    sums = np.bincount(old, losses, minlength=width)
    squares = np.bincount(old, losses**2, minlength=width)
    known = before >= 5
    if not len(losses) or not after[known].sum() or not losses.mean() > 0:
        return None
    means = sums[known] / before[known]
    variances = np.maximum(squares[known] / before[known] - means**2, 0)
    p, q = before[known] / before[known].sum(), after[known] / after[known].sum()
    change = float(((q - p) * means).sum())
    drawn = ((q * means**2).sum() - (q * means).sum() ** 2) / after[known].sum()
    learnt = ((q - p) ** 2 * variances / before[known]).sum()
    return _scale(change, float(np.sqrt(drawn + learnt)), float(losses.mean()))


def estimate_faulty(
    frame: pd.DataFrame, name: str, carried: pd.Series, predict: Predict, loss: float
) -> Estimate | None:
    """Return the change of loss if the column's values are wrong and ``carried`` ones right."""
    rows = frame.iloc[:MOST_ROWS]
    answers = predict(rows)
    wanted = predict(rows.assign(**{name: carried.iloc[:MOST_ROWS]}))
    known = ~(np.isnan(answers) | np.isnan(wanted)).reshape(len(rows), -1).any(axis=1)
    if known.sum() < 2 or not loss > 0:
        return None
    added = add_loss(answers[known], wanted[known])
    return _scale(float(added.mean()), float(added.std(ddof=1) / np.sqrt(known.sum())), loss)


def add_loss(answers: Array, wanted: Array) -> Array:
    """Return what each row's loss grows by if ``wanted`` is the right answer.

    For values the square of the difference; for probabilities Kullback and Leibler's divergence,
    which is what the log loss grows by.
    """
    if answers.ndim == 1:
        return np.asarray((answers - wanted) ** 2)
    p, q = np.clip(wanted, 1e-9, 1), np.clip(answers, 1e-9, 1)
    return np.asarray((p * np.log(p / q)).sum(axis=1))


def carry_numbers(cells: pd.Series, reference: Array) -> pd.Series:
    """Return the values at the same ranks in the reference; missing ones become its median."""
    known = np.sort(reference[~np.isnan(reference)])
    if not len(known):
        return pd.Series(np.nan, index=cells.index)
    values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    ranks = pd.Series(values).rank(method="average").to_numpy() - 0.5
    share = ranks / max((~np.isnan(values)).sum(), 1)
    carried = np.quantile(known, np.nan_to_num(share, nan=0.5))
    kept = np.isnan(values) & (np.isnan(reference).mean() >= np.isnan(values).mean())
    whole = np.rint(carried) if pd.api.types.is_integer_dtype(cells.dtype) else carried
    return pd.Series(np.where(kept, np.nan, whole), index=cells.index)


def carry_categories(cells: pd.Series, reference: Array, seed: int) -> pd.Series:
    """Return the values with as few changed as bring back the reference's shares."""
    rng, values = np.random.default_rng(seed), cells.astype("str").to_numpy(dtype=object).copy()
    values[cells.isna().to_numpy()] = None
    old = pd.Series(reference, dtype=object).value_counts(normalize=True)
    wanted = (old * len(values)).round().astype(int).to_dict()
    surplus: list[int] = []
    for value in dict.fromkeys(values.tolist()):
        places = np.flatnonzero(values == value)
        surplus += rng.permutation(places)[wanted.get(value, 0) :].tolist()
    for place, value in zip(sorted(surplus), _list_lacking(values, wanted), strict=False):
        values[place] = value
    return pd.Series(values, index=cells.index, dtype=object)


def _list_lacking(values: Array, wanted: dict[Any, int]) -> Iterator[str]:
    for value, count in sorted(wanted.items()):
        yield from [value] * max(count - int((values == value).sum()), 0)


def find_parts(old: Array, new: Array) -> tuple[Array, Array]:
    """Return the parts of a number's or a category's cells as integers; missing is one, too."""
    if old.dtype.kind == "f":
        known = old[~np.isnan(old)]
        edges = np.unique(np.quantile(known, PARTS)) if len(known) else np.empty(0)
        return _bin(old, edges), _bin(new, edges)
    codes = {value: i for i, value in enumerate(dict.fromkeys([*old.tolist(), *new.tolist()]))}
    one, other = (
        np.array([codes[value] for value in part.tolist()], dtype=np.int64) for part in (old, new)
    )
    return one, other


def _bin(cells: Array, edges: Array) -> Array:
    places = np.searchsorted(edges, cells, side="left")
    return np.asarray(np.where(np.isnan(cells), len(edges) + 1, places), dtype=np.int64)


def _scale(change: float, error: float, loss: float) -> Estimate:
    ends = (change, change - NORMAL * error, change + NORMAL * error)
    value, low, high = (round(end / loss, DIGITS) for end in ends)
    return Estimate(value=value, low=low, high=high)


def read_cells(plain: Plain, name: str) -> Array | None:
    """Return a watched part's cells, numbers or a category's values."""
    found = plain.numbers.get(name)
    return found if found is not None else plain.categories.get(name)
