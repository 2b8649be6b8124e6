"""Reads what `train` or `fine_tune` left of a candidate, and scores what it predicted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluating.metrics import DecisionRule, Metric, Rows
from stages.shared.errors import PipelineError
from stages.shared.schema import ROW
from stages.shared.storage import read_frame, read_json

Array = np.ndarray[Any, np.dtype[Any]]
FILES = ("model.joblib", "out_of_fold.parquet", "candidate.json")


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of every row by a model that never saw it, once a repeat.

    ``folds`` is repeats x n, ``predictions`` repeats x n x classes (or repeats x n for values), in
    the order of the rows to train on.
    """

    folds: Array
    predictions: Array

    @property
    def average(self) -> Array:
        """The mean prediction of each row over the repeats."""
        return np.asarray(self.predictions.mean(axis=0))

    def score_folds(self, truth: Array, metric: Metric, rule: DecisionRule) -> Array:
        """Return the metric on each fold (repeats x folds); NaN where it is undefined."""
        numbers = np.unique(self.folds)
        return np.array(
            [
                [metric.of(Rows(truth[f == k], p[f == k], rule)) for k in numbers]
                for f, p in zip(self.folds, self.predictions, strict=True)
            ]
        )


def read_candidate(folder: Path, rows: Array) -> tuple[dict[str, Any], OutOfFold]:
    """Read ``candidate.json`` and the out-of-fold predictions of ``rows`` (row numbers, n).

    Raises PipelineError where a file is missing or holds other rows.
    """
    absent = [name for name in FILES if not (folder / name).exists()]
    task, model = folder.parts[-2:]
    remedy = f"run `dvc repro evaluate-{task}`, or take {model} out of conf/task/{task}.yaml"
    if absent:
        raise PipelineError(f"{folder} has no {', '.join(absent)}: {remedy}")
    table = read_frame(folder / "out_of_fold.parquet")
    try:
        return read_json(folder / "candidate.json"), arrange(table, rows)
    except ValueError as error:
        raise PipelineError(f"{folder / 'out_of_fold.parquet'} {error}: {remedy}") from error


def arrange(table: pd.DataFrame, rows: Array) -> OutOfFold:
    """Return the predictions in the order of ``rows``; raises ValueError where it has others."""
    repeats = [part for _, part in table.groupby("repeat", sort=True)]
    if any(not np.array_equal(np.sort(part[ROW]), np.sort(rows)) for part in repeats):
        raise ValueError("does not hold each row of train.parquet and validation.parquet once")
    ordered = [part.set_index(ROW).loc[rows].drop(columns="repeat") for part in repeats]
    folds = np.stack([part.pop("fold").to_numpy() for part in ordered])
    predictions = np.stack([part.to_numpy(dtype=np.float64) for part in ordered])
    return OutOfFold(folds, predictions[..., 0] if "value" in table else predictions)
