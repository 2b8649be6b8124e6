"""Cells as numbers, and as a person reads them."""

from typing import Any

import numpy as np
import pandas as pd

LISTED = 10  # rows and values that a finding lists
LONGEST = 60  # characters of a value that are shown
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.float64]]


def list_first_values(column: pd.Series) -> tuple[str, ...]:
    """Return the first different values, made printable."""
    return tuple(format_value(value) for value in column.dropna().drop_duplicates().head(LISTED))


def as_numbers(column: pd.Series) -> Numbers:
    """Return float64 with NaN for missing, from a number or integer column."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def as_seconds(column: pd.Series) -> Numbers:
    """Return the seconds since 1970 of a datetime column, NaN for missing."""
    seconds = column.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    return np.asarray(np.where(column.isna(), np.nan, seconds))


def format_value(value: Any) -> str:
    """Return a value as a person reads it: 80 for 80.0, nothing unprintable, cut where long."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = value.isoformat() if isinstance(value, pd.Timestamp) else str(value)
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
