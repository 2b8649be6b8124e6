"""One may look at the errors after every row: the promise is for the whole life of a model."""

import numpy as np

from stages.monitoring.streams import bound_rate, find_alarm, follow_wealth


def test_lifetime_false_alarms_keep_to_the_promise() -> None:
    """Ville: at most 1 %. More than 13 of 600 happen in less than 1 of 100 runs at exactly 1 %."""
    rng = np.random.default_rng(1)
    streams = (rng.random((600, 3000)) < 0.1).astype(float)
    assert sum(find_alarm(errors, 0.1, 0.01) is not None for errors in streams) <= 13


def test_errors_that_go_from_a_tenth_to_three_twentieths_are_found_in_400_rows() -> None:
    rng = np.random.default_rng(2)
    streams = (rng.random((300, 4000)) < 0.15).astype(float)
    found = [find_alarm(errors, 0.1, 0.01) for errors in streams]
    assert all(found)
    assert np.median([rows for rows in found if rows]) <= 400


def test_wealth_is_the_likelihood_ratio_of_the_bets() -> None:
    """One error at a rate of a half: odds of 1.5, 2 and 1.25 make 0.6, 2/3 and 5/9 of it."""
    expected = 0.6 * 0.6 / 0.5 + 0.2 * (2 / 3) / 0.5 + 0.2 * (5 / 9) / 0.5
    assert np.isclose(follow_wealth(np.array([1.0]), 0.5)[0], expected)


def test_the_interval_holds_the_rate_at_all_times() -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(200):
        errors = (rng.random(300) < 0.2).astype(float)
        ends = [bound_rate(errors[:rows], 0.05) for rows in (10, 50, 100, 200, 300)]
        missed += any(not low <= 0.2 <= high for low, high in ends)
    assert missed <= 18  # 10 are allowed; 19 happen in less than 1 of 100 runs


def test_nothing_seen_says_nothing() -> None:
    assert bound_rate([], 0.05) == (0.0, 1.0)
