"""What gives a column away."""

import numpy as np
import pytest

from stages.shared.heuristics import find_sentinels, is_named_as_identifier, measure_predictability
from stages.validating.leakage import LIKELY

RNG = np.random.default_rng(0)
AMOUNTS = RNG.normal(240, 40, 300)


@pytest.mark.parametrize(
    "name", ["id", "customer_id", "userId", "Row number", "case-no", "Unnamed: 0"]
)
def test_names_of_identifiers(name: str) -> None:
    assert is_named_as_identifier(name)


@pytest.mark.parametrize("name", ["idea", "acid", "number_of_rooms", "keyboard", "nordic"])
def test_names_of_other_things(name: str) -> None:
    assert not is_named_as_identifier(name)


@pytest.mark.parametrize("mark", [-999.0, 99999.0, -1.0, 0.0])
def test_a_mark_far_from_all_amounts_is_seen(mark: float) -> None:
    assert find_sentinels(np.append(AMOUNTS, [mark] * 4)) == [mark]


def test_a_mark_in_the_midst_of_amounts_is_seen_by_how_often_it_comes() -> None:
    people = RNG.integers(500, 1_500, 2_000).astype(float)  # each number about twice
    assert find_sentinels(np.append(people, [999.0] * 60)) == [999.0]
    assert find_sentinels(np.append(people, [999.0] * 3)) == []
    assert find_sentinels(RNG.poisson(99, 2_000).astype(float)) == []


def test_once_is_no_mark() -> None:
    assert find_sentinels(np.append(AMOUNTS, [-999.0])) == []


def test_zeros_of_a_count_are_no_mark() -> None:
    assert find_sentinels(RNG.poisson(3, 300).astype(float)) == []
    assert find_sentinels(np.round(RNG.exponential(1, 300), 1)) == []


def test_missing_and_infinite_numbers_are_left_out() -> None:
    assert find_sentinels(np.append(AMOUNTS, [np.nan, np.inf, -np.inf])) == []


def test_who_knows_the_target_is_told_from_who_helps() -> None:
    target = RNG.choice(["a", "b", "c"], 600)
    codes = np.unique(target, return_inverse=True)[1].astype(float)
    hint = codes + RNG.normal(0, 1, 600)
    noise = RNG.normal(size=600)
    tell = [
        measure_predictability(cells, target, is_classification=True)
        for cells in (codes, hint, noise)
    ]
    assert tell[0] == 1.0
    assert 0.1 < tell[1] < 0.8
    assert tell[2] < 0.15


def test_a_monotone_map_of_an_amount_tells_nearly_all_of_it() -> None:
    amount = RNG.normal(size=5_000)
    assert measure_predictability(np.exp(amount), amount, is_classification=False) > 0.95
    assert measure_predictability(RNG.normal(size=5_000), amount, is_classification=False) < 0.05


def test_an_always_right_guess_of_a_lopsided_class_is_not_knowledge() -> None:
    """Chance gives a cut what Kolmogorov's distribution says, and never what is called a leak."""
    target = np.array(["a"] * 980 + ["b"] * 20)
    noise = np.random.default_rng(7).normal(size=(100, 1_000))
    shares = [measure_predictability(cells, target, is_classification=True) for cells in noise]
    mean = np.sqrt(np.pi / 2) * np.log(2) * np.sqrt(1 / 980 + 1 / 20)  # 0.196
    deviation = 0.26 * np.sqrt(1 / 980 + 1 / 20)  # of one, of Kolmogorov's distribution
    assert abs(np.mean(shares) - mean) < 4 * deviation / np.sqrt(len(shares))
    assert np.max(shares) < LIKELY / 2


def test_a_cut_through_amounts_without_a_gap_tells_all() -> None:
    amount = np.random.default_rng(8).uniform(0, 100, 300)
    target = np.where(amount > 37.5, "yes", "no")
    assert measure_predictability(amount, target, is_classification=True) == 1.0


def test_few_rows_tell_nothing() -> None:
    assert measure_predictability(np.arange(40.0), np.arange(40.0), is_classification=False) == 0.0


def test_a_column_that_parts_two_classes_at_one_cut_tells_all_of_them() -> None:
    target = np.array(["a", "b"] * 60)
    score = np.where(target == "a", -1, 1) * RNG.uniform(0.1, 5, 120)
    assert measure_predictability(score, target, is_classification=True) == 1.0


def test_a_cell_that_is_empty_for_one_class_alone_tells_it() -> None:
    target = np.array(["stayed", "left"] * 60)
    reason = np.where(target == "left", RNG.integers(0, 5, 120), np.nan)
    assert measure_predictability(reason, target, is_classification=True) == 1.0
    gaps = np.where(RNG.random(120) < 0.5, RNG.normal(size=120), np.nan)
    assert measure_predictability(gaps, target, is_classification=True) < 0.5


def test_a_few_large_amounts_hide_no_leak() -> None:
    amount = np.exp(RNG.normal(0, 3, 400))  # the largest outweighs nearly all others
    assert measure_predictability(np.log(amount), amount, is_classification=False) == pytest.approx(
        1.0
    )
