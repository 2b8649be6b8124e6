"""Each rule on a small table made by hand: what it names, counts, lists and says."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.contract.columns import Column
from stages.contract.split import Split
from stages.contract.target import Target
from stages.validating.cells import format_value
from stages.validating.checks import find_mixed, number_rows, run_checks
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared, Unparsed

HEART = {
    "age": Column(type="integer", unit="years", range=[18, 100]),
    "chol": Column(type="number", unit="mg/dl", range=[80, 700], missing="allowed"),
    "sex": Column(type="category", values=[0, 1]),
    "thal": Column(type="category", values=[3, 6, 7], missing="allowed"),
}
ILL = Target(expression="num > 0", classes={"false": "healthy", "true": "ill"}, positive="ill")
HOUSING = {
    "total_rooms": Column(type="number", unit="rooms"),
    "median_income": Column(type="number", unit="10000 US dollars", range=[0, 16]),
    "ocean_proximity": Column(type="category", values=["<1H OCEAN", "INLAND", "NEAR BAY"]),
}
VALUE = Target(expression="median_house_value", unit="US dollars", range=[0, 500001])
BY_CONTENT = Split(seed=42, validation=0.2, test=0.2)


def make_heart() -> pd.DataFrame:
    """100 rows that are as they should be: 1 to 60 to train on, 61 to 80 and 81 to 100."""
    i = np.arange(100)
    return pd.DataFrame(
        {
            "_row": i + 1,
            "age": pd.array(30 + i % 50, dtype="Int64"),
            "chol": 150.0 + i,
            "sex": pd.Series(np.where(i % 2, "1", "0"), dtype="str"),
            "thal": pd.Series(np.array(["3", "6", "7"])[i % 3], dtype="str"),
            "_target": pd.Series(np.where(i % 4 < 2, "ill", "healthy"), dtype="str"),
        }
    )


def make_housing() -> pd.DataFrame:
    i = np.arange(100)
    return pd.DataFrame(
        {
            "_row": i + 1,
            "total_rooms": 1000.0 + i,
            "median_income": 1.0 + i % 10,
            "ocean_proximity": pd.Series(
                np.array(["<1H OCEAN", "INLAND", "NEAR BAY"])[i % 3], dtype="str"
            ),
            "_target": 100_000.0 + 1000 * (37 * i * i % 101),  # no formula of the columns
        }
    )


def change(frame: pd.DataFrame, column: str, cells: dict[int, Any]) -> pd.DataFrame:
    """Put values into a column, by the number of the row in the raw table."""
    for row, value in cells.items():
        frame.loc[frame["_row"] == row, column] = value
    return frame


def list_findings(
    frame: pd.DataFrame, sizes: tuple[int, int] = (60, 20), **other: Any
) -> list[Finding]:
    """Check a table of which the first rows are train, the next validation, the last test."""
    is_heart = "age" in frame
    cuts = [0, sizes[0], sum(sizes), len(frame)]
    parts = {
        name: frame.iloc[start:stop]
        for name, start, stop in zip(("train", "validation", "test"), cuts, cuts[1:], strict=False)
    }
    contract = {
        "task": "heart" if is_heart else "housing",
        "columns": HEART if is_heart else HOUSING,
        "target": ILL if is_heart else VALUE,
        "split": BY_CONTENT,
    }
    return run_checks(Prepared.from_splits(parts, **{**contract, **other}))


def take_only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def take_by_rule(found: list[Finding], rule: str) -> Finding:
    return take_only([finding for finding in found if finding.rule == rule])


@pytest.mark.parametrize("table", [make_heart, make_housing])
def test_a_sound_table_gives_no_finding(table):
    assert list_findings(table()) == []


def test_type_names_the_cells_that_did_not_parse_and_missing_leaves_them_out():
    frame = change(make_heart(), "age", {3: pd.NA, 9: pd.NA, 12: pd.NA})
    cells = {"age": Unparsed(count=2, rows=(3, 9), values=("old", "4O"))}
    kinds = {finding.rule: finding for finding in list_findings(frame, unparsed=cells)}
    assert set(kinds) == {"type", "missing"}
    wrong = kinds["type"]
    assert (wrong.column, wrong.severity, wrong.count, wrong.share) == ("age", "error", 2, 0.02)
    assert (wrong.rows, wrong.values) == ((3, 9), ("old", "4O"))
    assert wrong.found == "2 of 100 values cannot be read as integer"
    assert wrong.expected == "a whole number"
    assert "conf/task/heart.yaml: columns.age.type" in wrong.remedy
    assert "`missing` of the source" in wrong.remedy
    assert (kinds["missing"].count, kinds["missing"].rows) == (1, (12,))


def test_missing_lists_only_rows_that_are_sure_where_more_cells_did_not_parse_than_are_listed():
    frame = change(make_heart(), "age", {1: pd.NA, 5: pd.NA, 50: pd.NA, 60: pd.NA})
    cells = {"age": Unparsed(count=2, rows=(5,), values=("x",))}  # 50 or 60 is the second
    missing = take_by_rule(list_findings(frame, unparsed=cells), "missing")
    assert (missing.count, missing.rows) == (2, (1,))


def test_type_of_a_target_points_to_its_expression():
    frame = change(make_housing(), "_target", {7: np.nan})
    cells = {"_target": Unparsed(count=1, rows=(7,), values=("much",))}
    wrong = take_only(list_findings(frame, unparsed=cells))
    assert (wrong.rule, wrong.column, wrong.values) == ("type", "_target", ("much",))
    assert "conf/task/housing.yaml: target.expression" in wrong.remedy


def test_missing_is_an_error_where_it_is_forbidden():
    finding = take_only(list_findings(change(make_heart(), "sex", {4: None, 90: None})))
    assert finding == Finding(
        rule="missing",
        severity="error",
        column="sex",
        found="2 of 100 values are missing",
        expected="a value in every row",
        remedy="fill the gaps, or write `allowed` in conf/task/heart.yaml: columns.sex.missing",
        count=2,
        share=0.02,
        rows=(4, 90),
        values=(),
    )


def test_missing_is_no_finding_where_it_is_allowed():
    assert list_findings(change(make_heart(), "chol", {4: np.nan})) == []


def test_a_column_without_a_value_is_a_warning_where_missing_is_allowed():
    finding = take_only(list_findings(make_heart().assign(chol=np.nan)))
    assert (finding.rule, finding.severity, finding.column) == ("empty", "warn", "chol")
    assert (finding.count, finding.share, finding.rows) == (100, 1.0, tuple(range(1, 11)))
    assert finding.found == "there is no value at all"
    assert finding.remedy.endswith("take it out of conf/task/heart.yaml: columns.chol")


def test_a_column_without_a_value_is_told_once_where_missing_is_forbidden():
    finding = take_only(
        list_findings(make_heart().assign(sex=pd.Series([None] * 100, dtype="str")))
    )
    assert (finding.rule, finding.severity, finding.column) == ("empty", "error", "sex")


def test_a_column_of_which_no_cell_parsed_is_told_by_type_alone():
    cells = {"chol": Unparsed(count=100, rows=(1, 2), values=("high", "low"))}
    finding = take_only(list_findings(make_heart().assign(chol=np.nan), unparsed=cells))
    assert (finding.rule, finding.count) == ("type", 100)


def test_a_column_without_a_value_to_train_on_is_empty():
    finding = take_only(
        list_findings(change(make_heart(), "chol", dict.fromkeys(range(1, 61), np.nan)))
    )
    assert (finding.rule, finding.count) == ("empty", 60)
    assert finding.found == "there is no value in train"


def test_range_counts_below_above_and_infinite():
    frame = change(make_heart(), "chol", {5: 79.9, 6: 80.0, 7: 700.0, 8: math.inf, 99: 9999.0})
    finding = take_only(list_findings(frame))
    assert (finding.rule, finding.column, finding.count) == ("range", "chol", 3)
    assert (finding.rows, finding.values) == ((5, 8, 99), ("79.9", "inf", "9999"))
    assert finding.found == "3 of 100 values are out of range: 1 below, 2 above"
    assert finding.expected == "80 to 700 mg/dl"
    assert (
        finding.remedy == "correct the source, or change conf/task/heart.yaml: columns.chol.range"
    )


def test_range_holds_for_integers_with_gaps():
    columns = {**HEART, "age": Column(type="integer", range=[18, 100], missing="allowed")}
    finding = take_only(
        list_findings(change(make_heart(), "age", {2: pd.NA, 3: 17}), columns=columns)
    )
    assert (finding.rule, finding.rows, finding.values) == ("range", (3,), ("17",))


def test_an_infinite_number_is_out_of_range_where_none_is_declared():
    finding = take_only(list_findings(change(make_housing(), "total_rooms", {1: -math.inf})))
    assert (finding.rule, finding.values, finding.rows) == ("range", ("-inf",), (1,))
    assert finding.expected == "finite numbers"


def test_a_unit_that_begins_with_a_number_is_set_apart():
    finding = take_only(list_findings(change(make_housing(), "median_income", {1: 17.0})))
    assert finding.expected == "0 to 16 times 10000 US dollars"


def test_values_suggests_the_declared_spelling():
    cells = {11: "Inland", 12: "near_bay", 13: "NEAR BYA", 14: "MOON", 15: "Inland"}
    finding = take_only(list_findings(change(make_housing(), "ocean_proximity", cells)))
    assert (finding.rule, finding.column, finding.count) == ("values", "ocean_proximity", 5)
    assert finding.rows == (11, 12, 13, 14, 15)
    assert finding.values == ("Inland", "near_bay", "NEAR BYA", "MOON")
    assert finding.found == (
        "5 of 100 values are not declared (4 different: Inland x 2, near_bay x 1, NEAR BYA x 1, "
        "MOON x 1)"
    )
    assert finding.expected == "one of <1H OCEAN, INLAND, NEAR BAY"
    assert finding.remedy == (
        "correct the source; 'Inland' is 'INLAND' but for case or blanks; 'near_bay' is 'NEAR BAY' "
        "but for case or blanks; 'NEAR BYA' looks like 'NEAR BAY'; or add it to "
        "conf/task/housing.yaml: columns.ocean_proximity.values"
    )


def test_values_suggests_nothing_for_a_number():
    columns = {**HEART, "thal": Column(type="category", values=[3, 6, 7, 1000], missing="allowed")}
    finding = take_only(list_findings(change(make_heart(), "thal", {1: "100"}), columns=columns))
    assert finding.found == "1 of 100 values is not declared"
    assert "looks like" not in finding.remedy


def test_only_the_first_ten_rows_and_values_are_listed():
    finding = take_only(
        list_findings(change(make_heart(), "thal", {row: f"t{row}" for row in range(20, 50)}))
    )
    assert (finding.count, finding.share) == (30, 0.3)
    assert finding.rows == tuple(range(20, 30))
    assert finding.values == tuple(f"t{row}" for row in range(20, 30))


def test_rows_are_numbered_as_in_the_raw_table_whatever_split_they_are_in():
    shuffled = change(make_heart(), "chol", {2: -1.0, 70: -2.0, 95: -3.0}).iloc[::-1]
    finding = take_by_rule(list_findings(shuffled), "range")
    assert (finding.rows, finding.values) == ((2, 70, 95), ("-1", "-2", "-3"))


def test_target_missing():
    finding = take_only(list_findings(change(make_heart(), "_target", {8: None})))
    assert (finding.rule, finding.severity) == ("target_missing", "error")
    assert (finding.column, finding.count, finding.rows) == ("_target", 1, (8,))
    assert finding.found == "1 of 100 values is missing"
    assert finding.remedy.endswith("conf/task/heart.yaml: target.expression")


def test_a_class_that_is_not_declared():
    finding = take_only(list_findings(change(make_heart(), "_target", {8: "maybe", 9: "TRUE"})))
    assert (finding.rule, finding.severity, finding.count) == ("target_classes", "error", 2)
    assert (finding.rows, finding.values) == ((8, 9), ("maybe", "TRUE"))
    assert finding.expected == "one of healthy, ill"
    assert "'TRUE' is 'true' but for case or blanks" in finding.remedy
    assert finding.remedy.endswith("conf/task/heart.yaml: target.classes")


def test_one_class_alone_is_told_once():
    finding = take_only(list_findings(make_heart().assign(_target="ill")))
    assert (finding.rule, finding.severity, finding.count) == ("target_classes", "error", 100)
    assert finding.values == ("ill",)
    assert finding.found == "every row is of the class ill"


@pytest.mark.parametrize(
    ("rows", "where"),
    [(range(1, 61), "train"), (range(61, 101), "validation and test")],
)
def test_a_class_absent_from_a_split_is_a_warning(rows, where):
    finding = take_only(
        list_findings(change(make_heart(), "_target", dict.fromkeys(rows, "healthy")))
    )
    assert (finding.rule, finding.severity) == ("target_classes", "warn")
    assert (finding.count, finding.rows) == (0, ())
    assert finding.found == f"no row of the class ill in {where}"


def test_target_out_of_range():
    finding = take_only(list_findings(change(make_housing(), "_target", {5: 500_002.0})))
    assert (finding.rule, finding.severity) == ("target_range", "error")
    assert (finding.column, finding.rows, finding.values) == ("_target", (5,), ("500002",))
    assert finding.expected == "0 to 500001 US dollars"
    assert finding.remedy == "correct the source, or change conf/task/housing.yaml: target.range"


def test_a_split_with_few_rows_is_a_warning():
    finding = take_only(list_findings(make_heart(), sizes=(61, 20)))
    assert (finding.rule, finding.severity, finding.column) == ("rows", "warn", None)
    assert (finding.count, finding.share) == (19, 0.19)
    assert finding.found == "test has 19 rows"
    assert finding.expected == "20 rows or more in each split"


def test_a_split_without_rows_is_an_error():
    finding = take_only(list_findings(make_heart(), sizes=(80, 20)))
    assert (finding.rule, finding.severity) == ("rows", "error")
    assert (finding.count, finding.rows) == (0, ())
    assert finding.found == "test has no rows"
    assert finding.remedy.endswith("conf/task/heart.yaml: split")


def test_a_table_without_rows_is_reported_not_a_crash():
    found = list_findings(make_heart().iloc[:0], sizes=(0, 0))
    assert [finding.found for finding in found] == [
        "train has no rows",
        "validation has no rows",
        "test has no rows",
    ]


def copy_row(frame: pd.DataFrame, source: int, target: int) -> pd.DataFrame:
    """Make row ``target`` like row ``source``, but for its number."""
    names = [name for name in frame if name != "_row"]
    for name in names:
        frame.loc[target - 1, name] = frame.loc[source - 1, name]
    return frame


def test_equal_rows_are_a_warning_that_lists_the_copies():
    frame = change(make_heart(), "chol", {1: np.nan})  # missing equals missing
    finding = take_only(list_findings(copy_row(copy_row(frame, 1, 3), 1, 5)))
    assert (finding.rule, finding.severity, finding.column) == ("duplicates", "warn", None)
    assert (finding.count, finding.share, finding.rows) == (2, 0.02, (3, 5))
    assert finding.found == "2 rows repeat an earlier one, the target included"


def test_equal_inputs_with_different_targets_are_a_warning_that_lists_all_of_them():
    finding = take_only(
        list_findings(change(copy_row(make_heart(), 1, 3), "_target", {3: "healthy"}))
    )
    assert (finding.rule, finding.severity, finding.column) == ("conflicts", "warn", None)
    assert (finding.count, finding.rows) == (2, (1, 3))
    assert finding.found == "2 rows have the inputs of another row, but not its target"


def test_a_missing_target_is_no_conflict():
    found = list_findings(change(copy_row(make_heart(), 1, 3), "_target", {3: None}))
    assert [finding.rule for finding in found] == ["target_missing"]


def test_a_constant_column_is_a_warning():
    finding = take_only(list_findings(make_heart().assign(sex=pd.Series(["1"] * 100, dtype="str"))))
    assert (finding.rule, finding.severity, finding.column) == ("constant", "warn", "sex")
    assert (finding.count, finding.values) == (100, ("1",))
    assert finding.found == "every value present is 1"
    assert finding.remedy == "take it out of conf/task/heart.yaml: columns.sex"


def test_equal_inputs_in_two_splits_are_a_leak_whatever_their_target():
    frame = change(copy_row(make_heart(), 1, 90), "_target", {90: "healthy"})
    finding = take_by_rule(list_findings(frame), "leakage")
    assert (finding.severity, finding.column) == ("error", None)
    assert (finding.count, finding.rows) == (2, (1, 90))
    assert finding.found == "2 rows have inputs that are in another split, too"
    assert finding.remedy == "run `dvc repro --force prepare@heart`"


def test_equal_inputs_in_two_splits_are_a_warning_where_a_group_decides():
    by_group = Split(seed=1, validation=0.2, test=0.2, group="patient")
    finding = take_by_rule(list_findings(copy_row(make_heart(), 1, 90), split=by_group), "leakage")
    assert finding.severity == "warn"
    assert finding.remedy.endswith("conf/task/heart.yaml: split")


def test_many_copies_across_groups_are_an_error_and_chance_is_none():
    by_group = Split(seed=1, validation=0.2, test=0.2, group="patient")
    frame = make_heart()
    frame.iloc[80:, 1:] = frame.iloc[:20, 1:].to_numpy()
    assert take_by_rule(list_findings(frame, split=by_group), "leakage").severity == "error"
    few = frame.assign(**{name: frame[name].iloc[0] for name in HEART if name != "sex"})
    assert take_by_rule(list_findings(few, split=by_group), "leakage").severity == "warn"


def test_boolean_and_datetime_columns_are_checked_for_missing_values_only():
    frame = make_heart().assign(
        smoker=pd.array([True, False] * 50, dtype="boolean"),
        seen=pd.date_range("2024-01-01", periods=100, unit="us"),
    )
    columns = {**HEART, "smoker": Column(type="boolean"), "seen": Column(type="datetime")}
    assert list_findings(frame, columns=columns) == []
    frame = change(change(frame, "smoker", {1: pd.NA}), "seen", {2: pd.NaT})
    assert {
        (finding.rule, finding.column, finding.rows)
        for finding in list_findings(frame, columns=columns)
    } == {
        ("missing", "smoker", (1,)),
        ("missing", "seen", (2,)),
    }


def test_errors_come_first_then_the_most_serious_rule_then_the_most_rows():
    frame = change(make_heart(), "chol", {1: -1.0}).assign(sex=pd.Series(["1"] * 100, dtype="str"))
    frame = change(change(frame, "age", {5: 7, 6: 7}), "_target", {8: None})
    order = [(finding.rule, finding.column) for finding in list_findings(frame)]
    assert order == [
        ("target_missing", "_target"),
        ("range", "age"),
        ("range", "chol"),
        ("constant", "sex"),
    ]


def test_numbered_agrees_with_pandas_on_which_rows_are_equal():
    generator = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "a": generator.choice([1.0, -0.0, 0.0, np.nan], 500),
            "b": pd.Series(generator.choice(["x", "y", None], 500), dtype="str"),
            "c": pd.array(generator.choice([1, 2], 500), dtype="Int64"),
        }
    )
    codes = number_rows(frame)
    assert (pd.Series(codes).duplicated() == frame.duplicated()).all()


def test_mixed_marks_every_row_of_a_group_with_two_marks():
    groups, marks = np.array([5, 2, 5, 9, 2]), np.array([0, 1, 1, 0, 1])
    assert find_mixed(groups, marks).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (80.0, "80"),
        (0.1, "0.1"),
        (500_001.5, "500001.5"),
        (math.inf, "inf"),
        ("a\x1b[31m\u202eb\n", "a\\x1b[31m\\u202eb\\n"),
        ("\ud800", "\\ud800"),
        ("x" * 61, "x" * 59 + "…"),
        (pd.Timestamp("2024-05-31"), "2024-05-31T00:00:00"),
    ],
)
def test_shown_is_short_and_printable(value, text):
    assert format_value(value) == text
