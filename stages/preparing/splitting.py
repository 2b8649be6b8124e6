"""Deals rows to train, validation and test so that a row's place never depends on other rows."""

from typing import Any

import numpy as np
import pandas as pd

from stages.contract.split import Split, TimeSplit
from stages.preparing.casting import as_tokens, to_dates
from stages.shared.errors import PipelineError

Array = np.ndarray[Any, np.dtype[Any]]


def assign_splits(content: pd.DataFrame, raw: pd.DataFrame, split: Split) -> Array:
    """Return "train", "validation" or "test" for each row.

    ``content`` holds the typed columns that the models see: rows that are equal in them go
    together. ``raw`` holds the columns to group or order by.
    """
    if split.time:
        return _assign_by_time(raw[split.time.column], split.time)
    keys = as_tokens(raw[split.group]).to_frame() if split.group else content
    return assign_by_share(compute_row_shares(keys, split.seed), split)


def assign_by_share(shares: Array, split: Split) -> Array:
    """Cut [0, 1) into test, validation and train."""
    bounds = [split.test, split.test + split.validation]
    return np.array(["test", "validation", "train"])[np.searchsorted(bounds, shares, side="right")]


def compute_row_shares(keys: pd.DataFrame, seed: int) -> Array:
    """Return a number in [0, 1) for each row, made from the row's content and the seed alone."""
    plain = pd.DataFrame({name: _canonicalise(keys[name]) for name in sorted(keys.columns)})
    hashes = pd.util.hash_pandas_object(plain, index=False).to_numpy(dtype=np.uint64)
    return (_mix_hashes(hashes, seed) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _canonicalise(column: pd.Series) -> pd.Series:
    """Give equal content equal bits, whatever type the rest of the column forces on it.

    That -0.0 is 0.0, and one NaN like another, pandas sees to itself.
    """
    if pd.api.types.is_datetime64_dtype(column):
        return pd.Series(column.to_numpy("datetime64[us]"))
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return pd.Series(column.astype(object).where(column.notna(), "\0missing").to_numpy())


def _mix_hashes(hashes: Array, seed: int) -> Array:
    """Scatter the seed over all bits: the SplitMix64 finaliser (Steele, Lea and Flood, 2014)."""
    z = hashes + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _assign_by_time(raw: pd.Series, time: TimeSplit) -> Array:
    dates = to_dates(raw)
    if dates.isna().any():
        value = raw[dates.isna()].iloc[0]
        raise PipelineError(f"split.time: {time.column} holds {value!r}, which is no ISO 8601 date")
    bounds = to_dates(pd.Series([time.validation_from, time.test_from], dtype="str"))
    places = np.searchsorted(bounds.to_numpy(), dates.to_numpy(), side="right")
    return np.array(["train", "validation", "test"])[places]
