"""Picks the rows whose answers a server gives again before it serves."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from serve.runtime.manifest import Golden
from stages.contract.columns import Column
from stages.exporting.parity import Predictor
from stages.shared.features import encode
from stages.shared.schema import Schema

PLAIN = 6  # rows as they are
# In lower case longer, without blanks, of several characters each, of two forms: what a server
# that reads texts in its own way would get wrong. Both normalisation forms leave it as it is.
HARD_TEXT = "Straße, İstanbul; 漢字 👩‍👩‍👧 ΌΔΟΣ !?"


def answer_golden_rows(
    exported: Predictor, test: pd.DataFrame, columns: Mapping[str, Column], schema: Schema
) -> tuple[Golden, ...]:
    """Return rows spread over the test, and some that are hard: see `pick`.

    Each output is of its row alone: in a batch some kernels add in another order.
    """
    frame = pick_rows(test[list(columns)], columns)
    X = encode(frame, schema)
    return tuple(
        Golden(
            input={name: to_plain(row[name], column) for name, column in columns.items()},
            output=tuple(exported.predict(X[[i]]).ravel().tolist()),
        )
        for i, row in enumerate(frame.to_dict("records"))
    )


def pick_rows(frame: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return at most PLAIN rows, and one with each: a missing value, an unseen one, a hard text."""
    spread = np.unique(np.linspace(0, len(frame) - 1, PLAIN).round().astype(int))
    rows = [frame.iloc[spread], _pick_missing(frame, columns)]
    hard: dict[str, Callable[[Column], str]] = {
        "category": _invent_unseen,
        "text": lambda _: HARD_TEXT,
    }
    for kind, value in hard.items():
        found = [(name, column) for name, column in columns.items() if column.type == kind][:1]
        rows += [_change(frame, name, value(column)) for name, column in found]
    return pd.concat(rows, ignore_index=True)


def _pick_missing(frame: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    found = frame[frame.isna().any(axis=1)].head(1)
    allowed = [name for name, column in columns.items() if column.missing == "allowed"]
    return found if len(found) else _change(frame, [*allowed, *columns][0], None)


def _change(frame: pd.DataFrame, name: str, value: str | None) -> pd.DataFrame:
    row = frame.head(1).copy()
    row[name] = pd.Series([value], index=row.index, dtype=row[name].dtype)
    return row


def _invent_unseen(column: Column) -> str:
    text = "unseen"
    while text in column.tokens:
        text += "_"
    return text


def to_plain(cell: Any, column: Column) -> str | int | float | bool | None:
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
