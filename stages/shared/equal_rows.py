"""Finds rows that are copies of one another."""

from typing import Any

import numpy as np
import pandas as pd

Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]
TWINS = 0.05  # share of rows that chance makes equal, from which equal ones need be no copies
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def number_rows(frame: pd.DataFrame) -> Codes:
    """Return a number for each row, the same for two rows just when all their cells are equal.

    A missing cell equals a missing cell.
    """
    codes: Codes = np.zeros(len(frame), dtype=np.int64)
    for name in frame:
        codes = refine_codes(codes, frame[name])
    return codes


def refine_codes(codes: Codes, column: pd.Series) -> Codes:
    """Number the different pairs of code and cell; both stay below 2^31, so that none overflow."""
    cells, different = pd.factorize(column, use_na_sentinel=False)
    return pd.factorize(codes * max(len(different), 1) + cells)[0].astype(np.int64)


def has_twins(frame: pd.DataFrame, *, has_text: bool) -> bool:
    """Say whether rows are equal by chance, because their columns have few values.

    Such rows are no copies of one another. Nobody writes the same text twice by chance.
    """
    return not has_text and expect_twins(frame) >= TWINS


def expect_twins(frame: pd.DataFrame) -> float:
    """Return the share of rows that by chance would equal another one, were columns independent.

    Near 0 where cells are of many kinds: rows that are equal then are copies. Four columns of a
    few values each make any two people alike.
    """
    pairs = max(len(frame) * (len(frame) - 1), 1)
    equal = [
        (counts * (counts - 1)).sum() / pairs
        for counts in (frame[name].value_counts(dropna=False) for name in frame)
    ]
    return min(1.0, max(len(frame) - 1, 0) * float(np.prod(equal)))


def find_mixed(groups: Codes, marks: Codes) -> Mask:
    """Return for each row whether its group holds more than one mark."""
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    differs = marks != marks[first][place]
    return np.isin(groups, groups[differs])
