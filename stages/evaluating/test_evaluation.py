"""Tests the champion on rows that nothing before has seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from stages.evaluating.bootstrap import Bootstrap, Estimate
from stages.evaluating.importance import Importance, importances
from stages.evaluating.learning_curve import Point, learning_curve, why_not
from stages.evaluating.metrics import Rows, Terms, metrics_for
from stages.evaluating.settings import Exam
from stages.evaluating.slices import Scored, Slice, score_slices, slices
from stages.shared.predicting import predict

Array = np.ndarray[Any, np.dtype[Any]]
Table = tuple[Array, Array]  # the encoded matrix, and the target


@dataclass(frozen=True)
class Findings:
    """What the test shows. ``baseline`` is the score of who knows the target's mean alone."""

    rows: Rows
    bootstrap: Bootstrap
    estimates: dict[str, Estimate]
    baseline: dict[str, float]
    slices: list[Scored]
    importances: list[Importance]
    curve: list[Point]
    why_no_curve: str | None


def examine(
    exam: Exam,
    terms: Terms,
    pipeline: Pipeline,
    fitted: Table,
    test: Table,
    others: Iterable[Slice] = (),
    groups: Array | None = None,
) -> Findings:
    """Score the pipeline on ``test``; ``fitted`` are the rows it was trained on.

    ``others`` are slices of the test rows beside those of the columns that the models see, and
    ``groups`` those of the rows fitted on that a learning curve must not divide.
    """
    settings, (X, y) = exam.settings, test
    rows = Rows(y, predict(pipeline, X, exam.schema), terms)
    metrics = metrics_for(exam.schema.problem)
    wanted = (settings.resamples, len(rows), settings.confidence, settings.seed)
    bootstrap = Bootstrap.affordable(*wanted)
    why_no_curve = why_not(pipeline, fitted[1], exam.is_classification, groups)
    parts = [*slices(exam.schema.fields, X, settings.slices), *others]
    return Findings(
        rows=rows,
        bootstrap=bootstrap,
        estimates=bootstrap.estimates(metrics, rows),
        baseline={m.name: m.of(baseline_rows(exam, terms, fitted[1], y)) for m in metrics},
        slices=score_slices(parts, rows, exam.metric, bootstrap),
        importances=column_importances(exam, pipeline, X, rows),
        curve=[] if why_no_curve else refitted_curve(exam, pipeline, fitted, groups),
        why_no_curve=why_no_curve,
    )


def baseline_rows(exam: Exam, terms: Terms, known: Array, y: Array) -> Rows:
    """Return what a dummy predicts: always the shares of the classes, or the mean, of ``known``.

    As scikit-learn's DummyClassifier (prior) and DummyRegressor (mean). It decides for the most
    frequent class, and its interval is as wide as the champion's.
    """
    if exam.is_classification:
        shares = np.bincount(known, minlength=len(exam.schema.labels)) / len(known)
        return Rows(y, np.tile(shares, (len(y), 1)), Terms(bins=terms.bins))
    return Rows(y, np.full(len(y), known.mean()), terms)


def column_importances(exam: Exam, pipeline: Pipeline, X: Array, rows: Rows) -> list[Importance]:
    """Return the importance of each of the contract's columns, in the task's metric."""
    return importances(
        lambda shuffled: predict(pipeline, shuffled, exam.schema),
        X,
        rows,
        exam.schema.names,
        exam.metric,
        exam.settings.permutations,
        exam.settings.seed,
    )


def refitted_curve(
    exam: Exam, pipeline: Pipeline, fitted: Table, groups: Array | None
) -> list[Point]:
    """Return the learning curve of the champion's family, scored as the candidates were."""

    def score(copy: Pipeline, X: Array, y: Array) -> float:
        return exam.metric.of(Rows(y, predict(copy, X, exam.schema), exam.ranking_terms))

    return learning_curve(
        pipeline,
        *fitted,
        score=score,
        is_classification=exam.is_classification,
        class_weight=exam.class_weight,
        seed=exam.settings.seed,
        groups=groups,
    )
