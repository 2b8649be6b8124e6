"""Lets a fitted pipeline predict."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from stages.shared.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]


def predict(pipeline: Pipeline, X: Array, schema: Schema) -> Array:
    """Return float64 probabilities (n x labels), or for regression values (n).

    ``X`` is the encoded matrix (n x fields).
    """
    if schema.problem == "classification":
        return np.asarray(pipeline.predict_proba(X), dtype=np.float64)
    return np.asarray(pipeline.predict(X), dtype=np.float64).reshape(-1)
