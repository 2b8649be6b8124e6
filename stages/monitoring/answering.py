"""Asks an exported model about a table's rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from serve.runtime.encode import RowError
from serve.runtime.manifest import Column
from serve.runtime.model import Checked, Model
from stages.monitoring.columns import Array
from stages.monitoring.harm import Predict


def make_predict(model: Model) -> Predict:
    """Return what gives probabilities (n x labels) or values (n); NaN for rows it refuses."""

    def predict(frame: pd.DataFrame) -> Array:
        labels = model.manifest.target.labels
        found = np.full((len(frame), len(labels) or 1), np.nan)
        for place, row in enumerate(to_rows(frame, model.manifest.columns)):
            outcome = _ask(model, row)
            if outcome is not None:
                found[place] = outcome
        return found if labels else found[:, 0]

    return predict


def _ask(model: Model, row: dict[str, Any]) -> list[float] | None:
    try:
        checked = Checked(["body"], *model.encoder.encode(["body"], row))
    except RowError:
        return None
    outcome = model.run_each([checked])[0]
    return outcome.output if outcome else None


def to_rows(frame: pd.DataFrame, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the rows as a client sends them; a missing cell is None."""
    cells = {column.name: _list_cells(frame[column.name], column) for column in columns}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _list_cells(cells: pd.Series, column: Column) -> list[Any]:
    spelled = {str(value): value for value in column.values or ()}
    return [spelled.get(cell, _to_json(cell)) for cell in cells.astype(object).tolist()]


def _to_json(cell: Any) -> Any:
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        return None
    return cell.isoformat() if isinstance(cell, pd.Timestamp) else cell
