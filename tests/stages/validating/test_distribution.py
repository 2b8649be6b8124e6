"""Tables are compared with the accepted one: what chance explains is no alarm, the rest is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from stages.contract.columns import Column
from stages.validating.checks import run_checks
from stages.validating.distribution import FALSE_ALARMS, FEWEST, compute_level, differ
from stages.validating.findings import Finding
from stages.validating.spreads import count_numbers, count_words, measure_spread
from stages.validating.statistics import compute_statistics
from tests.support.defaults import TASKS
from tests.support.validation_fixtures import (
    as_csv,
    list_findings,
    prepare_table,
    read_accepted,
    read_sample,
)

DISTRIBUTION = {"shift", "correlation", "row_count", "swapped", "flipped"}


def pick_alarms(told: list[Finding]) -> list[Finding]:
    return [finding for finding in told if finding.rule in DISTRIBUTION]


@pytest.mark.parametrize("task", TASKS)
def test_resampled_tables_raise_no_alarm(task: str, tmp_path: Path) -> None:
    """At the stated rate of 1 %, five alarms in 60 tables come once in 3,000 such tests."""
    frame, rng = read_sample(task), np.random.default_rng(11)
    picks = (rng.integers(0, len(frame), len(frame)) for _ in range(60))
    told = [pick_alarms(list_findings(task, tmp_path, as_csv(frame.iloc[pick]))) for pick in picks]
    assert sum(map(bool, told)) <= 4


@pytest.mark.parametrize("task", TASKS)
def test_halves_of_a_table_agree(task: str, tmp_path: Path) -> None:
    frame = read_sample(task).sample(frac=1, random_state=2)
    half = len(frame) // 2
    path = tmp_path / "half.csv"
    path.write_text(as_csv(frame.head(half)))
    reference = compute_statistics(prepare_table(task, path))
    (tmp_path / "other.csv").write_text(as_csv(frame.tail(half)))
    assert pick_alarms(run_checks(prepare_table(task, tmp_path / "other.csv", reference))) == []


def test_the_test_is_pearsons() -> None:
    old, new = [300, 200, 100], [150, 160, 110]
    p = chi2_contingency([old, new], correction=False).pvalue
    assert differ(old, new, alpha=p * 1.001)
    assert not differ(old, new, alpha=p * 0.999)


def test_a_difference_too_small_to_matter_is_none_however_sure() -> None:
    assert not differ([500_000, 500_000], [510_000, 490_000], alpha=0.01)
    assert differ([500_000, 500_000], [560_000, 440_000], alpha=0.01)


def test_rare_values_are_put_together() -> None:
    old, new = [1000, *[1] * 40], [1000, *[0] * 40]
    p = chi2_contingency([[1000, 40], [1000, 0]], correction=False).pvalue
    assert not differ(old, new, alpha=p * 0.999)
    assert min(40, 0) < FEWEST


def test_parts_that_no_table_fills_are_left_out() -> None:
    assert not differ([50, 50, 0], [52, 48, 0], alpha=0.5)
    assert differ([206, 97, 0], [194, 6, 0], alpha=1e-6)


@pytest.mark.parametrize(("old", "new"), [([], []), ([5], [9]), ([0, 0], [3, 4]), ([3, 4], [0, 0])])
def test_nothing_to_compare_is_no_difference(old: list[int], new: list[int]) -> None:
    assert not differ(old, new, alpha=0.5)


def test_all_tests_of_a_table_share_one_rate() -> None:
    reference = read_accepted("heart")
    tests = 2 * len(reference.columns) + len(reference.ranked) * (len(reference.ranked) - 1) // 2
    assert compute_level(reference) * tests == pytest.approx(FALSE_ALARMS)
    assert FALSE_ALARMS <= 0.01


def test_numbers_are_counted_up_to_each_edge() -> None:
    numbers = np.array([1.0, 2.0, 2.0, 3.0, np.inf, -np.inf, np.nan])
    assert count_numbers(numbers, (1.0, 2.0)) == (2, 2, 2)


def test_words_are_counted_and_others_together() -> None:
    words = pd.Series(["a", "b", "b", "c", None], dtype="str")
    assert count_words(words, ("b", "a")) == (2, 1, 1)


def test_every_value_that_is_there_is_counted() -> None:
    cells = pd.Series([1.0] * 90 + [2.0] * 5 + [None] * 5)
    found = measure_spread(cells, Column(type="number"))
    assert (sum(found.counts), found.missing) == (95, 5)


def test_the_reference_is_named(tmp_path: Path) -> None:
    told = pick_alarms(list_findings("heart", tmp_path, as_csv(read_sample("heart").head(100))))
    assert "source sample" in told[0].expected
    assert "make set-reference TASK=heart" in told[0].remedy


def test_flipped_labels_of_texts_are_found(tmp_path: Path) -> None:
    reviews = read_sample("sentiment")
    turned = reviews["label"].map({"positive": "negative", "negative": "positive"})
    found = pick_alarms(list_findings("sentiment", tmp_path, as_csv(reviews.assign(label=turned))))
    assert [(finding.rule, finding.severity, finding.column) for finding in found] == [
        ("flipped", "error", "_target")
    ]


def test_a_words_relation_is_the_correlation_of_having_it(tmp_path: Path) -> None:
    reviews = read_sample("sentiment")
    (tmp_path / "reviews.csv").write_text(as_csv(reviews))
    related = compute_statistics(prepare_table("sentiment", tmp_path / "reviews.csv")).words["text"]
    has_word = reviews["text"].str.lower().str.contains(r"\bslow\b").astype(float)
    expected = np.corrcoef(has_word, reviews["label"] == "positive")[0, 1]
    assert related["slow"] == pytest.approx(expected, abs=1e-6)
