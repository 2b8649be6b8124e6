"""A window is told to be other when it is, with the rate of false alarms that was promised."""

import numpy as np
import pandas as pd
import pytest

from stages.monitoring.findings import Finding
from stages.monitoring.reference import Reference
from tests.support.monitoring_fixtures import draw_table, judge, make_reference


@pytest.fixture(scope="module")
def reference() -> Reference:
    return make_reference()


def find(reference: Reference, table: pd.DataFrame, **more: object) -> list[Finding]:
    return list(judge(reference, table, **more).findings)


def count_found(reference: Reference, change: object, rows: int, windows: int = 20) -> int:
    tables = (draw_table(rows, 1000 + number) for number in range(windows))
    return sum(judge(reference, change(table)).verdict != "ok" for table in tables)  # type: ignore[operator]


def test_sound_windows_alarm_as_seldom_as_promised(reference: Reference) -> None:
    """At a true rate of 1 % more than 5 of 120 happen in 1 of 700 runs."""
    assert count_found(reference, lambda table: table, 120, 120) <= 5


def test_a_shift_of_a_number_is_found_and_named(reference: Reference) -> None:
    table = draw_table(250, 77)
    table["income"] *= 2
    found = find(reference, table)
    assert [finding.column for finding in found] == ["income"]
    assert "higher" in found[0].found
    assert found[0].probability < 0.01


def test_a_broken_correlation_with_unchanged_margins_is_found(reference: Reference) -> None:
    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        mixed = np.random.default_rng(5).permutation(table["weight"].to_numpy())
        return table.assign(weight=mixed)

    assert count_found(reference, shuffle, 100) == 20
    found = find(reference, shuffle(draw_table(100, 78)))
    assert found[0].group == "relations"
    assert found[0].column in ("height", "weight")


def test_five_points_more_missing_are_found(reference: Reference) -> None:
    def lose(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(income=table["income"].mask(np.arange(len(table)) % 12 == 0))

    assert count_found(reference, lose, 250) >= 15
    assert "missing" in find(reference, lose(draw_table(250, 79)))[0].found


@pytest.mark.parametrize("rows", [1, 2])
def test_a_rare_value_alone_sets_off_no_alarm(reference: Reference, rows: int) -> None:
    table = draw_table(250, 80).assign(kind=lambda t: t["kind"].replace("rare", "a"))
    table.loc[: rows - 1, "kind"] = "rare"
    assert find(reference, table) == []


def test_one_new_value_is_no_alarm_and_ten_are(reference: Reference) -> None:
    table = draw_table(250, 81)
    table.loc[0, "kind"] = "new"
    assert find(reference, table) == []
    table.loc[:9, "kind"] = "new"
    found = find(reference, table)
    assert found[0].column == "kind"
    assert "'new' (10 of 250 rows)" in found[0].found


def test_one_outlier_is_no_alarm_and_five_are(reference: Reference) -> None:
    table = draw_table(250, 82)
    table.loc[0, "height"] = 1e9
    assert find(reference, table) == []
    table.loc[:4, "height"] = 1e9
    assert "outliers: 5 values" in " ".join([f.found for f in find(reference, table)])


def test_a_constant_that_moves_and_an_empty_column_that_fills_are_found(
    reference: Reference,
) -> None:
    table = draw_table(100, 83).assign(constant=8.0)
    table.loc[:49, "empty"] = 1.0
    columns = {finding.column: finding.found for finding in find(reference, table)}
    assert set(columns) == {"constant", "empty"}
    assert "fewer missing: 50 %, it was 100 %" in columns["empty"]


def test_a_column_that_stops_varying_is_found(reference: Reference) -> None:
    found = find(reference, draw_table(100, 84).assign(rounded=pd.array([2] * 100, dtype="Int64")))
    assert any("one value only: 2" in text for f in found for text in (f.found, *f.also))


def test_a_stuck_feed_is_found(reference: Reference) -> None:
    table = draw_table(100, 85)
    table.iloc[60:] = table.iloc[60].to_numpy()
    said = " ".join(text for f in find(reference, table) for text in (f.found, *f.also))
    assert "the same row 40 times in a row" in said
    assert "39 of 100 rows repeat another" in said


def test_cells_that_break_the_contract_are_told(reference: Reference) -> None:
    misfits = {"height": ["tall"] * 5 + ["small"] * 3}
    found = find(reference, draw_table(250, 86), misfits=misfits)
    assert [f.found for f in found] == ["8 cells break the contract: 'tall', 'small'"]
    assert find(reference, draw_table(250, 86), misfits={"height": ["tall"]}) == []


def test_harmless_drift_is_recorded_and_harmful_drift_alarms(reference: Reference) -> None:
    """The model reads the height alone: an income of twice as much costs nothing."""
    harmless = judge(reference, draw_table(250, 87).assign(income=lambda t: 2 * t["income"]))
    assert harmless.verdict == "warn"
    assert harmless.findings[0].harm is not None
    assert harmless.findings[0].harm.if_faulty is not None
    assert harmless.findings[0].harm.if_faulty.value == 0
    table = draw_table(250, 88)
    table["height"] += 1
    harmful = judge(reference, table)
    assert harmful.verdict == "alarm"
    worst = next(f for f in harmful.findings if f.column == "height")
    # The answer is 2 too high, so its square, 4, is added to a loss of 1.
    assert worst.harm is not None
    assert worst.harm.worst == pytest.approx(4, rel=0.25)


def test_more_rows_than_any_calibrated_window_are_thinned(reference: Reference) -> None:
    report = judge(reference, draw_table(900, 89))
    assert (report.rows, report.compared) == (900, 250)


def test_too_few_rows_are_not_judged_and_what_would_do_is_said(reference: Reference) -> None:
    report = judge(reference, draw_table(1, 90))
    assert report.verdict == "not judged"
    assert "50 are the fewest" in str(report.reason)


def test_a_tiny_reference_judges_nothing_and_says_so() -> None:
    report = judge(make_reference(100), draw_table(60, 91))
    assert report.verdict == "not judged"
    assert "the reference has 100 rows" in str(report.reason)


def test_the_guarantee_names_a_reference_that_is_too_small(reference: Reference) -> None:
    assert "for nearly every reference" in judge(reference, draw_table(100, 92)).guarantee
    assert (
        "3000 rows are less than 20 windows of 250"
        in judge(reference, draw_table(250, 93)).guarantee
    )


def test_wrong_answers_are_found_by_their_outcomes(reference: Reference) -> None:
    table = draw_table(250, 94)
    sound = judge(reference, table, outcomes=True)
    assert sound.verdict == "ok"
    assert sound.outcomes is not None
    assert sound.outcomes.coverage == 1
    table["_loss"] *= 4  # errors of twice the size
    found = judge(reference, table, outcomes=True)
    assert found.findings[0].group == "outcomes"
    assert found.outcomes is not None
    assert found.outcomes.alarm_after is not None


def test_labels_that_come_for_half_of_the_rows_are_counted(reference: Reference) -> None:
    table = draw_table(200, 95)
    table.loc[100:, ["_target", "_loss"]] = np.nan
    outcomes = judge(reference, table, outcomes=True).outcomes
    assert outcomes is not None
    assert (outcomes.labelled, outcomes.coverage) == (100, 0.5)


def test_the_loss_is_estimated_without_any_label(reference: Reference) -> None:
    outcomes = judge(reference, draw_table(200, 96)).outcomes
    assert outcomes is not None
    assert outcomes.labelled == 0
    assert outcomes.expected_loss is not None
    assert outcomes.expected_loss.low < 1 < outcomes.expected_loss.high
