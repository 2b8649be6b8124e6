"""Counts, scores and distances, against what is known of them."""

import numpy as np
import pytest
from scipy.stats import betabinom, norm, wasserstein_distance

from stages.monitoring.counts import rank_middle, tabulate_deviates
from stages.monitoring.effects import compare_counts, measure_distance
from stages.monitoring.scores import Scale


@pytest.mark.parametrize(("held", "rows", "window"), [(0, 100, 10), (7, 300, 40), (300, 300, 5)])
def test_deviates_are_those_of_the_exact_distribution(held: int, rows: int, window: int) -> None:
    law = betabinom(window, held + 1, rows - held + 1)
    counts = np.arange(window + 1)
    below, above = law.cdf(counts), law.sf(counts - 1)
    tail = np.minimum(1, 2 * np.minimum(below, above))
    expected = np.where(above < below, 1, -1) * -norm.ppf(tail / 2)
    # Farther out scipy's own sums lose their digits.
    found, near = tabulate_deviates(held, rows, window), np.abs(expected) < 5
    assert found[near] == pytest.approx(expected[near], abs=1e-5)
    assert near.sum() >= 4


def test_ties_share_a_score_and_a_bin() -> None:
    cells = np.repeat([1.0, 2.0, 3.0], [10, 80, 10])
    scale = Scale.fit(cells)
    assert scale.score(np.array([2.0]))[0] == pytest.approx(0)
    assert len(set(scale.bin(cells).tolist())) == 3
    assert scale.score(np.array([1.0]))[0] == pytest.approx(norm.ppf(0.05))


def test_beyond_the_ends_scores_stay_there() -> None:
    scale = Scale.fit(np.arange(100.0))
    assert scale.score(np.array([-1e9, 1e9])) == pytest.approx([norm.ppf(0.005), norm.ppf(0.995)])


def test_outliers_begin_where_a_normal_tail_has_ended() -> None:
    scale = Scale.fit(np.random.default_rng(1).standard_normal(10_000))
    (low, high), _ = scale.limits
    assert -12 < low < -4.26 < 4.26 < high < 12  # 4.26: where one in 100,000 is


@pytest.mark.parametrize("cells", [np.full(50, 3.0), np.full(50, np.nan), np.empty(0)])
def test_what_does_not_vary_has_scores_of_zero(cells: np.ndarray) -> None:
    scale = Scale.fit(cells)
    assert not scale.varies
    assert scale.score(np.array([1.0, np.nan])).tolist() == [0, 0]


def test_psi_and_jensen_shannon_by_hand() -> None:
    effects = compare_counts(np.array([50, 50]), np.array([75, 25]))
    assert effects.psi == pytest.approx(0.25 * np.log(1.5) - 0.25 * np.log(0.5), abs=1e-4)
    assert compare_counts(np.array([1, 0]), np.array([0, 1])).jensen_shannon == 1
    assert compare_counts(np.array([3, 4]), np.array([6, 8])).psi == 0


def test_wasserstein_is_scipys() -> None:
    one, other = (
        np.random.default_rng(i).standard_normal(n).round(1) for i, n in ((1, 70), (2, 31))
    )
    assert measure_distance(one, other) == pytest.approx(wasserstein_distance(one, other))


def test_equal_values_share_the_mean_rank() -> None:
    assert rank_middle(np.array([5.0, 1.0, 5.0])).tolist() == [2.5, 1.0, 2.5]
