"""A column's different cells: looking at each once is what makes a large table quick to draft."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from serve.runtime.spelling import to_token
from stages.preparing.casting import to_numbers

Array = np.ndarray[Any, np.dtype[Any]]
LEADING_ZERO = re.compile(r"[-+]?0\d+")


@dataclass(frozen=True)
class Values:
    """The different cells of a column as words, how often each occurs, and the number each is.

    ``blank`` counts the cells that are empty. ``cells`` is the whole column.
    """

    cells: pd.Series
    words: pd.Series
    counts: Array
    numbers: Array
    blank: int = 0

    @classmethod
    def count(cls, cells: pd.Series, decimal: str) -> "Values":
        """Count a column's cells, ``3.0`` as ``3``, but ``03`` as it is."""
        counted = cells.value_counts(sort=False)
        spelled = [str(cell) if _is_code(cell) else to_token(cell) for cell in counted.index]
        tokens = pd.Series(counted.to_numpy(), index=spelled).groupby(level=0, sort=False).sum()
        words = pd.Series(tokens.index, dtype="str")
        return cls(
            cells, words, tokens.to_numpy(), _read_numbers(words, decimal), int(cells.isna().sum())
        )

    @property
    def total(self) -> int:
        """The number of cells that are not empty."""
        return int(self.counts.sum())

    def keep(self, mask: Array) -> "Values":
        """Return the values where ``mask`` holds."""
        words = self.words[mask].reset_index(drop=True)
        return Values(self.cells, words, self.counts[mask], self.numbers[mask], self.blank)

    def drop(self, words: Collection[str]) -> "Values":
        """Return the values without some words."""
        return self.keep(~self.words.isin(list(words)).to_numpy()) if words else self

    def share(self, mask: Any) -> float:
        """Return the share of the filled cells for whose value ``mask`` holds."""
        return float(self.counts[np.asarray(mask, dtype=bool)].sum() / max(self.total, 1))

    def find_rows(self, words: Collection[str]) -> list[int]:
        """Return the first rows, counted from 1, that hold one of the words."""
        found = self.cells.astype("str").isin(list(words)).to_numpy()
        return [int(row) + 1 for row in np.flatnonzero(found)[:3]]


def format_share(share: float) -> str:
    """Return a share to three digits; what is less than all is not told as 100 %."""
    percent = 100 * share
    return f"{min(percent, 99.9) if percent < 100 else 100:.3g} %"


def _is_code(cell: Any) -> bool:
    return isinstance(cell, str) and LEADING_ZERO.fullmatch(cell) is not None


def _read_numbers(words: pd.Series, decimal: str) -> Array:
    return np.asarray(to_numbers(words, decimal).to_numpy())
