"""Picks the rows whose answers a server gives again before it serves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stages.exporting.manifest import Golden
from stages.exporting.parity import Answering
from stages.shared.contract import Column
from stages.shared.features import encode
from stages.shared.schema import Schema

PLAIN = 6  # rows as they are


def golden_rows(
    exported: Answering, test: pd.DataFrame, columns: Mapping[str, Column], schema: Schema
) -> tuple[Golden, ...]:
    """Return rows spread over the test, one with a value missing, one with an unseen category.

    Each output is of its row alone: in a batch some kernels add in another order.
    """
    frame = pick(test[list(columns)], columns)
    X = encode(frame, schema)
    return tuple(
        Golden(
            input={name: plain(row[name], column) for name, column in columns.items()},
            output=tuple(exported.predict(X[[i]]).ravel().tolist()),
        )
        for i, row in enumerate(frame.to_dict("records"))
    )


def pick(frame: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return at most PLAIN rows, the first row with a missing value, and one with an unseen one."""
    spread = np.unique(np.linspace(0, len(frame) - 1, PLAIN).round().astype(int))
    rows = [frame.iloc[spread], _with_missing(frame, columns)]
    rows += [
        _changed(frame, name, _unseen(column))
        for name, column in columns.items()
        if column.type == "category"
    ][:1]
    return pd.concat(rows, ignore_index=True)


def _with_missing(frame: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    found = frame[frame.isna().any(axis=1)].head(1)
    allowed = [name for name, column in columns.items() if column.missing == "allowed"]
    return found if len(found) else _changed(frame, [*allowed, *columns][0], None)


def _changed(frame: pd.DataFrame, name: str, value: str | None) -> pd.DataFrame:
    row = frame.head(1).copy()
    row[name] = pd.Series([value], index=row.index, dtype=row[name].dtype)
    return row


def _unseen(column: Column) -> str:
    text = "unseen"
    while text in column.tokens:
        text += "_"
    return text


def plain(cell: Any, column: Column) -> str | int | float | bool | None:
    """Return a cell as JSON has it in a request; a category has its value's own type."""
    if pd.isna(cell):
        return None
    match column.type:
        case "datetime":
            return str(pd.Timestamp(cell).isoformat())
        case "category":
            values = dict(zip(column.tokens, column.values or (), strict=True))
            return values.get(str(cell), str(cell))
        case "number":
            return float(cell)
        case "integer":
            return int(cell)
        case "boolean":
            return bool(cell)
        case "text":
            return str(cell)
