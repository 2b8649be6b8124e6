"""The gate promotes no model that is no better than its baseline over another."""

from types import SimpleNamespace
from typing import Any

import pytest

from commands.registry.promotion_policy import Judgement, beats_baseline, hold_against_baseline
from commands.review.status import list_doubts


def manifest(low: float | None) -> Any:
    return SimpleNamespace(metrics={"n": 40, "over_baseline": {"gain": 0.1, "low": low}})


@pytest.mark.parametrize(
    ("low", "expected"), [(0.01, True), (0.0, False), (-1, False), (None, False)]
)
def test_a_gain_is_one_that_the_test_shows(low: float | None, expected: bool) -> None:
    assert beats_baseline(manifest(low)) is expected


def test_a_model_of_before_is_taken_as_it_is() -> None:
    old: Any = SimpleNamespace(metrics={"n": 40})
    assert beats_baseline(old)


@pytest.mark.parametrize(
    ("before", "after"),
    [("not worse", "worse"), ("inconclusive", "worse"), ("worse", "worse"), ("better", "better")],
)
def test_only_a_better_one_wins_without_a_gain(before: Any, after: str) -> None:
    judgement = Judgement(before, (), "by roc_auc on 40 test rows")
    assert hold_against_baseline(judgement, manifest(-0.1)).verdict == after
    assert hold_against_baseline(judgement, manifest(0.1)) == judgement


def test_a_report_names_the_champions_without_a_gain() -> None:
    compared: Any = [
        SimpleNamespace(task=name, here=here and SimpleNamespace(evaluation=here))
        for name, here in (
            ("noise", SimpleNamespace(doubt="The champion gains nothing.")),
            ("heart", SimpleNamespace(doubt="")),
            ("gone", None),
        )
    ]
    assert list_doubts(compared) == ["- ⚠️ `noise`: The champion gains nothing."]
