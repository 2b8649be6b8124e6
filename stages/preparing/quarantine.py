"""Finds the rows that break the contract by themselves, so that they can be set aside."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.contract.columns import Column
from stages.contract.target import Target
from stages.shared.errors import PipelineError
from stages.shared.schema import ROW, TARGET

Mask = np.ndarray[Any, np.dtype[np.bool_]]
REASONS = "reasons"


def find_faults(
    raw: pd.DataFrame, table: pd.DataFrame, columns: Mapping[str, Column], target: Target
) -> dict[str, Mask]:
    """Return for each reason (``column: rule``) the rows of the typed table to which it applies."""
    found: dict[str, Mask] = {}
    for name, column in columns.items():
        found |= _find_column_faults(raw[name], table[name], name, column)
    missing = table[TARGET].isna().to_numpy()
    found["target: missing"] = missing
    if target.labels:
        found["target: undeclared class"] = ~table[TARGET].isin(target.labels).to_numpy() & ~missing
    else:
        found["target: out of range"] = _find_outside(table[TARGET], target.range)
    return {reason: mask for reason, mask in found.items() if mask.any()}


def _find_column_faults(
    raw: pd.Series, cells: pd.Series, name: str, column: Column
) -> dict[str, Mask]:
    missing, given = cells.isna().to_numpy(), raw.notna().to_numpy()
    found = {f"{name}: not of its type": missing & given}
    if column.missing == "forbidden":
        found[f"{name}: missing"] = missing & ~given
    if column.type in ("number", "integer"):
        found[f"{name}: out of range"] = _find_outside(cells, column.range)
    if column.type == "category":
        found[f"{name}: undeclared value"] = ~cells.isin(column.tokens).to_numpy() & ~missing
    if column.type == "text" and column.length:
        counts = cells.str.len().to_numpy(dtype=np.float64, na_value=np.nan)
        found[f"{name}: out of length"] = (counts < column.length[0]) | (counts > column.length[1])
    return found


def _find_outside(cells: pd.Series, bounds: tuple[float, ...] | None) -> Mask:
    numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    low, high = bounds or (-np.inf, np.inf)
    return np.asarray((numbers < low) | (numbers > high) | np.isinf(numbers))


def set_aside(
    raw: pd.DataFrame, table: pd.DataFrame, found: Mapping[str, Mask], most: float, key: str
) -> tuple[Mask, pd.DataFrame]:
    """Return which rows are bad, and these as they came, with row number and reasons.

    Raises PipelineError, with ``key`` as the place to change, where they are more than ``most``.
    """
    bad = np.logical_or.reduce([np.zeros(len(table), dtype=bool), *found.values()])
    if bad.mean() > most:
        counts = ", ".join(f"{reason} ({int(mask.sum()):,})" for reason, mask in found.items())
        raise PipelineError(
            f"{int(bad.sum()):,} of {len(table):,} rows break the contract, more than the "
            f"{most:.1%} that {key} allows to set aside: {counts}"
        )
    aside = raw[bad].copy()
    reasons = [
        "; ".join(reason for reason, mask in found.items() if mask[i]) for i in np.flatnonzero(bad)
    ]
    aside.insert(0, REASONS, pd.Series(reasons, index=aside.index, dtype="str"))
    aside.insert(0, "row", table.loc[bad, ROW])
    return bad, aside
