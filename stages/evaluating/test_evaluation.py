"""Tests the champion on rows that nothing before has seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from stages.evaluating.baseline import compute_gain, predict_baseline
from stages.evaluating.bootstrap import Bootstrap, Estimate
from stages.evaluating.importance import Importance, compute_importances
from stages.evaluating.learning_curve import Point, compute_learning_curve, explain_skip
from stages.evaluating.metrics import DecisionRule, Rows, metrics_for
from stages.evaluating.ranking import Difference
from stages.evaluating.settings import EvaluationContext
from stages.evaluating.slices import Scored, Slice, cut_slices, score_slices
from stages.shared.predicting import predict

Array = np.ndarray[Any, np.dtype[Any]]
Table = tuple[Array, Array]  # the encoded matrix, and the target


@dataclass(frozen=True)
class ChampionTest:
    """What the test shows. ``baseline`` is the score of who knows the target's mean alone."""

    rows: Rows
    bootstrap: Bootstrap
    estimates: dict[str, Estimate]
    baseline: dict[str, float]
    gain: Difference  # over the baseline, in the task's metric
    slices: list[Scored]
    importances: list[Importance]
    curve: list[Point]
    why_no_curve: str | None


def evaluate_champion(
    context: EvaluationContext,
    rule: DecisionRule,
    pipeline: Pipeline,
    fitted: Table,
    test: Table,
    others: Iterable[Slice] = (),
    groups: Array | None = None,
    test_groups: Array | None = None,
) -> ChampionTest:
    """Score the pipeline on ``test``; ``fitted`` are the rows it was trained on.

    ``others`` are slices of the test rows beside those of the columns that the models see, and
    ``groups`` those of the rows fitted on that a learning curve must not divide; rows of one of the
    ``test_groups`` count once in an interval.
    """
    settings, (X, y) = context.settings, test
    rows = Rows(y, predict(pipeline, X, context.schema), rule, test_groups)
    metrics, known = (
        metrics_for(context.schema.problem),
        predict_baseline(context, rule, fitted[1], y),
    )
    wanted = (settings.resamples, len(rows), settings.confidence, settings.seed)
    bootstrap = Bootstrap.affordable(*wanted)
    why_no_curve = explain_skip(pipeline, fitted[1], context.is_classification, groups)
    parts = [*cut_slices(context.schema.fields, X, settings.slices), *others]
    return ChampionTest(
        rows=rows,
        bootstrap=bootstrap,
        estimates=bootstrap.estimate(metrics, rows),
        baseline={metric.name: metric.of(known) for metric in metrics},
        gain=compute_gain(rows, known, context.metric, bootstrap),
        slices=score_slices(parts, rows, context.metric, bootstrap),
        importances=compute_column_importances(context, pipeline, X, rows),
        curve=[] if why_no_curve else refit_curve(context, pipeline, fitted, groups),
        why_no_curve=why_no_curve,
    )


def compute_column_importances(
    context: EvaluationContext, pipeline: Pipeline, X: Array, rows: Rows
) -> list[Importance]:
    """Return the importance of each of the contract's columns, in the task's metric."""
    return compute_importances(
        lambda shuffled: predict(pipeline, shuffled, context.schema),
        X,
        rows,
        context.schema.names,
        context.metric,
        context.settings.permutations,
        context.settings.seed,
    )


def refit_curve(
    context: EvaluationContext, pipeline: Pipeline, fitted: Table, groups: Array | None
) -> list[Point]:
    """Return the learning curve of the champion's family, scored as the candidates were."""

    def score(copy: Pipeline, X: Array, y: Array) -> float:
        return context.metric.of(Rows(y, predict(copy, X, context.schema), context.ranking_rule))

    return compute_learning_curve(
        pipeline,
        *fitted,
        score=score,
        is_classification=context.is_classification,
        class_weight=context.class_weight,
        seed=context.settings.seed,
        groups=groups,
    )
