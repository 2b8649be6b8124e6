"""Deals rows into the folds that every candidate is scored on."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from stages.core.contract import CrossValidation
from stages.core.errors import PipelineError
from stages.shared.schema import GROUP, Schema

Array = np.ndarray[Any, np.dtype[Any]]


def folds(
    schema: Schema, y: Array, cv: CrossValidation, repeat: int, groups: Array | None = None
) -> list[tuple[Array, Array]]:
    """Return the rows to fit on and those held out, for each fold of one repeat.

    Repeats differ in the shuffle alone. Rows of one of the ``groups`` (a label for each row) are in
    one fold. Raises PipelineError unless each fold can hold a row of each class, and a group of its
    own.
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


def groups_of(frame: pd.DataFrame) -> Array | None:
    """Return each row's group as text, where the table is split by group."""
    return frame[GROUP].fillna("").to_numpy() if GROUP in frame else None


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
