"""Faults of a feed that no distribution shows: repeated rows, one value only, broken contracts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, pdtrc

from stages.monitoring.columns import Array
from stages.monitoring.counts import tabulate_deviates

LONGEST = 200_000  # rows by which equal pairs are counted


@dataclass(frozen=True)
class Fault:
    """A fault of the feed, and how likely a sound window has as bad a one (of this kind)."""

    column: str | None
    found: str
    probability: float


@dataclass(frozen=True)
class Feed:
    """What the reference's rows are like: how many, the share of pairs that are equal, and of each
    column the shares of its values."""

    rows: int
    equal: float
    shares: dict[str, Array]

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "Feed":
        shares = {
            name: table[name].value_counts(normalize=True).to_numpy(dtype=np.float64)
            for name in table.columns
        }
        return cls(len(table), compute_pair_share(hash_rows(table)), shares)


def find_faults(
    reference: Feed, window: pd.DataFrame, misfits: Mapping[str, Sequence[str]]
) -> list[Fault]:
    """Return every fault of a window; ``misfits`` are the cells that break the contract."""
    return [
        *find_repetitions(reference, window),
        *find_constants(reference, window),
        *find_misfits(reference.rows, len(window), misfits),
    ]


def find_repetitions(reference: Feed, window: pd.DataFrame) -> Iterator[Fault]:
    """Yield rows that occur more than once more often than they did, and one that never stops."""
    rows = len(window)
    if rows < 2:
        return
    codes = hash_rows(window)
    repeated = rows - len(np.unique(codes))
    expected = max(reference.equal, 1 / reference.rows**2) * rows * (rows - 1) / 2
    if repeated:
        yield Fault(
            None,
            f"{repeated} of {rows} rows repeat another, {expected:.2g} were to be expected",
            float(pdtrc(repeated - 1, expected)),
        )
    length = find_longest_run(codes)
    if length > 1:
        single = max(reference.equal, 1 / reference.rows)
        yield Fault(
            None,
            f"stuck: the same row {length} times in a row",
            float(min(1.0, rows * single ** (length - 1))),
        )


def find_constants(reference: Feed, window: pd.DataFrame) -> Iterator[Fault]:
    """Yield columns that have one value only, and had more."""
    for name in window.columns:
        cells = window[name].dropna()
        if len(cells) < 2 or cells.nunique() > 1:
            continue
        shares = reference.shares[name]
        chance = float((shares ** len(cells)).sum()) if len(shares) > 1 else 1.0
        yield Fault(name, f"one value only: {cells.iloc[0]}", chance)


def find_misfits(
    reference: int, rows: int, misfits: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    """Yield columns with cells that the contract does not allow; the reference has none."""
    for name, values in misfits.items():
        deviate = tabulate_deviates(0, reference, rows)[len(values)]
        seen = ", ".join(repr(value) for value in list(dict.fromkeys(values))[:5])
        found = f"{len(values)} cells break the contract: {seen}"
        yield Fault(name, found, float(2 * ndtr(-max(deviate, 0))))


def hash_rows(frame: pd.DataFrame) -> Array:
    """Return a number for each row that equal rows share."""
    return np.asarray(pd.util.hash_pandas_object(frame, index=False, categorize=False))


def compute_pair_share(codes: Array) -> float:
    """Return the share of pairs of rows that are equal."""
    counts = np.unique(codes[:LONGEST], return_counts=True)[1].astype(np.float64)
    pairs = len(codes) * (len(codes) - 1)
    return float((counts * (counts - 1)).sum() / pairs) if pairs else 0.0


def find_longest_run(codes: Array) -> int:
    """Return how many equal rows follow one another at most."""
    changes = np.flatnonzero(np.diff(codes) != 0) + 1
    edges = np.concatenate([[0], changes, [len(codes)]])
    return int(np.diff(edges).max()) if len(codes) else 0
