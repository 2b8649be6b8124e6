"""The data behind the plots: lists of points that `dvc plots show` draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from stages.evaluating.importance import Importance
from stages.evaluating.learning_curve import Point
from stages.evaluating.metrics import Rows, reliability
from stages.evaluating.ranking import Candidate
from stages.evaluating.slices import Scored

Array = np.ndarray[Any, np.dtype[Any]]
Points = list[dict[str, Any]]
MOST_POINTS = 500  # of a curve
MOST_DOTS = 2_000  # of a cloud


def classification_plots(rows: Rows, labels: Sequence[str]) -> dict[str, Points]:
    """Return the curves and counts of a classifier by name."""
    return {
        "roc": roc(rows, labels),
        "precision_recall": precision_recall(rows, labels),
        "calibration": calibration(rows, labels),
        "confusion": confusion(rows, labels),
    }


def roc(rows: Rows, labels: Sequence[str]) -> Points:
    """Return a ROC curve a class (for two classes: of the positive one), and chance."""
    points: Points = []
    for i in _present(rows):
        false, true, _ = roc_curve(rows.truth == i, rows.prediction[:, i])
        points += _line(labels[i], "false_positive_rate", false, "true_positive_rate", true)
    ends = np.array([0.0, 1.0])
    return points + _line("chance", "false_positive_rate", ends, "true_positive_rate", ends)


def precision_recall(rows: Rows, labels: Sequence[str]) -> Points:
    """Return a precision-recall curve a class, and for two classes chance."""
    points: Points = []
    for i in _present(rows):
        precision, recall, _ = precision_recall_curve(rows.truth == i, rows.prediction[:, i])
        points += _line(labels[i], "recall", recall[::-1], "precision", precision[::-1])
    share = np.full(2, np.mean(rows.truth == 1))
    chance = _line("chance", "recall", np.array([0.0, 1.0]), "precision", share)
    return points + chance if rows.classes == 2 else points


def calibration(rows: Rows, labels: Sequence[str]) -> Points:
    """Return for each bin the mean stated probability, the observed share and the rows in it."""
    bins, stated, came_true = reliability(rows)
    name = labels[1] if rows.classes == 2 else "most probable class"
    points = [
        {"line": name, "stated": x.mean(), "observed": came_true[bins == k].mean(), "rows": len(x)}
        for k in np.unique(bins)
        for x in [stated[bins == k]]
    ]
    perfect = [{"line": "perfect", "stated": x, "observed": x, "rows": 0} for x in (0.0, 1.0)]
    return points + perfect


def confusion(rows: Rows, labels: Sequence[str]) -> Points:
    """Return how many rows of each class are decided to be each class."""
    counts = confusion_counts(rows)
    return [
        {"truth": labels[i], "decided": labels[j], "rows": int(counts[i, j])}
        for i in range(len(labels))
        for j in range(len(labels))
    ]


def confusion_counts(rows: Rows) -> Array:
    """Return the counts (classes x classes): the truth by row, the decision by column."""
    return np.asarray(confusion_matrix(rows.truth, rows.decision, labels=range(rows.classes)))


def regression_plots(rows: Rows, seed: int) -> dict[str, Points]:
    """Return predicted against actual values, and the residuals, of at most MOST_DOTS rows."""
    shuffled = np.random.default_rng(seed).permutation(len(rows))[:MOST_DOTS]
    some = rows.part(np.sort(shuffled))
    pairs = list(zip(some.prediction, some.truth, strict=True))
    return {
        "predicted": [{"predicted": p, "actual": t} for p, t in pairs],
        "residuals": [{"predicted": p, "residual": t - p} for p, t in pairs],
    }


def candidates_plot(candidates: Sequence[Candidate]) -> Points:
    """Return each candidate's mean with one standard error to either side."""
    return [
        _interval(c.name, c.mean, c.mean - c.standard_error, c.mean + c.standard_error)
        for c in candidates
    ]


def slices_plot(overall: Scored, scored: Sequence[Scored]) -> Points:
    """Return the metric over all rows and over each slice that has one, with its interval."""
    return [
        _interval(f"{s.column} {s.label} (n = {s.rows})", e.value, e.low, e.high)
        for s in (overall, *scored)
        for e in [s.estimate]
        if e is not None
    ]


def importances_plot(found: Sequence[Importance]) -> Points:
    """Return each column's importance with one standard deviation to either side."""
    ordered = sorted(found, key=lambda importance: -importance.mean)
    return [
        _interval(
            importance.column,
            importance.mean,
            importance.mean - importance.deviation,
            importance.mean + importance.deviation,
        )
        for importance in ordered
    ]


def learning_curve_plot(points: Sequence[Point]) -> Points:
    lines = [("rows fitted on", "fitted"), ("rows held out", "held_out")]
    return [
        {"line": line, "rows": point.rows, "score": getattr(point, name)}
        for line, name in lines
        for point in points
    ]


def add_note(points: Points, note: str) -> Points:
    """Return the points, each with what they are of: the templates write it below the title."""
    return [{**point, "note": note} for point in points]


def _present(rows: Rows) -> list[int]:
    """The classes with rows on both sides of the question."""
    return [i for i in rows.scored_classes if 0 < np.sum(rows.truth == i) < len(rows)]


def _line(name: str, x: str, xs: Array, y: str, ys: Array) -> Points:
    kept = np.unique(np.linspace(0, len(xs) - 1, MOST_POINTS).astype(int))
    return [{"line": name, x: xs[i], y: ys[i]} for i in kept]


def _interval(name: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "value": value, "low": low, "high": high}
