"""Test rows on which two models decide differently."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stages.evaluating.formatting import format_number
from stages.evaluating.metrics import Rows

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["mended", "broken", "other"]
MOST = 50  # flips that are kept, the largest changes first


@dataclass(frozen=True)
class Flip:
    """A row by its number in the raw table, the truth, and what each side says of it."""

    row: int
    truth: str
    base: str
    here: str
    kind: Kind


@dataclass(frozen=True)
class Flips:
    """How many of ``rows`` were mended (wrong before, right now), broken, or are wrong anew."""

    rows: int
    counts: dict[Kind, int]
    largest: tuple[Flip, ...]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def find_kinds(base: Rows, here: Rows) -> Array:
    """Return for each row how its decision flipped, "" where it did not.

    For values a row is right where the truth lies within the prediction interval.
    """
    before, after = _find_right_rows(base), _find_right_rows(here)
    found = np.full(len(base), "", dtype=object)
    if base.prediction.ndim == 2:
        found[base.decision != here.decision] = "other"
    found[~before & after] = "mended"
    found[before & ~after] = "broken"
    return found


def find_flips(base: Rows, here: Rows, numbers: Array, labels: Sequence[str]) -> Flips:
    """Return the flips of the same rows, whose numbers in the raw table here are ``numbers``."""
    found = find_kinds(base, here)
    moved = np.abs(here.prediction - base.prediction).reshape(len(found), -1).max(axis=1)
    places = np.flatnonzero(found)
    largest = places[np.argsort(-moved[places], kind="stable")][:MOST]
    return Flips(
        rows=len(found),
        counts={kind: int(np.sum(found == kind)) for kind in ("mended", "broken", "other")},
        largest=tuple(
            _make_flip(base, here, i, int(numbers[i]), found[i], labels) for i in largest
        ),
    )


def _make_flip(
    base: Rows, here: Rows, i: int, number: int, kind: Kind, labels: Sequence[str]
) -> Flip:
    if not labels:
        values = (base.truth[i], base.prediction[i], here.prediction[i])
        truth, before, after = (format_number(value) for value in values)
        return Flip(number, truth, before, after, kind)
    before, after = (
        f"{labels[rows.decision[i]]} ({_format_probability(rows, i)})" for rows in (base, here)
    )
    return Flip(number, labels[base.truth[i]], before, after, kind)


def _format_probability(rows: Rows, i: int) -> str:
    """Return the probability of the class that was decided for."""
    return f"{rows.prediction[i, rows.decision[i]]:.2f}"


def _find_right_rows(rows: Rows) -> Array:
    if rows.prediction.ndim == 2:
        return np.asarray(rows.decision == rows.truth)
    return np.asarray(np.abs(rows.error) <= rows.rule.half_width)
