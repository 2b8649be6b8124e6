"""A client's cell is to the server what `prepare` made of it for training, whatever it is."""

import datetime as dt
import io
import json
import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serve.files.cells import make_caster
from serve.files.dates import to_utc
from serve.files.parquet_source import ParquetSource
from serve.runtime.encode import Input, MisfitError
from serve.runtime.manifest import Column, Spelling
from stages.contract import task
from stages.contract.source import Origin
from stages.preparing.casting import cast
from stages.preparing.parsing import _clean_cells
from stages.shared.features import encode_column
from stages.shared.schema import Field
from tests.support.serve_models import column as declared

VALUES = [1, 2, 30, "food", "true", "1.50", "-4"]
COLUMNS = {
    "number": declared("x", "number", missing="allowed"),
    "integer": declared("x", "integer", missing="allowed"),
    "boolean": declared("x", "boolean", missing="allowed"),
    "datetime": declared("x", "datetime", missing="allowed"),
    "category": declared("x", "category", values=VALUES, unseen="flag", missing="allowed"),
    "text": declared("x", "text", normalise="NFKC", missing="allowed"),
}
# What each kind of cell may be made of, and much that looks like it.
ALPHABETS = {
    "number": "0123456789.,eE+-_ infaINFA\u0663\u00a0",
    "integer": "0123456789.eE+-_ ",
    "boolean": "trueTRUEfalsynoYN10. ",
    "datetime": "0123456789-.: TZ+,",
    "category": "123045.0eE+-foodtrueTRUE ",
    "text": "aA\u00e9e\u0301\uff21 \t\u00a0\u2003?NA",
}
PARTS = {
    "year": ["2020", "1969", "9999", "0001", "20201231", "20200230"],
    "date": ["", "-1", "-02", "-12-31", "-1-5", ".1.05", " 1 05", "-13-01", "-02-30"],
    "time": ["", "T10", " 1:2", "T10:30", "T10:30:45", "T103045", "T1030", "T24:00", "T10:3045"],
    "fraction": ["", ".", ".5", ".123456789", ",5"],
    "zone": ["", "Z", " Z", "+01", "+0100", "-1:00", "+23:59", "+24:00", "+01:60", "+1", "Z1"],
}
STRUCTURED = st.tuples(*map(st.sampled_from, PARTS.values())).map("".join)
NUMBERS = st.floats(allow_nan=False).map(repr) | st.integers(-(2**66), 2**66).map(str)


def cells(kind: str) -> st.SearchStrategy[str]:
    plain = st.text(ALPHABETS[kind], max_size=14)
    return {
        "datetime": plain | STRUCTURED,
        "number": plain | NUMBERS,
        "integer": plain | NUMBERS,
    }.get(kind, plain | st.text(max_size=8))


def trained(raw: pd.Series, kind: str, origin: Origin) -> list[Any]:
    """Return what training makes of the cells: encoded, None where it could not keep one."""
    made = {**COLUMNS[kind], "seen": None}
    of = task.Column.model_validate_json(
        json.dumps({key: made[key] for key in task.Column.model_fields if key in made})
    )
    cleaned = _clean_cells(raw.rename("x"), origin)
    typed = cast(cleaned, of, origin.decimal)
    field = Field(name="x", type=of.type, values=of.tokens)
    # A text that is blank once it is normalised is a missing one, and nothing is lost.
    lost = (cleaned.notna() & typed.isna()).to_numpy() & (kind != "text")
    return [
        None if gone else value
        for gone, value in zip(lost, encode_column(typed, field), strict=True)
    ]


def served(raw: list[object], kind: str, spelling: Spelling, has_nulls: bool = False) -> list[Any]:
    """Return what the server makes of the cells: encoded, None where it refuses one."""
    of = Column.model_validate_json(json.dumps(COLUMNS[kind]))
    read, item = make_caster(of, spelling, has_nulls), Input.of(of)
    found: list[Any] = []
    for cell in raw:
        value = read(cell)
        try:
            is_endless = kind == "number" and value in (math.inf, -math.inf)
            found.append(value if is_endless else item.encode(value))
        except MisfitError:
            found.append(None)
    return found


def same(one: list[Any], other: list[Any]) -> bool:
    return repr([*map(plain, one)]) == repr([*map(plain, other)])


def plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else float(value)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("kind", COLUMNS)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_text_is_cast_as_in_training(kind: str, decimal: str, data: st.DataObject) -> None:
    raw = data.draw(st.lists(cells(kind), min_size=1, max_size=8))
    if kind == "datetime":
        raw = [cell for cell in raw if is_of_pythons_years(cell)]
    origin = Origin(path="t.csv", decimal=decimal, missing_in={"x": ["-9"]})
    spelling = Spelling(decimal=decimal, missing=origin.missing, missing_in={"x": ("-9",)})
    expected = trained(pd.Series(raw, dtype="str"), kind, origin)
    assert same(served(list(raw), kind, spelling), expected), (raw, expected)


def is_of_pythons_years(cell: str) -> bool:
    """Say whether it is no date to pandas, or one of a year that Python has: 1 to 9999."""
    found = cast(pd.Series([cell.strip()], dtype="str"), task.Column(type="datetime"))[0]
    return bool(pd.isna(found) or 1 <= found.year <= 9999)


WORDS = st.sampled_from(["null", "None", " None", "NaN", "nan", "NA", "N/A", "?", "-9", ""])
TYPED: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), st.integers(1 - 2**53, 2**53 - 1) | st.integers(-10, 40)),
    "float64": (pa.float64(), st.floats() | st.integers(-10, 40).map(float)),
    "float32": (pa.float32(), st.floats(width=32)),
    "bool": (pa.bool_(), st.booleans()),
    "string": (pa.string(), WORDS | st.text("0123.-tTrue NA", max_size=6)),
    "date": (pa.date32(), st.dates()),
    "time": (pa.timestamp("us"), st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))),
    "zoned": (
        pa.timestamp("us", "Europe/Berlin"),
        st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
    ),
    "decimal": (pa.decimal128(12, 2), st.decimals(-1000, 1000, places=2)),
}


@pytest.mark.parametrize("dtype", TYPED)
@pytest.mark.parametrize("kind", COLUMNS)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_a_typed_cell_is_cast_as_in_training(kind: str, dtype: str, data: st.DataObject) -> None:
    arrow, values = TYPED[dtype]
    if dtype == "zoned" and kind in ("text", "category"):
        return  # a time as a text: `prepare` keeps its zone, which tells nothing
    raw = data.draw(st.lists(values | st.none(), min_size=1, max_size=6))
    file = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array(raw, arrow)}), file)
    origin = Origin(path="t.parquet", missing_in={"x": ["-9"]})
    frame = pd.read_parquet(file, to_pandas_kwargs={"ignore_metadata": True})
    spelling = Spelling(missing=origin.missing, missing_in={"x": ("-9",)})
    rows = [cells[0] for _, cells in ParquetSource(file, 10**6).rows(["x"])]
    assert same(served(rows, kind, spelling, True), trained(frame["x"], kind, origin)), raw


def test_a_text_of_parquet_that_says_null_is_a_text() -> None:
    words = ["null", "None", "nan", "NaN"]
    assert served([*words, "?", None], "text", Spelling(), True) == [*words, "", ""]
    assert served([*words, "?"], "text", Spelling()) == [""] * 5
    own = Spelling(missing_in={"x": ("None",)})
    assert served(["null", "None"], "text", own, True) == ["null", ""]


def test_what_the_contract_lists_as_a_value_is_one_in_every_file() -> None:
    of = Column.model_validate_json(json.dumps(declared("x", "category", values=["None", "some"])))
    for has_nulls in (True, False):
        read = make_caster(of, Spelling(), has_nulls)
        assert [read("None"), read("some"), read("")] == ["None", "some", None]
    assert Origin(path="t.parquet").list_missing_marks("x") == ("", "?", "NA", "N/A")
    assert "None" in Origin(path="t.csv").list_missing_marks("x")


@settings(deadline=None, max_examples=200)
@given(st.text("0123456789-.: TZ+,", max_size=25) | STRUCTURED)
@example("2020-01-05T10:30:45.123456789+01:00")
def test_a_date_is_read_alike_or_not_at_all(cell: str) -> None:
    found = cast(pd.Series([cell], dtype="str"), task.Column(type="datetime"))[0]
    read = to_utc(cell)
    if read is None:
        assert pd.isna(found) or not 1 <= found.year <= 9999
    else:
        assert pd.Timestamp(read).tz_localize(None) == found
