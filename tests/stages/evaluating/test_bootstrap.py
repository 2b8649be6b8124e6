"""Bootstrap intervals hold what they promise, and cost what is allowed."""

from typing import Any

import numpy as np
import pytest

from stages.evaluating import bootstrap as module
from stages.evaluating.bootstrap import Bootstrap, draw_resamples
from stages.evaluating.metrics import METRICS, Rows, metrics_for

BY_NAME = {metric.name: metric for metric in METRICS}


def simulated(rows: int, rng: np.random.Generator, shift: float = 1.5) -> Rows:
    """Scores from two normal distributions ``shift`` apart, as probabilities."""
    truth = rng.integers(0, 2, rows)
    positive = 1 / (1 + np.exp(-rng.normal(shift * truth)))
    return Rows(truth, np.column_stack([1 - positive, positive]))


def test_every_sample_draws_as_many_rows_as_there_are() -> None:
    drawn = np.concatenate(list(draw_resamples(37, 50, seed=1)))
    assert drawn.shape == (50, 37)
    assert (drawn.sum(axis=1) == 37).all()


def test_rows_are_drawn_equally_often_and_independently() -> None:
    """A count is binomial (n, 1/n): mean 1, variance 1 - 1/n; two rows' counts hardly covary."""
    drawn = np.concatenate(list(draw_resamples(20, 20_000, seed=2)))
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.04)
    np.testing.assert_allclose(drawn.var(axis=0), 0.95, atol=0.06)
    assert np.cov(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(-1 / 20, abs=0.04)


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "brier", "log_loss"])
def test_interval_covers_the_truth_about_as_often_as_it_says(name: str) -> None:
    rng, metric = np.random.default_rng(11), BY_NAME[name]
    truth = metric.of(simulated(400_000, rng))
    covered = 0
    for seed in range(300):
        interval = Bootstrap(200, 0.95, seed).estimate([metric], simulated(120, rng))[name]
        covered += interval.low <= truth <= interval.high
    assert 0.90 <= covered / 300 <= 0.98  # 300 trials: standard error 0.013


def test_a_narrower_confidence_gives_a_narrower_interval() -> None:
    rows = simulated(100, np.random.default_rng(0))
    wide, narrow = (
        Bootstrap(300, c, 1).estimate([BY_NAME["roc_auc"]], rows)["roc_auc"] for c in (0.95, 0.5)
    )
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    rows, metrics = simulated(50, np.random.default_rng(0)), metrics_for("classification")
    first, again, other = (Bootstrap(50, 0.95, s).estimate(metrics, rows) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_samples_without_both_classes_are_left_out() -> None:
    rows = Rows(np.array([1, 0, 0, 0]), np.array([[0.1, 0.9]] + [[0.8, 0.2]] * 3))
    found = Bootstrap(200, 0.95, 1).estimate([BY_NAME["roc_auc"]], rows)["roc_auc"]
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_what_is_undefined_has_no_interval() -> None:
    rows = Rows(np.zeros(5, dtype=int), np.tile([0.5, 0.5], (5, 1)))
    found = Bootstrap(20, 0.95, 1).estimate([BY_NAME["roc_auc"]], rows)["roc_auc"]
    assert np.isnan([found.value, found.low, found.high]).all()


@pytest.mark.parametrize(
    ("wanted", "rows", "samples"),
    [
        (1000, 60, 1000),
        (1000, 50_000, 1000),
        (1000, 100_000, 500),
        (1000, 10**6, 200),
        (50, 10**6, 50),
    ],
)
def test_many_rows_are_sampled_less_often(wanted: int, rows: int, samples: int) -> None:
    assert Bootstrap.affordable(wanted, rows, 0.95, 1).samples == samples


def test_memory_is_bounded_by_chunks(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 100)
    sizes = [part.shape for part in draw_resamples(30, 10, seed=1)]
    assert sizes == [(3, 30), (3, 30), (3, 30), (1, 30)]


def test_copies_of_rows_do_not_make_an_interval_narrower() -> None:
    once, metrics = simulated(60, np.random.default_rng(4)), metrics_for("classification")
    copied = Rows(
        np.tile(once.truth, 4), np.tile(once.prediction, (4, 1)), groups=np.tile(np.arange(60), 4)
    )
    alone, together = (Bootstrap(100, 0.95, 1).estimate(metrics, rows) for rows in (once, copied))
    assert copied.units == 60
    for name, found in alone.items():
        assert together[name].low == pytest.approx(found.low), name
        assert together[name].high == pytest.approx(found.high), name


def test_a_group_is_drawn_with_all_of_its_rows() -> None:
    groups = np.array([7, 7, 3, 7, 5])
    drawn = np.concatenate(list(draw_resamples(5, 200, 1, groups)))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 0] == drawn[:, 3]).all()
    assert (drawn[:, [0, 2, 4]].sum(axis=1) == 3).all()
