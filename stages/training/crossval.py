"""Out-of-fold predictions: every row predicted by a model that never saw it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

from stages.shared.contract import CrossValidation
from stages.shared.errors import PipelineError
from stages.shared.predicting import predict
from stages.training.fitting import Recipe, fit_stopping_early

Array = np.ndarray[Any, np.dtype[Any]]


def out_of_fold(
    recipe: Recipe, X: Array, y: Array, cv: CrossValidation
) -> tuple[pd.DataFrame, list[int]]:
    """Return the predictions and the number of trees that each fold's model uses.

    The table has one row for each repeat and row of ``X``: ``repeat``, ``fold``, then ``p_0`` to
    ``p_{k-1}`` for k classes or ``value``. Repeats differ in the shuffle alone.
    """
    _check_counts(recipe, y, cv)
    parts, rounds = zip(*_repeats(recipe, X, y, cv), strict=True)
    table = pd.concat(parts, ignore_index=True)
    return table, [count for counts in rounds for count in counts if count]


def _repeats(
    recipe: Recipe, X: Array, y: Array, cv: CrossValidation
) -> Iterator[tuple[pd.DataFrame, list[int | None]]]:
    names = _prediction_names(recipe)
    for repeat in range(cv.repeats):
        fold_of, predictions = np.empty(len(y), np.int64), np.empty((len(y), len(names)))
        rounds = []
        for fold, (fitted, held) in enumerate(_folds(recipe, y, cv, repeat)):
            pipeline, used = fit_stopping_early(recipe, X[fitted], y[fitted], cv.seed + repeat)
            fold_of[held] = fold
            answers = predict(pipeline, X[held], recipe.schema)
            predictions[held] = answers.reshape(len(held), -1)
            rounds.append(used)
        table = pd.DataFrame(predictions, columns=names)
        table.insert(0, "repeat", repeat)
        table.insert(1, "fold", fold_of)
        yield table, rounds


def _check_counts(recipe: Recipe, y: Array, cv: CrossValidation) -> None:
    """Raise PipelineError unless each fold can hold a row of each class."""
    labels = recipe.schema.labels
    counts = {label: int((y == i).sum()) for i, label in enumerate(labels)} or {"(all)": len(y)}
    for label, count in counts.items():
        if count < cv.folds:
            raise PipelineError(
                f"cv.folds is {cv.folds}, but {label} has {count} rows in train and validation: "
                f"bring more rows or lower cv.folds in conf/task"
            )


def _folds(
    recipe: Recipe, y: Array, cv: CrossValidation, repeat: int
) -> Iterator[tuple[Array, Array]]:
    kind = StratifiedKFold if recipe.schema.problem == "classification" else KFold
    folds = kind(cv.folds, shuffle=True, random_state=cv.seed + repeat)
    return folds.split(np.zeros(len(y)), y)  # type: ignore[no-any-return]


def _prediction_names(recipe: Recipe) -> list[str]:
    return [f"p_{i}" for i in range(len(recipe.schema.labels))] or ["value"]
