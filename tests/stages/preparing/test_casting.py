"""Cells become what the contract says they are, whatever the file; what does not fit is told."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract.columns import Column
from stages.contract.target import Target
from stages.preparing.casting import SHOWN, as_tokens, cast, cast_target, find_misfits, to_dates

NUMBER, INTEGER = Column(type="number"), Column(type="integer")
BOOLEAN, DATETIME = Column(type="boolean"), Column(type="datetime")
CATEGORY = Column(type="category", values=(1, 2, 30, "food", "true"))
COLUMNS = {column.type: column for column in (NUMBER, INTEGER, BOOLEAN, DATETIME, CATEGORY)}
DTYPES = {
    "number": "float64",
    "integer": "Int64",
    "boolean": "boolean",
    "datetime": "datetime64[us]",
    "category": "str",
}


def make_text(*cells: str | None) -> pd.Series:
    return pd.Series(list(cells), dtype="str")


def list_values(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in column]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.text(max_size=12)))
@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("decimal", [".", ","])
def test_any_text_is_typed_without_a_crash(
    kind: str, decimal: str, cells: list[str | None]
) -> None:
    found = cast(make_text(*cells), COLUMNS[kind], decimal)
    assert len(found) == len(cells)
    assert found.dtype == DTYPES[kind]


@settings(deadline=None, max_examples=50)
@given(st.floats(allow_nan=False))
def test_a_number_is_read_to_the_last_bit(number: float) -> None:
    assert list_values(cast(make_text(repr(number)), NUMBER)) == [number]


@pytest.mark.parametrize(
    "cell", ["x", "1,5", "1_000", "0x10", "1 000", "--1", "1e", "true", "1.2.3"]
)
def test_what_is_no_number_is_missing(cell: str) -> None:
    assert list_values(cast(make_text(cell, "2"), NUMBER)) == [None, 2.0]


def test_a_decimal_comma() -> None:
    found = cast(make_text("1,5", "-0,25", "3", "1,5e3", None), NUMBER, ",")
    assert list_values(found) == [1.5, -0.25, 3.0, 1500.0, None]


def test_with_a_decimal_comma_a_point_is_no_number() -> None:
    """It stands between thousands: 1.500 would be read as 1.5."""
    assert list_values(cast(make_text("1.500", "1.234,5"), NUMBER, ",")) == [None, None]


def test_integers_may_be_written_with_a_zero_fraction() -> None:
    found = cast(make_text("3", "3.0", "-4.", "1e3", "+5", None), INTEGER)
    assert list_values(found) == [3, 3, -4, 1000, 5, None]


@pytest.mark.parametrize("cell", ["3.5", "x", "inf", "1e300", "-1e-9", str(2**53), str(-(2**63))])
def test_what_is_no_exact_integer_is_missing(cell: str) -> None:
    assert list_values(cast(make_text("1", cell), INTEGER)) == [1, None]


def test_misfits_are_counted_with_row_and_value() -> None:
    raw = make_text("1", "2.5", None, "x", "x", "4")
    found = find_misfits(raw, cast(raw, INTEGER), pd.Series([10, 20, 30, 40, 50, 60]))
    assert found == {"count": 3, "rows": [20, 40, 50], "values": ["2.5", "x"]}


def test_missing_cells_are_no_misfits() -> None:
    raw = make_text("1", None)
    assert find_misfits(raw, cast(raw, INTEGER), pd.Series([1, 2])) is None


def test_only_the_first_misfits_are_shown() -> None:
    raw = make_text(*(f"x{i}" for i in range(1000)))
    found = find_misfits(raw, cast(raw, NUMBER), pd.Series(range(1, 1001)))
    assert found is not None
    assert found["count"] == 1000
    assert found["rows"] == list(range(1, SHOWN + 1))
    assert found["values"] == [f"x{i}" for i in range(SHOWN)]


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "yes", "Y", "y", "t", "T", "1", "1.0"])
def test_spellings_of_true(word: str) -> None:
    assert list_values(cast(make_text(word), BOOLEAN)) == [True]


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "no", "N", "n", "f", "F", "0", "0.0"])
def test_spellings_of_false(word: str) -> None:
    assert list_values(cast(make_text(word), BOOLEAN)) == [False]


@pytest.mark.parametrize("word", ["2", "maybe", "on", "truee", "-1", "0.5"])
def test_what_is_neither_is_missing(word: str) -> None:
    assert list_values(cast(make_text(word), BOOLEAN)) == [None]


def test_a_category_written_as_a_float_is_its_integer() -> None:
    found = cast(make_text("1", "1.0", "2.00", "3e1", "food", None), CATEGORY)
    assert list_values(found) == ["1", "1", "2", "30", "food", None]


def test_a_category_of_booleans_is_found_however_they_are_written() -> None:
    assert list_values(cast(make_text("true", "True", "TRUE"), CATEGORY)) == ["true"] * 3


def test_an_undeclared_category_stays_as_it_is() -> None:
    """`validate` names it."""
    assert list_values(cast(make_text("Food", "4.0", "1.5"), CATEGORY)) == ["Food", "4.0", "1.5"]


def test_a_declared_spelling_is_kept() -> None:
    column = Column(type="category", values=("1", "1.0", "007"))
    assert list_values(cast(make_text("1.0", "007", "7"), column)) == ["1.0", "007", "7"]


@settings(deadline=None, max_examples=50)
@given(
    st.datetimes(
        timezones=st.none() | st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
    )
)
def test_a_time_is_read_to_the_microsecond_in_utc(moment: dt.datetime) -> None:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    if not 2 < aware.year < 9998:
        return  # the zone would carry it beyond what Python can write
    expected = aware.astimezone(dt.UTC).replace(tzinfo=None)
    for cell in (moment.isoformat(), moment.isoformat(" ")):
        assert list_values(to_dates(make_text(cell))) == [expected]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dates() | st.datetimes(), min_size=2))
def test_a_time_does_not_depend_on_the_others(moments: list[dt.date]) -> None:
    cells = [moment.isoformat() for moment in moments]
    together = to_dates(make_text(*cells, "2020-01-01T00:00:00.123456789")).iloc[:-1]
    assert list_values(together) == [list_values(to_dates(make_text(cell)))[0] for cell in cells]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2020-02-29", "2020-02-29"),
        ("20200229", "2020-02-29"),
        ("2020-02", "2020-02-01"),
        ("2020-02-29T23:59:59.123456789", "2020-02-29T23:59:59.123456"),
        ("2020-02-29T23:59:59Z", "2020-02-29T23:59:59"),
        ("2020-02-29 23:59+02:00", "2020-02-29T21:59"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
    ],
)  # fmt: skip
def test_iso_8601(cell: str, expected: str) -> None:
    assert list_values(to_dates(make_text(cell))) == [dt.datetime.fromisoformat(expected)]


NO_DATES = ["now", "today", "-5", ".5", "1", "29.02.2020", "02/29/2020", "2021-02-29", "12:00", "x"]


@pytest.mark.parametrize("cell", NO_DATES)
def test_what_is_no_iso_date_is_missing(cell: str) -> None:
    """Above all ``now``, which pandas takes from the clock."""
    assert list_values(to_dates(make_text(cell, "2020-01-01")))[0] is None


# What a typed file may hold, and the text that a CSV file has for the same.
TYPED = {
    "integers": (pd.Series([1, 2, 30]), ["1", "2", "30"]),
    "integers, one missing": (pd.Series([1, None, 30]), ["1", None, "30"]),
    "nullable integers": (pd.Series([1, None, 30], dtype="Int64"), ["1", None, "30"]),
    "small integers": (pd.Series([1, 0], dtype="uint8"), ["1", "0"]),
    "large integers": (pd.Series([2**63, 1], dtype="uint64"), [str(2**63), "1"]),
    "floats": (pd.Series([0.1, np.nan, -2.5]), ["0.1", None, "-2.5"]),
    "float32": (pd.Series([0.5, 30], dtype="float32"), ["0.5", "30"]),
    "booleans": (pd.Series([True, False, None], dtype="boolean"), ["true", "false", None]),
    "booleans as objects": (pd.Series([True, None], dtype=object), ["true", None]),
    "text": (make_text("food", "30", "x", None), ["food", "30", "x", None]),
    "dates": (pd.Series([dt.date(2020, 2, 29), None]), ["2020-02-29", None]),
    "times": (
        pd.Series(pd.to_datetime(["2020-02-29 12:30:00.000001", None])),
        ["2020-02-29T12:30:00.000001", None],
    ),
    "nanoseconds": (
        pd.Series(pd.to_datetime(["2020-02-29 12:30:00.123456789"])),
        ["2020-02-29T12:30:00.123456789"],
    ),
    "times in a zone": (
        pd.Series(pd.to_datetime(["2020-02-29T12:30+05:00"])),
        ["2020-02-29T12:30+05:00"],
    ),
    "decimals": (pd.Series([Decimal("1.50"), None, Decimal("30")]), ["1.50", None, "30"]),
    "years": (pd.Series([2020, 1999]), ["2020", "1999"]),
}  # fmt: skip
# A boolean column of a typed file may count as numbers, a moment has text of its own.
DIFFER = {("booleans", "number"), ("booleans", "integer"), ("booleans as objects", "number"),
          ("booleans as objects", "integer"), ("times", "category"), ("nanoseconds", "category"),
          ("times in a zone", "category")}  # fmt: skip


SAME = [(name, kind) for name in TYPED for kind in COLUMNS if (name, kind) not in DIFFER]


@pytest.mark.parametrize(("name", "kind"), SAME)
@pytest.mark.parametrize("decimal", [".", ","])
def test_a_typed_column_gives_what_its_text_gives(name: str, kind: str, decimal: str) -> None:
    column, cells = TYPED[name]
    shown = make_text(*cells)
    written = shown.str.replace(".", decimal) if kind in ("number", "integer") else shown
    found = cast(column, COLUMNS[kind], decimal)
    pd.testing.assert_series_equal(found, cast(written, COLUMNS[kind], decimal))


def test_booleans_of_a_typed_file_count_as_numbers() -> None:
    assert list_values(cast(pd.Series([True, False]), NUMBER)) == [1.0, 0.0]


def test_a_moment_is_no_number() -> None:
    raw = pd.Series(pd.to_datetime(["2020-01-01"]))
    assert list_values(cast(raw, NUMBER)) == [None]
    assert list_values(cast(raw.dt.tz_localize("UTC"), INTEGER)) == [None]


def cast_to_target(
    expression: str, raw: dict[str, pd.Series], decimal: str = ".", **more: Any
) -> list[Any]:
    contract = Target.parse({"expression": expression, **more}, "x")
    return list_values(cast_target(pd.DataFrame(raw), contract, decimal))


ILL = {"classes": {True: "ill", False: "well"}, "positive": "ill"}


def test_a_formula_names_the_classes_and_keeps_missing_ones_missing() -> None:
    raw = {"num": make_text("0", "1", "4", None, "x")}
    assert cast_to_target("num > 0", raw, **ILL) == ["well", "ill", "ill", None, None]
    assert cast_to_target("num != 0", raw, **ILL) == ["well", "ill", "ill", None, None]


def test_one_cell_that_is_no_number_does_not_change_the_others() -> None:
    alone = cast_to_target("num > 5", {"num": make_text("10", "9")}, **ILL)
    assert (
        cast_to_target("num > 5", {"num": make_text("10", "9", "x")}, **ILL)[:2]
        == alone
        == ["ill", "ill"]
    )


@pytest.mark.parametrize("num", [pd.Series([0, 3]), pd.Series([0.0, 3.0]), make_text("0.0", "3")])
def test_a_formula_reads_numbers_of_any_kind(num: pd.Series) -> None:
    assert cast_to_target("num > 0", {"num": num}, **ILL) == ["well", "ill"]


def test_a_formula_with_a_decimal_comma() -> None:
    assert cast_to_target("num > 1.2", {"num": make_text("1,1", "1,3")}, ",", **ILL) == [
        "well",
        "ill",
    ]


def test_a_formula_over_several_columns() -> None:
    raw = {"a b": make_text("1", "5", None), "c": make_text("2", "2", "2")}
    assert cast_to_target("col('a b') / c > 1", raw, **ILL) == ["well", "ill", None]


@pytest.mark.parametrize(
    "status", [make_text("7", "8", None), make_text("7.0", "8", None), pd.Series([7, 8, None])]
)
def test_text_in_quotes_is_compared_as_text_even_where_it_looks_like_a_number(
    status: pd.Series,
) -> None:
    assert cast_to_target("status == '7'", {"status": status}, **ILL) == ["ill", "well", None]


def test_text_equality() -> None:
    raw = {"thal": make_text("fixed", "normal", None)}
    assert cast_to_target("thal == 'fixed'", raw, **ILL) == ["ill", "well", None]
    assert cast_to_target("thal != 'fixed'", raw, **ILL) == ["well", "ill", None]


BARE = {
    "integers": (make_text("0", "1", "1.0", None), {0: "well", 1: "ill"}),
    "typed integers": (pd.Series([0, 1, 1, None]), {0: "well", 1: "ill"}),
    "text": (make_text("no", "yes", "yes", None), {"no": "well", "yes": "ill"}),
    "booleans": (make_text("False", "true", "TRUE", None), {False: "well", True: "ill"}),
    "typed booleans": (
        pd.Series([False, True, True, None], dtype="boolean"), {False: "well", True: "ill"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("column", "classes"), BARE.values(), ids=BARE.keys())
@pytest.mark.parametrize("name", ["status", "the status"])
def test_a_bare_column_with_classes(name: str, column: pd.Series, classes: dict[Any, str]) -> None:
    found = cast_to_target(f"col({name!r})", {name: column}, classes=classes, positive="ill")
    assert found == ["well", "ill", "ill", None]


def test_more_than_two_classes_and_several_values_in_one() -> None:
    raw = {"num": make_text("0", "1", "2", "3", "4")}
    classes = {0: "none", 1: "mild", 2: "mild", 3: "severe", 4: "severe"}
    assert cast_to_target("num", raw, classes=classes) == [
        "none",
        "mild",
        "mild",
        "severe",
        "severe",
    ]
    assert cast_to_target("num", raw, classes=[0, 1, 2, 3, 4]) == ["0", "1", "2", "3", "4"]


def test_classes_are_text_even_where_all_are_missing() -> None:
    contract = Target.parse({"expression": "num > 0", **ILL}, "x")
    for cells in (["1", "0"], ["1", None], [None, None]):
        assert cast_target(pd.DataFrame({"num": make_text(*cells)}), contract).dtype == "str"


def test_an_undeclared_class_stays_as_it_is() -> None:
    """`validate` names it."""
    assert cast_to_target("num", {"num": make_text("0", "9")}, classes=["0", "1", "2"]) == [
        "0",
        "9",
    ]


def test_regression_is_the_number_that_the_formula_gives() -> None:
    raw = {"price": make_text("10", "20,5", "x", None), "area": make_text("2", "2", "2", "2")}
    assert cast_to_target("price", raw, ",") == [10.0, 20.5, None, None]
    assert cast_to_target("price / area", raw, ",") == [5.0, 10.25, None, None]


def test_regression_keeps_an_infinity_for_validate_to_find() -> None:
    assert math.isinf(cast_to_target("a / b", {"a": make_text("1"), "b": make_text("0")})[0])


@pytest.mark.parametrize(
    "columns",
    [
        [make_text("7"), make_text("7.0"), pd.Series([7]), pd.Series([7.0]), pd.Series([7, None])],
        [
            make_text("true"),
            make_text("True"),
            pd.Series([True]),
            pd.Series([True, None], dtype=object),
        ],
        [make_text("a"), pd.Series(["a"], dtype=object), pd.Series(["a"], dtype="category")],
    ],
)
def test_equal_cells_have_equal_tokens(columns: list[pd.Series]) -> None:
    assert len({as_tokens(column).iloc[0] for column in columns}) == 1


def test_different_large_integers_have_different_tokens() -> None:
    assert as_tokens(pd.Series([2**60, 2**60 + 1])).nunique() == 2
    assert as_tokens(make_text(str(2**60), str(2**60 + 1))).nunique() == 2


def test_a_text_loses_the_blanks_around_it_and_a_blank_one_is_missing() -> None:
    cells = pd.Series([" so  so \u00a0", "\u2003\x85", None, "good\nbad"], dtype="str")
    assert cast(cells, Column(type="text")).tolist() == ["so  so", np.nan, np.nan, "good\nbad"]


def test_a_text_is_brought_into_its_unicode_form() -> None:
    cells = pd.Series(["cafe\u0301", "\ufb01ne"], dtype="str")
    assert cast(cells, Column(type="text", normalise="NFC")).tolist() == ["caf\xe9", "\ufb01ne"]
    assert cast(cells, Column(type="text", normalise="NFKC")).tolist() == ["caf\xe9", "fine"]
    assert cast(cells, Column(type="text")).tolist() == cells.tolist()
