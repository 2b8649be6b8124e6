"""Out-of-fold predictions: every row predicted by a model that never saw it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from stages.contract.cross_validation import CrossValidation
from stages.shared.folds import make_folds, take_groups
from stages.shared.predicting import predict
from stages.training.fitting import Recipe, fit_stopping_early

Array = np.ndarray[Any, np.dtype[Any]]


def predict_out_of_fold(
    recipe: Recipe, X: Array, y: Array, cv: CrossValidation, groups: Array | None = None
) -> tuple[pd.DataFrame, list[int]]:
    """Return the predictions and the number of trees that each fold's model uses.

    The table has one row for each repeat and row of ``X``: ``repeat``, ``fold``, then ``p_0`` to
    ``p_{k-1}`` for k classes or ``value``.
    """
    parts, rounds = zip(*_predict_repeats(recipe, X, y, cv, groups), strict=True)
    table = pd.concat(parts, ignore_index=True)
    return table, [count for counts in rounds for count in counts if count]


def _predict_repeats(
    recipe: Recipe, X: Array, y: Array, cv: CrossValidation, groups: Array | None
) -> Iterator[tuple[pd.DataFrame, list[int | None]]]:
    names = _name_predictions(recipe)
    for repeat in range(cv.repeats):
        fold_of, predictions = np.empty(len(y), np.int64), np.empty((len(y), len(names)))
        rounds = []
        for fold, (fitted, held) in enumerate(make_folds(recipe.schema, y, cv, repeat, groups)):
            known = X[fitted], y[fitted], cv.seed + repeat
            pipeline, used = fit_stopping_early(recipe, *known, take_groups(groups, fitted))
            fold_of[held] = fold
            answers = predict(pipeline, X[held], recipe.schema)
            predictions[held] = answers.reshape(len(held), -1)
            rounds.append(used)
        table = pd.DataFrame(predictions, columns=names)
        table.insert(0, "repeat", repeat)
        table.insert(1, "fold", fold_of)
        yield table, rounds


def _name_predictions(recipe: Recipe) -> list[str]:
    return [f"p_{i}" for i in range(len(recipe.schema.labels))] or ["value"]
