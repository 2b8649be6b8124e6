"""Proposes what to predict and how to judge it: classes, metric, split and folds."""

import keyword
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from commands.drafting.guess import drop_missing, is_nested
from commands.drafting.marks import USUAL, Marks, find_marks
from commands.drafting.rare_classes import group_rare
from commands.drafting.values import Values, format_share
from stages.shared.errors import PipelineError
from stages.shared.heuristics import is_named_as_identifier, is_surely_an_identifier
from stages.validating.spellings import AMOUNTS, suggest_form

MOST_CLASSES = 200
OFTEN = 0.02  # share of the rows from which a mark such as None is a class
WORDS_OF_CLASSES = ("None", "none", "NA", "N/A", "null")
NAMED = 20  # classes that a comment names
SMALL_CLASS = 20  # rows
MOST_NUMBERED = 10  # different whole numbers that are classes rather than amounts
FEWEST_GROUPS = 10
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
    class_weight: str | None = None
    marks: tuple[str, ...] = ()  # that stand for missing in the target alone
    kept: tuple[str, ...] = ()  # usual marks for missing that are classes


def infer_target(
    frame: pd.DataFrame, name: str, positive: str | None, decimal: str
) -> InferredTarget:
    """Return what to predict from the target column's values, of which blank ones are missing.

    Raises PipelineError where these are all alike, or words too many for classes.
    """
    if is_nested(frame[name]):
        raise PipelineError(f"--target {name}: it holds lists or records: make one value of each")
    values = Values.count(frame[name], decimal)
    marks = _keep_frequent(values, find_marks(values))
    present = drop_missing(values, marks)
    if len(present.words) < 2:
        raise PipelineError(f"--target {name}: every value is {present.words.tolist()[:1]}")
    expression = write_expression(name)
    if _is_amount(present.numbers, len(present.words)):
        inferred = _infer_regression(expression, present, len(frame))
    else:
        _check_classes(name, present)
        counts = pd.Series(present.counts, index=present.words).sort_values(
            ascending=False, kind="stable"
        )
        inferred = _infer_classification(expression, counts, positive, len(frame))
    return _note_marks(_note_lacking(inferred, len(frame) - present.total, len(frame)), marks)


def write_expression(name: str) -> str:
    """Return a column as a formula reads it: by its name, or quoted where Python reads another."""
    normal = unicodedata.normalize("NFKC", name) == name
    plain = name.isidentifier() and not keyword.iskeyword(name) and normal and name != "__debug__"
    return name if plain else f"col({name!r})"


def _keep_frequent(values: Values, marks: Marks) -> Marks:
    """Take a usual mark for a class where many rows hold it: few rows lack their target."""
    often = values.counts >= OFTEN * values.total
    kept = [w for w, o in zip(values.words, often, strict=True) if o and w in WORDS_OF_CLASSES]
    is_amount = np.isfinite(values.numbers[~values.words.isin(USUAL).to_numpy()]).all()
    return marks if is_amount else replace(marks, kept=tuple(dict.fromkeys([*marks.kept, *kept])))


def _check_classes(name: str, present: Values) -> None:
    """Raise PipelineError where words are no classes: amounts written otherwise, or too many."""
    words = present.words.tolist()
    if len(words) > MOST_NUMBERED and (form := suggest_form(words, AMOUNTS)):
        raise PipelineError(f"--target {name} is no number: {form}")
    first = ", ".join(words[:5])
    if len(words) > MOST_CLASSES:
        raise PipelineError(
            f"--target {name}: {len(words):,} different words ({first}, …) are too many for "
            f"classes, of which there may be {MOST_CLASSES}"
        )
    if 2 * len(words) > present.total:
        raise PipelineError(
            f"--target {name}: {len(words):,} different words ({first}, …) in {present.total:,} "
            "rows are no classes, and too many to learn: each needs several rows"
        )


def _note_marks(inferred: InferredTarget, marks: Marks) -> InferredTarget:
    """Say which values of the target stand for none."""
    listed = ", ".join(map(repr, marks.marks[:5]))
    words = f"{listed} {'stands' if len(marks.marks) == 1 else 'stand'} for none" if listed else ""
    comment = "; ".join(filter(None, [inferred.comments["target"], words, marks.comment]))
    comments = {**inferred.comments, "target": comment}
    return replace(inferred, comments=comments, marks=marks.marks, kept=marks.kept)


def _note_lacking(inferred: InferredTarget, lacking: int, rows: int) -> InferredTarget:
    """Say of how many rows the target is missing: no model learns from them."""
    if not lacking:
        return inferred
    words = f"{inferred.comments['target']}; {lacking:,} rows lack it"
    return replace(
        inferred,
        comments={**inferred.comments, "target": words},
        lacking=inferred.lacking + lacking / rows,
    )


def _is_amount(numbers: Any, different: int) -> bool:
    if np.isnan(numbers).any():
        return False
    return different > MOST_NUMBERED or bool((numbers % 1 != 0).any())


def _infer_regression(expression: str, present: Values, rows: int) -> InferredTarget:
    numbers = pd.Series(np.repeat(present.numbers, present.counts))
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
    classes = group_rare(counts)
    counts, labels = classes.counts, sorted(classes.counts.index)
    target: dict[str, Any] = {"expression": expression, "classes": classes.describe()}
    shares = "; ".join(filter(None, [_describe_shares(counts), classes.comment]))
    cv, lacking = _choose_folds(rows, int(counts.min())), classes.left_out / rows
    if len(labels) > 2:
        shares += _suggest_two_classes(expression, labels)
        skewed = counts.max() > SKEWED * counts.min()
        metric = "balanced_accuracy" if skewed else "accuracy"
        weight = "balanced" if skewed else None  # a rare class counts in the fit, too
        return InferredTarget(
            target,
            metric,
            cv=cv,
            comments={"target": shares},
            lacking=lacking,
            class_weight=weight,
        )
    chosen = positive or _guess_positive(labels, counts)
    if chosen not in labels:
        raise PipelineError(f"--positive {chosen!r} is none of the classes {', '.join(labels)}")
    rare = counts[chosen] < RARE * counts.sum()
    comments = {
        "target": shares,
        "positive": "whose probability is predicted: is it the right one?",
    }
    metric = "average_precision" if rare else "roc_auc"
    target["positive"] = chosen
    return InferredTarget(target, metric, cv=cv, comments=comments, lacking=lacking)


def _describe_shares(counts: pd.Series) -> str:
    """Return the share of each class, of the most frequent where they are many, and small ones."""
    shares = [f"{label} {format_share(count / counts.sum())}" for label, count in counts.items()]
    more = f" and {len(shares) - NAMED} more" if len(shares) > NAMED else ""
    small = [f"{label} {count:,}" for label, count in counts.items() if count < SMALL_CLASS]
    rare = f"; few rows: {', '.join(small[-NAMED:])}" if small and len(counts) > 2 else ""
    return f"{', '.join(shares[:NAMED])}{more}{rare}"


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
    """Return a column that tells whose rows belong together: an identifier that repeats.

    A name alone will not do where it may be a measure's, such as an index: there, equal values
    must stand together.
    """
    for name in filter(is_named_as_identifier, names):
        present = frame[name].dropna()
        if is_nested(present):
            continue
        different = present.nunique()
        enough = max(FEWEST_GROUPS, 0.02 * len(frame)) <= different <= len(present) / 1.2
        if enough and (is_surely_an_identifier(name) or _stands_together(present)):
            return name
    return None


def _stands_together(present: pd.Series) -> bool:
    """Say whether equal values follow one another far more often than by chance."""
    codes, _ = pd.factorize(present)
    chance = float(((np.bincount(codes) / len(codes)) ** 2).sum())
    return float(np.mean(codes[1:] == codes[:-1])) > max(0.3, 3 * chance)
