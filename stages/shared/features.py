"""From typed columns to numbers a model can be fitted on, in two steps.

``encode`` turns a table into one float64 matrix, a column each: numbers as they are, a category as
the index of its value, a boolean as 0 or 1, a date as seconds since 1970 in UTC; NaN is missing and
-1 an unseen category. With a text column the matrix holds objects: its texts, "" where missing, and
floats in the other columns. ``Featurizer`` makes the matrix a model is fitted on. Serving and the
exported graph do the same two steps.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from stages.contract.expressions import Expression
from stages.shared.schema import TARGET, Field, Schema

Array = np.ndarray[Any, np.dtype[Any]]
UNSEEN = -1.0


def encode(frame: pd.DataFrame, schema: Schema) -> Array:
    """Return the matrix (rows by ``schema.fields``) of a prepared table."""
    columns = [encode_column(frame[field.name], field) for field in schema.fields]
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def encode_column(column: pd.Series, field: Field) -> Array:
    """Return one column as float64: NaN where missing, -1 for an unseen category.

    A text column is returned as objects, "" where missing.
    """
    if field.type == "text":
        return column.astype(object).where(column.notna(), "").to_numpy()
    if field.type == "category":
        codes = _codes(column, field.values).astype(np.float64)
        return np.where(column.isna(), np.nan, codes)
    if field.type == "datetime":
        seconds = column.to_numpy("datetime64[us]").astype(np.int64) / 1e6
        return np.where(column.isna(), np.nan, seconds)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def encode_target(frame: pd.DataFrame, schema: Schema) -> Array:
    """Return the class index (int64), or for regression the value (float64), of each row."""
    if schema.problem == "regression":
        return frame[TARGET].to_numpy(dtype=np.float64)
    return _codes(frame[TARGET], schema.labels)


def _codes(column: pd.Series, values: Sequence[str]) -> Array:
    """Return each cell's index in ``values``, -1 where it is not among them."""
    cells = pd.Index(column.astype(object))
    return pd.Index(list(values)).astype(object).get_indexer(cells).astype(np.int64)


class Featurizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Makes model inputs from the encoded matrix, by the schema's column types alone.

    Numbers (and derived numbers): missing ones become the training median. With ``scale`` all are
    then standardised. Categories: a 0/1 column for each value, all 0 where missing or unseen.
    Booleans and dates count as numbers. A number that is missing anywhere in training gets a 0/1
    column that says where.

    The features are float64 with ``scale`` and float32 without: trees are fitted on float32, as
    they are served, so that no value can fall on the other side of a threshold later.

    Learned: ``fill_``, ``mean_`` and ``std_`` (one for each number), ``flagged_`` (indices of
    the numbers with a column for being missing).
    """

    def __init__(self, schema: Schema, scale: bool = False) -> None:
        self.schema = schema
        self.scale = scale

    def fit(self, X: Array, y: Array | None = None) -> Self:  # noqa: ARG002 - scikit-learn's form
        """Learn medians, means and deviations from the encoded matrix."""
        numbers = self.numbers(X)
        missing = np.isnan(numbers)
        self.fill_ = np.array([_median(column) for column in numbers.T])
        filled = np.where(missing, self.fill_, numbers)
        self.mean_ = filled.mean(axis=0)
        varies = np.ptp(filled, axis=0) > 0  # rounding gives a constant's deviation as 1e-17
        self.std_ = np.where(varies, filled.std(axis=0), 1.0)
        self.flagged_ = np.flatnonzero(missing.any(axis=0))
        return self

    def transform(self, X: Array) -> Array:
        """Return the features: numbers, their missing flags, then categories one-hot."""
        numbers = self.numbers(X)
        missing = np.isnan(numbers)
        filled = np.where(missing, self.fill_, numbers)
        if self.scale:
            filled = (filled - self.mean_) / self.std_
        flags = missing[:, self.flagged_].astype(np.float64)
        features = np.column_stack([filled, flags, self._one_hot(X)])
        return features if self.scale else features.astype(np.float32)

    def numbers(self, X: Array) -> Array:
        """Return the columns that count as numbers, then the derived ones; infinite is NaN."""
        fields = [(i, field) for i, field in enumerate(self.schema.fields) if field.type != "text"]
        columns = {field.name: X[:, i].astype(np.float64, copy=False) for i, field in fields}
        plain = [columns[field.name] for _, field in fields if field.type != "category"]
        made = [Expression.parse(d.expression).evaluate(columns) for d in self.schema.derived]
        numbers = np.column_stack([*plain, *made]) if plain or made else np.empty((len(X), 0))
        return np.where(np.isfinite(numbers), numbers, np.nan)

    def _one_hot(self, X: Array) -> Array:
        blocks = [
            X[:, [i]] == np.arange(len(field.values))
            for i, field in enumerate(self.schema.fields)
            if field.type == "category"
        ]
        return np.column_stack(blocks).astype(np.float64) if blocks else np.empty((len(X), 0))


def _median(column: Array) -> float:
    present = column[~np.isnan(column)]
    return float(np.median(present)) if len(present) else 0.0
