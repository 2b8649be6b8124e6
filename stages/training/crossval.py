"""Out-of-fold predictions: every row predicted by a model that never saw it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from stages.shared.contract import CrossValidation
from stages.shared.errors import PipelineError
from stages.shared.predicting import predict
from stages.shared.schema import Schema
from stages.training.fitting import Recipe, fit_stopping_early

Array = np.ndarray[Any, np.dtype[Any]]


def out_of_fold(
    recipe: Recipe, X: Array, y: Array, cv: CrossValidation, groups: Array | None = None
) -> tuple[pd.DataFrame, list[int]]:
    """Return the predictions and the number of trees that each fold's model uses.

    The table has one row for each repeat and row of ``X``: ``repeat``, ``fold``, then ``p_0`` to
    ``p_{k-1}`` for k classes or ``value``. Repeats differ in the shuffle alone. Rows of one of the
    ``groups`` (a label for each row) are in one fold.
    """
    parts, rounds = zip(*_repeats(recipe, X, y, cv, groups), strict=True)
    table = pd.concat(parts, ignore_index=True)
    return table, [count for counts in rounds for count in counts if count]


def folds(
    schema: Schema, y: Array, cv: CrossValidation, repeat: int, groups: Array | None = None
) -> list[tuple[Array, Array]]:
    """Return the rows to fit on and those held out, for each fold of one repeat.

    Raises PipelineError unless each fold can hold a row of each class, and a group of its own.
    """
    _check_counts(schema, y, cv, groups)
    is_classification = schema.problem == "classification"
    if groups is None:
        kind = StratifiedKFold if is_classification else KFold
    else:
        kind = StratifiedGroupKFold if is_classification else GroupKFold
    dealt = kind(cv.folds, shuffle=True, random_state=cv.seed + repeat)
    found = list(dealt.split(np.zeros(len(y)), y, groups))
    for fitted, _ in found:
        _check_classes(schema, y[fitted])
    return found


def _repeats(
    recipe: Recipe, X: Array, y: Array, cv: CrossValidation, groups: Array | None
) -> Iterator[tuple[pd.DataFrame, list[int | None]]]:
    names = _prediction_names(recipe)
    for repeat in range(cv.repeats):
        fold_of, predictions = np.empty(len(y), np.int64), np.empty((len(y), len(names)))
        rounds = []
        for fold, (fitted, held) in enumerate(folds(recipe.schema, y, cv, repeat, groups)):
            pipeline, used = fit_stopping_early(recipe, X[fitted], y[fitted], cv.seed + repeat)
            fold_of[held] = fold
            answers = predict(pipeline, X[held], recipe.schema)
            predictions[held] = answers.reshape(len(held), -1)
            rounds.append(used)
        table = pd.DataFrame(predictions, columns=names)
        table.insert(0, "repeat", repeat)
        table.insert(1, "fold", fold_of)
        yield table, rounds


def _check_counts(schema: Schema, y: Array, cv: CrossValidation, groups: Array | None) -> None:
    counts = {label: int((y == i).sum()) for i, label in enumerate(schema.labels)}
    for label, count in (counts or {"(all)": len(y)}).items():
        if count < cv.folds:
            raise _too_few(cv, f"{label} has {count} rows")
    if groups is not None and (count := len(np.unique(groups))) < cv.folds:
        raise _too_few(cv, f"there are {count} groups (split.group)")


def _too_few(cv: CrossValidation, what: str) -> PipelineError:
    return PipelineError(
        f"cv.folds is {cv.folds}, but {what} in train and validation: "
        f"bring more rows or lower cv.folds in conf/task"
    )


def _check_classes(schema: Schema, y: Array) -> None:
    """Raise PipelineError where the rows to fit on lack a class: one group may hold all of it."""
    for i, label in enumerate(schema.labels):
        if not (y == i).any():
            raise PipelineError(
                f"a fold would have no row of {label} to fit on, because few groups have it: "
                f"bring more rows, or change split.group in conf/task"
            )


def _prediction_names(recipe: Recipe) -> list[str]:
    return [f"p_{i}" for i in range(len(recipe.schema.labels))] or ["value"]
