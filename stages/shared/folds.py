"""Deals rows into the folds that every candidate is scored on, and into parts of them.

Each of them keeps together what the split keeps together: the rows of a group where the table is
split by group, else the rows whose inputs are equal.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)

from stages.contract.cross_validation import CrossValidation
from stages.shared.equal_rows import has_twins, number_rows
from stages.shared.errors import PipelineError
from stages.shared.schema import GROUP, Schema

Array = np.ndarray[Any, np.dtype[Any]]
Parted = tuple[Array, Array]  # the rows to fit on, and those held out
GROUPING = "of split.group, or of equal rows"
BUNDLES = 20  # a part, into which rows without a copy are put before they are dealt
DRAWS = 20  # of groups to hold out: the one with the fairest share of each class is taken


def make_folds(
    schema: Schema, y: Array, cv: CrossValidation, repeat: int, groups: Array | None = None
) -> list[Parted]:
    """Return the rows to fit on and those held out, for each fold of one repeat.

    Repeats differ in the shuffle alone. Rows of one of the ``groups`` (a label for each row) are in
    one fold. Raises PipelineError unless each fold can hold a row of each class, and a group of its
    own.
    """
    _check_counts(schema, y, cv, groups)
    is_classification = schema.problem == "classification"
    found = deal_folds(y, cv.folds, cv.seed + repeat, is_classification, groups)
    for fitted, _ in found:
        _check_classes(schema, y[fitted])
    return found


def deal_folds(
    y: Array, parts: int, seed: int, is_classification: bool, groups: Array | None = None
) -> list[Parted]:
    """Return the rows outside and inside of each of so many parts, classes in proportion."""
    if groups is None:
        kind = StratifiedKFold if is_classification else KFold
    else:
        kind = StratifiedGroupKFold if is_classification else GroupKFold
    if groups is not None and is_classification:
        groups = _bundle_single_rows(y, groups, BUNDLES * parts, seed)
    dealer = kind(parts, shuffle=True, random_state=seed)
    return list(dealer.split(np.zeros(len(y)), y, groups))


def hold_out(
    y: Array, share: float, seed: int, is_classification: bool, groups: Array | None = None
) -> Parted:
    """Return the rows to fit on and the ``share`` of them that stops the fit.

    Classes are in proportion, or with groups nearly so. Raises ValueError where there are too few
    rows or groups for that.
    """
    if groups is not None:
        return _hold_out_groups(y, share, seed, is_classification, groups)
    stratify = y if is_classification else None
    fitted, held = train_test_split(
        np.arange(len(y)), test_size=share, random_state=seed, stratify=stratify
    )
    return fitted, held


def take_groups(groups: Array | None, rows: Array) -> Array | None:
    """Return the group of each of ``rows``, where there are groups."""
    return None if groups is None else groups[rows]


def read_groups(frame: pd.DataFrame, schema: Schema) -> Array | None:
    """Return the number of each row's group, or None where each row is one of its own.

    A group is what the split keeps together: the rows of a value of ``split.group``, else rows
    that are equal in all columns the models see. A copy on the other side would be known by heart.
    Where a few columns of few values make rows equal by chance, these are cases of their own.
    """
    if GROUP in frame:
        return pd.factorize(frame[GROUP].fillna(""))[0]
    inputs = frame[schema.names]
    numbers = number_rows(inputs)
    is_each_different = len(np.unique(numbers)) == len(numbers)
    return None if is_each_different or has_twins(inputs, has_text=schema.has_text) else numbers


def count_groups(groups: Array | None, rows: int) -> int:
    """Return how many of ``rows`` stand for themselves: those of one group count once."""
    return rows if groups is None else len(np.unique(groups))


def _bundle_single_rows(y: Array, groups: Array, bundles: int, seed: int) -> Array:
    """Return the groups, with rows that are alone in theirs put into at most so many bundles.

    Each bundle holds the classes in proportion. StratifiedGroupKFold deals group by group: half a
    million rows, of which a few have a copy, would take minutes.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    alone = np.random.default_rng(seed).permutation(np.flatnonzero(sizes[codes] == 1))
    alone = alone[np.argsort(y[alone], kind="stable")]
    codes[alone] = len(sizes) + np.arange(len(alone)) % bundles
    return codes


def _hold_out_groups(
    y: Array, share: float, seed: int, is_classification: bool, groups: Array
) -> Parted:
    if len(np.unique(groups)) < 2:
        raise ValueError(f"all are of one group ({GROUPING}), which no split may divide")
    kinds = np.unique(y, return_inverse=True)[1] if is_classification else np.zeros(len(y), int)
    total = np.bincount(kinds)

    def shares_held(held: Array) -> Array:
        return np.bincount(kinds[held], minlength=len(total)) / total

    draws = GroupShuffleSplit(DRAWS, test_size=share, random_state=seed).split(y, groups=groups)
    fitted, held = min(draws, key=lambda draw: float(np.abs(shares_held(draw[1]) - share).max()))
    if shares_held(held).max() == 1:
        raise ValueError("a class would have no row to fit on, because few groups have it")
    return fitted, held


def _check_counts(schema: Schema, y: Array, cv: CrossValidation, groups: Array | None) -> None:
    counts = {label: int((y == i).sum()) for i, label in enumerate(schema.labels)}
    for label, count in (counts or {"(all)": len(y)}).items():
        if count < cv.folds:
            raise _describe_too_few(cv, f"{label} has {count} rows")
    if groups is not None and (count := len(np.unique(groups))) < cv.folds:
        raise _describe_too_few(cv, f"there are {count} groups ({GROUPING})")


def _describe_too_few(cv: CrossValidation, what: str) -> PipelineError:
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
                f"bring more rows, or change split.group in conf/task ({GROUPING})"
            )
