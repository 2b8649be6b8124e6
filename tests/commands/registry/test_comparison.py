"""Verdicts by the paired bootstrap: what they call better, and how seldom they err."""

import numpy as np
import pytest
from scipy import stats

from commands.registry.comparison import Pair, compare, compare_worst_slice, judge_interval
from commands.registry.promotion_policy import combine_verdicts
from commands.registry.settings import Promotion
from stages.evaluating.bootstrap import Bootstrap
from stages.evaluating.metrics import Rows, find_metric, metrics_for
from stages.evaluating.slices import Slice

TERMS = Promotion(
    accept=("better",),
    confidence=0.95,
    slice_confidence=0.99,
    margin=0.01,
    resamples=400,
    min_slice_rows=30,
)
RMSE = find_metric("rmse", "regression", "here")
MAE = find_metric("mae", "regression", "here")


def values(rows: int, seed: int, errors: tuple[float, float] = (1.0, 1.0)) -> Pair:
    """Return two models' predictions of the same values, with normal errors of these sizes."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows)
    challenger, champion = (Rows(truth, truth + rng.normal(0, error, rows)) for error in errors)
    return Pair(challenger, champion)


def by(pair: Pair, metric: str = "mae", terms: Promotion = TERMS) -> str:
    return compare(pair, metrics_for("regression"), terms, seed=1)[metric].verdict


def test_a_smaller_error_is_a_gain() -> None:
    found = compare(values(500, 1, (0.5, 1.0)), [MAE], TERMS, seed=1)["mae"]
    assert found.gain == pytest.approx(found.champion - found.challenger)
    assert 0 < found.low < found.gain < found.high
    assert found.verdict == "better"
    assert by(values(500, 1, (1.0, 0.5))) == "worse"


def test_two_equal_models_are_not_worse_whatever_the_sample() -> None:
    rows = values(50, 1).champion
    for found in compare(Pair(rows, rows), metrics_for("regression"), TERMS, seed=1).values():
        assert (found.gain, found.low, found.high, found.verdict) == (0, 0, 0, "not worse")


def test_a_metric_without_a_good_end_is_not_compared() -> None:
    assert "interval_coverage" not in compare(values(50, 1), metrics_for("regression"), TERMS, 1)


def test_pairing_finds_what_separate_samples_cannot() -> None:
    rng = np.random.default_rng(1)
    truth, error = rng.normal(size=300), rng.normal(0, 1, 300)
    champion, challenger = Rows(truth, truth + error), Rows(truth, truth + 0.97 * error)
    assert by(Pair(challenger, champion)) == "better"
    plain = Bootstrap(400, 0.95, 1)
    one, other = (plain.estimate([MAE], side)["mae"] for side in (challenger, champion))
    assert one.high > other.low  # the intervals of each alone overlap


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.2, "better"),
        (-0.2, -0.001, "worse"),
        (-0.04, 0.2, "not worse"),
        (-0.06, 0.2, "inconclusive"),
        (0.0, 0.0, "not worse"),
    ],
)
def test_a_verdict_follows_from_interval_and_margin(low: float, high: float, expected: str) -> None:
    assert judge_interval(low, high, margin=0.05) == expected


@pytest.mark.parametrize("rows", [6, 30, 2000])
def test_an_interval_is_as_wide_as_students(rows: int) -> None:
    """The gain of a mean error is a paired mean: its interval is known in closed form."""
    pair = values(rows, 3)
    gains = np.abs(pair.champion.error) - np.abs(pair.challenger.error)
    expected = stats.t.interval(0.95, rows - 1, gains.mean(), stats.sem(gains))
    found = compare(pair, [MAE], TERMS.model_copy(update={"resamples": 20_000}), seed=1)["mae"]
    assert (found.low, found.high) == pytest.approx(expected, rel=0, abs=0.05 * np.ptp(expected))


def test_what_is_undefined_on_the_rows_is_not_compared() -> None:
    auc = find_metric("roc_auc", "classification", "here")
    truth = np.zeros(40, dtype=np.int64)  # one class only
    rows = Rows(truth, np.full((40, 2), 0.5))
    assert compare(Pair(rows, rows), [auc], TERMS, seed=1) == {}


def sliced(rows: int) -> list[Slice]:
    group = np.arange(rows) % 5
    return [Slice("group", str(k), group == k) for k in range(5)]


def test_a_slice_that_got_worse_outweighs_a_gain_elsewhere() -> None:
    pair, parts = values(1000, 1, (0.8, 1.0)), sliced(1000)
    hurt = np.where(parts[3].mask, 2.5, 1.0)
    truth = pair.champion.truth
    error = pair.challenger.error * hurt
    pair = Pair(Rows(truth, truth + error), pair.champion)
    main = compare(pair, [MAE], TERMS, seed=1)["mae"]
    worst = compare_worst_slice(pair, parts, MAE, TERMS, seed=1)
    assert worst is not None
    assert (worst.where, worst.rows, worst.verdict) == ("group 3", 200, "worse")
    assert combine_verdicts(main, worst) == "worse"


def test_slices_that_are_small_or_the_same_have_no_say() -> None:
    pair = values(100, 1)
    assert compare_worst_slice(pair, sliced(100), MAE, TERMS, seed=1) is None  # 20 rows each
    same = Pair(pair.champion, pair.champion)
    parts = [Slice("all", "rows", np.ones(100, dtype=bool))]
    assert compare_worst_slice(same, parts, MAE, TERMS, seed=1) is None


def test_equal_models_are_seldom_called_otherwise() -> None:
    words = [by(values(60, seed)) for seed in range(300)]
    errors = sum(word in ("better", "worse") for word in words)
    # 5 % are allowed; by the binomial more than 27 of 300 are then rarer than 1 in 1,000.
    assert errors <= stats.binom.ppf(0.999, 300, 0.05)


def test_slices_of_equal_models_are_seldom_called_worse() -> None:
    found = [compare_worst_slice(values(250, s), sliced(250), RMSE, TERMS, s) for s in range(150)]
    worse = sum(one is not None and one.verdict == "worse" for one in found)
    assert worse <= stats.binom.ppf(0.999, 150, 0.01)


def test_a_true_gain_is_found() -> None:
    words = [by(values(600, seed, (0.85, 1.0))) for seed in range(40)]
    assert words.count("better") >= 36
