"""The model that every peer serves: the fitted pipeline whose path is in MODEL."""

import os
from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np


class Champion:
    """A pipeline over encoded rows, as `evaluate` has chosen it."""

    def __init__(self) -> None:
        self.pipeline: Any = joblib.load(os.environ["MODEL"])

    def probabilities(self, rows: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return each class's probability (rows by classes) for encoded rows."""
        return [[*map(float, row)] for row in self.pipeline.predict_proba(np.array(rows))]
