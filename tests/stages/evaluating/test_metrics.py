"""Every metric over weighted rows equals scikit-learn's, ties and zero weights included."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from stages.evaluating.metrics import METRICS, DecisionRule, Rows, find_metric, metrics_for
from stages.shared.errors import PipelineError

Array = np.ndarray[Any, Any]
BY_NAME = {metric.name: metric for metric in METRICS}
TERMS = DecisionRule(threshold=0.4, half_width=1.5)


def score(name: str, rows: Rows, weights: Array) -> float:
    return float(BY_NAME[name].score(rows, weights[None, :])[0])


@st.composite
def weighted(draw: st.DrawFn, classes: int) -> tuple[Array, Array, Array]:
    """Draw class indices, probabilities from a coarse grid (so that many tie), and counts."""
    rows = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = rng.integers(1, draw(st.sampled_from([3, 6, 50])), (rows, classes)).astype(float)
    truth, weights = rng.integers(0, classes, rows), rng.integers(0, 4, rows).astype(float)
    assume(len(np.unique(truth[weights > 0])) == classes)
    return truth, parts / parts.sum(axis=1, keepdims=True), weights


BINARY: dict[str, Callable[[Array, Array, Array], float]] = {
    "roc_auc": lambda y, p, w: sk.roc_auc_score(y, p[:, 1], sample_weight=w),
    "average_precision": lambda y, p, w: sk.average_precision_score(y, p[:, 1], sample_weight=w),
    "accuracy": lambda y, p, w: sk.accuracy_score(y, p[:, 1] >= 0.4, sample_weight=w),
    "balanced_accuracy": lambda y, p, w: sk.balanced_accuracy_score(
        y, p[:, 1] >= 0.4, sample_weight=w
    ),
    "f1": lambda y, p, w: sk.f1_score(y, p[:, 1] >= 0.4, sample_weight=w, zero_division=0),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p[:, 1], sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w),
}
SEVERAL: dict[str, Callable[[Array, Array, Array], float]] = {
    "roc_auc": lambda y, p, w: np.mean(
        [sk.roc_auc_score(y == i, p[:, i], sample_weight=w) for i in range(3)]
    ),
    "average_precision": lambda y, p, w: sk.average_precision_score(
        np.eye(3)[y], p, sample_weight=w
    ),
    "accuracy": lambda y, p, w: sk.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: sk.balanced_accuracy_score(
        y, p.argmax(axis=1), sample_weight=w
    ),
    "f1": lambda y, p, w: sk.f1_score(y, p.argmax(axis=1), average="macro", sample_weight=w),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w),
}
VALUES: dict[str, Callable[[Array, Array, Array], float]] = {
    "rmse": lambda y, p, w: sk.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w: sk.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: sk.r2_score(y, p, sample_weight=w),
    "mape": lambda y, p, w: sk.mean_absolute_percentage_error(y, p, sample_weight=w),
}


@pytest.mark.parametrize("name", BINARY)
@given(drawn=weighted(2))
@settings(max_examples=60, deadline=None)
def test_two_classes_as_scikit_learn(name: str, drawn: tuple[Array, Array, Array]) -> None:
    truth, prediction, weights = drawn
    found = score(name, Rows(truth, prediction, TERMS), weights)
    assert found == pytest.approx(BINARY[name](truth, prediction, weights), abs=1e-12)


@pytest.mark.parametrize("name", SEVERAL)
@given(drawn=weighted(3))
@settings(max_examples=60, deadline=None)
def test_three_classes_as_scikit_learn(name: str, drawn: tuple[Array, Array, Array]) -> None:
    truth, prediction, weights = drawn
    found = score(name, Rows(truth, prediction), weights)
    assert found == pytest.approx(SEVERAL[name](truth, prediction, weights), abs=1e-12)


@pytest.mark.parametrize("name", VALUES)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(4, 40), size=st.sampled_from([1.0, 1e6]))
@settings(max_examples=60, deadline=None)
def test_values_as_scikit_learn(name: str, seed: int, rows: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    truth = size * (1 + rng.integers(0, 9, rows) / 4)
    prediction, weights = truth + rng.normal(size=rows), rng.integers(0, 4, rows).astype(float)
    assume(len(np.unique(truth[weights > 0])) > 1)
    found = score(name, Rows(truth, prediction, TERMS), weights)
    assert found == pytest.approx(VALUES[name](truth, prediction, weights), rel=1e-9)


@given(drawn=weighted(2))
@settings(max_examples=60, deadline=None)
def test_ece_as_defined_bin_by_bin(drawn: tuple[Array, Array, Array]) -> None:
    truth, prediction, weights = drawn
    stated, expected = prediction[:, 1], 0.0
    for k in range(10):
        inside = (stated >= k / 10) & (stated < (k + 1) / 10) & (weights > 0)
        if inside.any():
            share = np.average(truth[inside] == 1, weights=weights[inside])
            gap = abs(np.average(stated[inside], weights=weights[inside]) - share)
            expected += gap * weights[inside].sum() / weights.sum()
    assert score("ece", Rows(truth, prediction), weights) == pytest.approx(expected, abs=1e-12)


def test_ece_of_several_classes_looks_at_the_most_probable() -> None:
    prediction = np.array([[0.85, 0.1, 0.05], [0.05, 0.1, 0.85]])
    rows = Rows(np.array([0, 0]), prediction)  # one right, one wrong, both 85 % sure
    assert score("ece", rows, np.ones(2)) == pytest.approx(0.35)


def test_a_probability_of_one_belongs_to_the_last_bin() -> None:
    rows = Rows(np.array([1, 0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert score("ece", rows, np.ones(2)) == 0


def test_interval_coverage_counts_the_ends_as_inside() -> None:
    rows = Rows(np.array([0.0, 0.0, 0.0]), np.array([1.5, -1.5, 1.6]), TERMS)
    assert score("interval_coverage", rows, np.array([1.0, 1.0, 2.0])) == 0.5


@given(drawn=weighted(2))
@settings(max_examples=30, deadline=None)
def test_a_weight_counts_like_so_many_copies(drawn: tuple[Array, Array, Array]) -> None:
    truth, prediction, weights = drawn
    copies = np.repeat(np.arange(len(truth)), weights.astype(int))
    whole, copied = Rows(truth, prediction), Rows(truth[copies], prediction[copies])
    for metric in metrics_for("classification"):
        assert score(metric.name, whole, weights) == pytest.approx(metric.of(copied), abs=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_ranking_is_undefined_without_a_positive_row(name: str) -> None:
    rows = Rows(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]))
    assert np.isnan(score(name, rows, np.array([1.0, 2.0, 0.0])))


def test_a_class_without_weight_is_left_out_of_the_mean_over_classes() -> None:
    rows = Rows(np.array([0, 1, 2]), np.eye(3)[[0, 1, 0]])
    found = {name: score(name, rows, np.array([1.0, 1.0, 0.0])) for name in SEVERAL}
    assert [found[n] for n in ("roc_auc", "average_precision", "balanced_accuracy", "f1")] == [
        1
    ] * 4


def test_r2_is_undefined_where_the_target_is_constant() -> None:
    rows = Rows(np.array([0.1, 0.1, 7.0]), np.array([0.1, 0.3, 7.0]))
    assert np.isnan(score("r2", rows, np.array([3.0, 1.0, 0.0])))


def test_mape_is_undefined_where_a_truth_is_zero() -> None:
    assert np.isnan(BY_NAME["mape"].of(Rows(np.array([0.0, 1.0]), np.array([1.0, 1.0]))))


def test_many_samples_at_once_are_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    rows = Rows(rng.integers(0, 2, 30), rng.dirichlet([1, 1], 30))
    weights = rng.integers(0, 3, (20, 30)).astype(float)
    for metric in metrics_for("classification"):
        alone = [score(metric.name, rows, one) for one in weights]
        np.testing.assert_allclose(metric.score(rows, weights), alone, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("rmse", "classification"), ("interval_coverage", "regression"), ("auc", "classification")],
)
def test_a_metric_that_cannot_rank_is_refused_with_the_ones_that_can(
    name: str, problem: Any
) -> None:
    with pytest.raises(
        PipelineError, match=rf"conf/task/x.yaml: metric is '{name}'.*(roc_auc|rmse)"
    ):
        find_metric(name, problem, "conf/task/x.yaml: metric")
