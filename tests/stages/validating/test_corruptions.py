"""Bad tables are named for what they are; good ones, however written, pass without a word."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.shared.errors import PipelineError
from stages.validating.findings import Finding
from tests.support.validation_fixtures import as_csv, list_findings, read_sample, read_shipped

Frame = pd.DataFrame
Change = Callable[[Frame], Frame]


def put(column: str, rows: slice, value: str) -> Change:
    """Return a change that writes one value into some rows of a column."""

    def change(frame: Frame) -> Frame:
        frame.iloc[rows, frame.columns.get_loc(column)] = value
        return frame

    return change


def turn(column: str, rows: slice, formula: Callable[[Any], Any]) -> Change:
    """Return a change that computes some rows of a column anew from their numbers."""

    def change(frame: Frame) -> Frame:
        place = frame.columns.get_loc(column)
        numbers = pd.to_numeric(frame.iloc[rows, place])
        frame.iloc[rows, place] = formula(numbers).map("{:.4g}".format)
        return frame

    return change


def swap(one: str, two: str) -> Change:
    def change(frame: Frame) -> Frame:
        frame[one], frame[two] = frame[two].copy(), frame[one].copy()
        return frame

    return change


def copy_rows(rows: slice) -> Change:
    return lambda frame: pd.concat([frame, frame.iloc[rows]])


def flip_target(frame: Frame) -> Frame:
    return frame.assign(num=np.where(frame["num"] == "0", "1", "0"))


def put_target_in(name: str) -> Change:
    return lambda frame: frame.assign(**{name: frame["num"].map(lambda n: 100 + 50 * (n != "0"))})


def rename_columns(**names: str) -> Change:
    return lambda frame: frame.rename(columns=names)


# change, rule, column, count (None where rows are not what is counted), words of the message
DEFECTS: dict[str, tuple[Change, str, str | None, int | None, str]] = {
    "text among numbers": (put("chol", slice(0, 3), "high"), "type", "chol", 3, "number"),
    "half an integer": (put("age", slice(0, 2), "61.5"), "type", "age", 2, "integer"),
    "decimal commas": (put("oldpeak", slice(0, 9), "1,5"), "type", "oldpeak", 9, "decimal comma"),
    "thousands": (put("chol", slice(0, 4), "1,240"), "type", "chol", 4, "thousands"),
    "units in cells": (put("chol", slice(0, 4), "240 mg"), "type", "chol", 4, "carries its unit"),
    "a spreadsheet's dates": (put("oldpeak", slice(0, 4), "2-Mar"), "type", "oldpeak", 4, "date"),
    "too large": (put("age", slice(0, 5), "150"), "range", "age", 5, "5 above"),
    "too small": (put("trestbps", slice(0, 2), "6"), "range", "trestbps", 2, "2 below"),
    "infinite": (put("chol", slice(0, 2), "inf"), "range", "chol", 2, "2 above"),
    "0 for missing": (put("chol", slice(0, 30), "0"), "range", "chol", 30, "missing_in"),
    "-999 for missing": (put("oldpeak", slice(0, 9), "-999"), "range", "oldpeak", 9, "missing_in"),
    "-1 for missing": (put("oldpeak", slice(0, 40), "-1"), "sentinel", "oldpeak", 40, "missing"),
    "another unit": (
        turn("chol", slice(0, 40), lambda x: x / 38.67), "range", "chol", 40, "mmol/l",
    ),
    "an unknown category": (put("cp", slice(0, 6), "9"), "values", "cp", 6, "1, 2, 3, 4"),
    "a blank cell": (put("age", slice(0, 7), ""), "missing", "age", 7, "every row"),
    "a missing label": (put("num", slice(0, 3), ""), "target_missing", "_target", 3, "target"),
    "no label but one": (put("num", slice(None), "0"), "target_classes", "_target", 304, "healthy"),
    "columns swapped": (swap("trestbps", "thalach"), "swapped", "trestbps", None, "thalach"),
    "categories swapped": (swap("sex", "fbs"), "swapped", "sex", None, "fbs"),
    "years in months": (
        turn("age", slice(0, 40), lambda x: x * 12), "range", "age", 40, "months",
    ),
    "one -999": (put("oldpeak", slice(7, 8), "-999"), "range", "oldpeak", 1, "missing_in"),
    "two columns without a name": (
        lambda frame: frame.assign(**{" ": "", "  ": ""}), "blank_name", None, None, "column 16",
    ),
    "columns swapped out of range": (swap("age", "chol"), "range", "age", None, "swapped"),
    "a constant": (put("thal", slice(None), "3"), "constant", "thal", 304, "is 3"),
    "nearly a constant": (put("fbs", slice(0, 280), "0"), "dominant", "fbs", None, "0 is 9"),
    "most values lost": (put("ca", slice(0, 200), ""), "missing_share", "ca", None, "missing"),
    "no value at all": (put("ca", slice(None), ""), "empty", "ca", 304, "no value at all"),
    "labels flipped": (flip_target, "flipped", "_target", None, "flipped"),
    "a leak": (put_target_in("chol"), "leak", "chol", None, "100.0% of the target"),
    "copies": (copy_rows(slice(0, 12)), "duplicates", None, 12, "repeat an earlier one"),
    "half the table lost": (lambda frame: frame.head(120), "row_count", None, None, "304"),
    "another population": (
        turn("age", slice(None), lambda x: (x + 15).clip(upper=99)), "shift", "age", None, "above",
    ),
    "a relation broken": (
        lambda frame: frame.assign(thalach=frame["thalach"].sample(frac=1, random_state=0).values),
        "correlation", "age", None, "rank correlation",
    ),
    "a new column": (lambda frame: frame.assign(note="x"), "extra", None, None, "'note'"),
    "a name with a blank": (rename_columns(chol=" chol"), "blank_name", None, None, "' chol'"),
}  # fmt: skip


def list_found(frame: Frame, folder: Path, **contract: Any) -> list[Finding]:
    return list_findings("heart", folder, as_csv(frame), **contract)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_in_its_column_by_its_rule(name: str, tmp_path: Path) -> None:
    change, rule, column, count, words = DEFECTS[name]
    told = list_found(change(read_sample("heart")), tmp_path)
    right = [finding for finding in told if (finding.rule, finding.column) == (rule, column)]
    assert right, [(finding.rule, finding.column, finding.found) for finding in told]
    assert words in f"{right[0].found} {right[0].remedy} {right[0].expected}"
    if count is not None:
        assert right[0].count == count


ONE_COLUMN = [name for name, defect in DEFECTS.items() if defect[2] not in (None, "_target")]


@pytest.mark.parametrize("name", ONE_COLUMN)
def test_no_error_accuses_a_column_that_was_not_touched(name: str, tmp_path: Path) -> None:
    before, after = read_sample("heart"), DEFECTS[name][0](read_sample("heart"))
    touched = {column for column in before if not after[column].equals(before[column])}
    told = list_found(after, tmp_path)
    assert {finding.column for finding in told if finding.severity == "error"} <= touched


MISSING = {
    "missing": (lambda frame: frame.drop(columns="chol"), "lacks columns", "chol"),
    "renamed": (rename_columns(chol="Chol_"), "did you mean 'Chol_'", "chol"),
    "longer": (
        rename_columns(chol="Serum cholesterol"),
        "did you mean 'Serum cholesterol'",
        "chol",
    ),
    "another's name": (rename_columns(thal="scan"), "thal\n", "thal"),  # not: did you mean thalach?
    "twice": (rename_columns(chol="age"), "more than one column is called 'age'", "age"),
}


@pytest.mark.parametrize(("change", "words", "column"), MISSING.values(), ids=MISSING.keys())
def test_a_table_of_other_columns_is_refused(
    change: Change, words: str, column: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError) as refused:
        list_found(change(read_sample("heart")), tmp_path)
    assert words in str(refused.value)
    assert column in str(refused.value)


def rewrite_as(**how: Any) -> Callable[[Frame], str | bytes]:
    return lambda frame: as_csv(frame, **how)


LAYOUTS: dict[str, tuple[Callable[[Frame], str | bytes], dict[str, Any]]] = {
    "as it is": (rewrite_as(), {}),
    "columns in another order": (lambda frame: as_csv(frame[sorted(frame)]), {}),
    "rows in another order": (lambda frame: as_csv(frame.sample(frac=1, random_state=3)), {}),
    "CRLF": (rewrite_as(lineterminator="\r\n"), {}),
    "every cell in quotes": (rewrite_as(quoting=csv.QUOTE_ALL), {}),
    "blank lines at the end": (lambda frame: as_csv(frame) + "\n\n\n", {}),
    "no line end": (lambda frame: as_csv(frame).rstrip("\n"), {}),
    "a byte-order mark": (lambda frame: as_csv(frame).encode("utf-8-sig"), {}),
    "semicolons": (rewrite_as(sep=";"), {"delimiter": ";"}),
    "semicolons and decimal commas": (
        lambda frame: as_csv(frame, sep=";").replace(".", ","), {"delimiter": ";", "decimal": ","},
    ),
    "UTF-16": (lambda frame: as_csv(frame).encode("utf-16"), {"encoding": "utf-16"}),
    "blanks around cells": (lambda frame: as_csv(frame.map(lambda cell: f" {cell} ")), {}),
    "in powers of ten": (
        lambda frame: as_csv(frame.assign(chol=frame["chol"].map(lambda x: f"{float(x):.3e}"))), {},
    ),
    "whole numbers with a point": (
        lambda frame: as_csv(frame.assign(age=frame["age"] + ".0", sex=frame["sex"] + ".0")), {},
    ),
    "question marks for missing": (lambda frame: as_csv(frame.replace("", "?")), {}),
    "some more rows": (lambda frame: as_csv(add_rows(frame)), {}),
}  # fmt: skip


def add_rows(frame: Frame) -> Frame:
    """Add rows that are like those there, and none of them."""
    extra = frame.sample(60, random_state=1).copy()
    extra["chol"] = (pd.to_numeric(extra["chol"]) + 1).astype(str)
    return pd.concat([frame, extra])


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_good_table_passes_however_it_is_written(name: str, tmp_path: Path) -> None:
    written, origin = LAYOUTS[name]
    told = list_findings("heart", tmp_path, written(read_sample("heart")), origin=origin)
    assert [(finding.rule, finding.column, finding.found) for finding in told] == []


def test_a_hint_at_a_unit_fits_what_is_measured(tmp_path: Path) -> None:
    """Pressures half as high again are no lengths, whatever their ratio."""
    told = list_found(
        turn("trestbps", slice(0, 40), lambda x: x * 2.54)(read_sample("heart")), tmp_path
    )
    range_ = next(finding for finding in told if finding.rule == "range")
    assert range_.column == "trestbps"
    assert "inches" not in range_.remedy


def test_blanks_after_delimiters_are_a_way_of_writing(tmp_path: Path) -> None:
    text = as_csv(read_sample("heart")).replace(",", ", ")
    assert list_findings("heart", tmp_path, text) == []


def test_a_blank_in_a_name_is_told_once(tmp_path: Path) -> None:
    told = list_found(
        read_sample("heart").rename(columns={"chol": " chol", "age": "age "}), tmp_path
    )
    assert [finding.rule for finding in told] == ["blank_name"]
    assert "column 1 is called 'age '; column 5 is called ' chol'" in told[0].found


def test_the_contract_decides_how_serious_a_rule_is(tmp_path: Path) -> None:
    frame = put("age", slice(0, 5), "150")(read_sample("heart"))
    assert list_found(frame, tmp_path)[0].severity == "error"
    assert list_found(frame, tmp_path, checks={"range": "warn"})[0].severity == "warn"
    assert list_found(frame, tmp_path, checks={"range": "off"}) == []


def test_a_column_decides_for_itself(tmp_path: Path) -> None:
    columns = {**read_shipped("heart")["columns"]}
    columns["age"] = {**columns["age"], "checks": {"range": "warn"}}
    frame = put("age", slice(0, 5), "150")(read_sample("heart"))
    frame = put("chol", slice(0, 5), "5000")(frame)
    told = list_found(frame, tmp_path, columns=columns)
    assert {finding.column: finding.severity for finding in told} == {
        "age": "warn",
        "chol": "error",
    }


def test_a_column_left_out_on_purpose_is_no_finding(tmp_path: Path) -> None:
    frame = read_sample("heart").assign(note="x")
    assert list_found(frame, tmp_path, ignored=["note"]) == []
    assert list_found(frame, tmp_path, slices=["note"]) == []


HOUSING: dict[str, tuple[Change, str, str]] = {
    "a sum": (
        lambda f: f.assign(
            median_house_value=read_numbers(f, "total_rooms") + 2 * read_numbers(f, "population")
        ),
        "the target is total_rooms + 2 population, exactly",
        "follows",
    ),
    "a ratio": (
        lambda f: f.assign(
            median_house_value=1e5 * read_numbers(f, "total_rooms") / read_numbers(f, "households")
        ),
        "the target is 100000 * total_rooms / households, exactly",
        "follows",
    ),
    "a product, rounded": (
        lambda f: f.assign(
            median_house_value=(
                read_numbers(f, "total_rooms") * read_numbers(f, "median_income")
            ).round(2)
        ),
        "the target is total_rooms * median_income, to within 0.005",
        "follows",
    ),
    "a sum beside a column of gaps": (
        lambda f: f.assign(
            median_house_value=read_numbers(f, "households") + read_numbers(f, "population"),
            total_bedrooms="",
        ),
        "the target is population + households, exactly",
        "follows",
    ),
    "always the same": (
        lambda f: f.assign(median_house_value="1000"),
        "every value present is 1000",
        "constant",
    ),
    "in two units": (
        turn("median_house_value", slice(0, 300), lambda x: x / 1000),
        "thousands",
        "units",
    ),
}


def read_numbers(frame: Frame, name: str) -> pd.Series:
    return pd.to_numeric(frame[name])


@pytest.mark.parametrize(("change", "words", "rule"), HOUSING.values(), ids=HOUSING.keys())
def test_a_target_that_is_arithmetic_is_told(
    change: Change, words: str, rule: str, tmp_path: Path
) -> None:
    told = list_findings("housing", tmp_path, as_csv(change(read_sample("housing"))))
    assert [words in finding.found for finding in told if finding.rule == rule] == [True]


def test_spellings_of_a_category_are_counted_one_by_one(tmp_path: Path) -> None:
    frame = read_sample("housing")
    frame.loc[:4, "ocean_proximity"] = "Inland"
    frame.loc[5:6, "ocean_proximity"] = "INLAND?"
    told = list_findings("housing", tmp_path, as_csv(frame))
    values = next(finding for finding in told if finding.rule == "values")
    assert (values.column, values.count) == ("ocean_proximity", 7)
    assert "Inland x 5, INLAND? x 2" in values.found
    assert "'Inland' is 'INLAND' but for case or blanks" in values.remedy
