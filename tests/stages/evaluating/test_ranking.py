"""The one-standard-error rule and what stands behind it."""

import math

import numpy as np
import pytest
from scipy import stats

from stages.evaluating.metrics import METRICS, Metric
from stages.evaluating.ranking import Candidate, choose, compare_candidates

AUC = next(metric for metric in METRICS if metric.name == "roc_auc")
RMSE = next(metric for metric in METRICS if metric.name == "rmse")


def candidate(name: str, complexity: int, mean: float, error: float = 0.0) -> Candidate:
    """Four folds around ``mean`` whose standard error is ``error``."""
    spread = error * 2 * math.sqrt(3) / 2  # sd of (-s, -s, s, s) is s * sqrt(4/3)
    return Candidate(name, complexity, np.array([[mean - spread] * 2 + [mean + spread] * 2]))


CASES = {
    "the simplest within one error": (
        AUC,
        [candidate("boosted", 3, 0.91, 0.02), candidate("linear", 1, 0.895)],
        "linear",
    ),
    "not one just outside": (
        AUC,
        [candidate("boosted", 3, 0.91, 0.02), candidate("linear", 1, 0.889)],
        "boosted",
    ),
    "the limit itself is within": (
        AUC,
        [candidate("boosted", 3, 0.75, 0.25), candidate("linear", 1, 0.5)],
        "linear",
    ),
    "the error is the best one's, not the simple one's": (
        AUC,
        [candidate("boosted", 3, 0.91, 0.001), candidate("linear", 1, 0.90, 0.1)],
        "boosted",
    ),
    "a simple and best one wins at once": (
        AUC,
        [candidate("boosted", 3, 0.90), candidate("linear", 1, 0.91, 0.02)],
        "linear",
    ),
    "equally simple: the better mean": (
        AUC,
        [candidate("a", 2, 0.90), candidate("b", 2, 0.905), candidate("c", 3, 0.91, 0.02)],
        "b",
    ),
    "equal in all: the name": (AUC, [candidate("b", 1, 0.9), candidate("a", 1, 0.9)], "a"),
    "lower is better for errors": (
        RMSE,
        [candidate("boosted", 3, 10, 1), candidate("linear", 1, 10.9), candidate("tiny", 0, 11.2)],
        "linear",
    ),
    "one alone": (AUC, [candidate("only", 9, 0.5, 0.1)], "only"),
}


@pytest.mark.parametrize("case", CASES)
def test_champion(case: str) -> None:
    metric, candidates, expected = CASES[case]
    assert choose(candidates, metric).champion.name == expected
    assert choose(candidates[::-1], metric).champion.name == expected


def test_the_helper_makes_the_standard_error_it_says() -> None:
    assert candidate("a", 1, 0.9, 0.02).standard_error == pytest.approx(0.02)


def test_standard_error_is_that_of_scipy_for_one_run() -> None:
    scores = np.random.default_rng(0).normal(size=(1, 5))
    assert Candidate("a", 1, scores).standard_error == pytest.approx(stats.sem(scores[0]))


def test_repeats_do_not_shrink_the_standard_error() -> None:
    scores = np.random.default_rng(0).normal(size=(1, 5))
    repeated = Candidate("a", 1, np.tile(scores, (20, 1)))
    assert repeated.standard_error == pytest.approx(stats.sem(scores[0]))


def test_a_single_fold_leaves_the_best_mean() -> None:
    candidates = [Candidate("good", 2, np.array([[0.9]])), Candidate("plain", 1, np.array([[0.8]]))]
    assert choose(candidates, AUC).champion.name == "good"


@pytest.mark.parametrize(("metric", "sign"), [(AUC, 1), (RMSE, -1)])
def test_difference_is_positive_for_the_better_one(metric: Metric, sign: int) -> None:
    high, low = candidate("high", 1, 0.9), candidate("low", 1, 0.8)
    assert compare_candidates(high, low, metric, 0.95).mean == pytest.approx(sign * 0.1)


def test_difference_interval_is_the_corrected_t_interval() -> None:
    """Against the formula of Nadeau and Bengio with scipy's t, for 2 repeats of 5 folds."""
    rng = np.random.default_rng(1)
    one, other = (Candidate(n, 1, rng.normal(size=(2, 5))) for n in "ab")
    gains = (one.scores - other.scores).ravel()
    error = math.sqrt(gains.var(ddof=1) * (1 / 10 + 0.2 / 0.8))
    low, high = stats.t.interval(0.9, df=9, loc=gains.mean(), scale=error)
    found = compare_candidates(one, other, AUC, 0.9)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_the_explanation_names_best_limit_and_champion() -> None:
    metric, candidates, _ = CASES["the simplest within one error"]
    words = choose(candidates, metric).explain(metric)
    assert "0.910 (boosted)" in words
    assert "at least 0.890" in words
    assert "linear, complexity 1" in words
