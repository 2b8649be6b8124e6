"""Proposes what to predict and how to judge it: classes, metric, split and folds."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from stages.preparing.casting import as_tokens, to_numbers
from stages.shared.errors import PipelineError
from stages.shared.heuristics import is_named_as_identifier

MOST_CLASSES = 20
MOST_NUMBERED = 10  # different whole numbers that are classes rather than amounts
RARE = 0.05  # share of the positive class below which its ranking says more than the ROC curve
SKEWED = 3.0  # times that the most frequent of several classes outweighs the rarest
SMALL = 1_000  # rows below which one round of folds is noisy
FOLDS = 5
POSITIVE = (
    "1",
    "true",
    "yes",
    "y",
    "t",
    "positive",
    "pos",
    "ill",
    "churned",
    "fraud",
    "bad",
    "default",
)


@dataclass(frozen=True)
class InferredTarget:
    """The contract's target and how models are compared; ``comments`` explain keys."""

    target: dict[str, Any]
    metric: str
    split: dict[str, Any] = field(default_factory=dict)
    cv: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    lacking: float = 0.0  # share of the rows


def infer_target(
    frame: pd.DataFrame, name: str, positive: str | None, decimal: str
) -> InferredTarget:
    """Return what to predict from the target column's values.

    Raises PipelineError where these are all alike, or words too many for classes.
    """
    present = frame[name].dropna()
    tokens = as_tokens(present)
    counts = tokens.value_counts()
    numbers = to_numbers(present, decimal)
    if len(counts) < 2:
        raise PipelineError(f"--target {name}: every value is {counts.index.tolist()[:1]}")
    lacking = len(frame) - len(present)
    expression = name if name.isidentifier() else f"col({name!r})"
    if _is_amount(numbers, len(counts)):
        return _note_lacking(
            _infer_regression(expression, numbers, len(frame)), lacking, len(frame)
        )
    if len(counts) > MOST_CLASSES:
        first = ", ".join(map(str, counts.index[:5]))
        raise PipelineError(
            f"--target {name}: {len(counts):,} different words ({first}, …) are too many for "
            f"classes, of which there may be {MOST_CLASSES}"
        )
    return _note_lacking(
        _infer_classification(expression, counts, positive, len(frame)), lacking, len(frame)
    )


def _note_lacking(inferred: InferredTarget, lacking: int, rows: int) -> InferredTarget:
    """Say of how many rows the target is missing: no model learns from them."""
    if not lacking:
        return inferred
    words = f"{inferred.comments['target']}; {lacking:,} rows lack it"
    return replace(
        inferred, comments={**inferred.comments, "target": words}, lacking=lacking / rows
    )


def _is_amount(numbers: pd.Series, different: int) -> bool:
    if numbers.isna().any():
        return False
    return different > MOST_NUMBERED or bool((numbers % 1 != 0).any())


def _infer_regression(expression: str, numbers: pd.Series, rows: int) -> InferredTarget:
    comments = {
        "target": f"from {numbers.min():g} to {numbers.max():g}, median {numbers.median():g}"
    }
    return InferredTarget(
        {"expression": expression, "unit": ""},
        "rmse",
        cv=_choose_folds(rows, rows),
        comments=comments,
    )


def _infer_classification(
    expression: str, counts: pd.Series, positive: str | None, rows: int
) -> InferredTarget:
    labels = sorted(counts.index)
    target: dict[str, Any] = {"expression": expression, "classes": labels}
    shares = ", ".join(f"{label} {count / counts.sum():.0%}" for label, count in counts.items())
    cv = _choose_folds(rows, int(counts.min()))
    if len(labels) > 2:
        shares += _suggest_two_classes(expression, labels)
        skewed = counts.max() > SKEWED * counts.min()
        metric = "balanced_accuracy" if skewed else "accuracy"
        return InferredTarget(target, metric, cv=cv, comments={"target": shares})
    chosen = positive or _guess_positive(labels, counts)
    if chosen not in labels:
        raise PipelineError(f"--positive {chosen!r} is none of the classes {', '.join(labels)}")
    rare = counts[chosen] < RARE * counts.sum()
    comments = {
        "target": shares,
        "positive": "whose probability is predicted: is it the right one?",
    }
    metric = "average_precision" if rare else "roc_auc"
    return InferredTarget({**target, "positive": chosen}, metric, cv=cv, comments=comments)


def _suggest_two_classes(expression: str, labels: list[str]) -> str:
    """Return a hint where the classes are degrees of something that may also be absent."""
    if not all(label.isdigit() for label in labels) or "0" not in labels:
        return ""
    return f"; for yes or no: expression: {expression} > 0, classes: {{false: no, true: yes}}"


def _guess_positive(labels: list[str], counts: pd.Series) -> str:
    """Return the class of a telling name, else the rarer one."""
    telling = [label for label in labels if label.casefold() in POSITIVE]
    return telling[0] if len(telling) == 1 else str(counts.idxmin())


def _choose_folds(rows: int, rarest: int) -> dict[str, Any]:
    """Return folds such that each can hold a row of the rarest class; more rounds for few rows."""
    folds = int(np.clip(rarest * 0.6 // 2, 2, FOLDS))
    found = {} if folds == FOLDS else {"folds": folds}
    return {**found, "repeats": 3} if rows < SMALL else found


def find_group(frame: pd.DataFrame, names: list[str]) -> str | None:
    """Return a column that tells whose rows belong together: an identifier that repeats."""
    for name in names:
        present = as_tokens(frame[name].dropna())
        repeats = 1.2 * present.nunique() <= len(present) if len(present) else False
        if repeats and present.nunique() >= 0.02 * len(frame) and is_named_as_identifier(name):
            return name
    return None
