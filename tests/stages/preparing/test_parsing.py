"""Tables are read as they are written, or refused with the file and what to change."""

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract.source import Origin
from stages.preparing.parsing import read_raw
from stages.shared.errors import PipelineError

WHERE = "conf/task/shop.yaml, sources"
PLAIN = b"size,kind\n1,food\n2,books\n"
ROWS = [["1", "food"], ["2", "books"]]
SAME = {
    "plain": (PLAIN, {}),
    "byte-order mark": (b"\xef\xbb\xbf" + PLAIN, {}),
    "byte-order mark, UTF8": (b"\xef\xbb\xbf" + PLAIN, {"encoding": "UTF8"}),
    "UTF-16": (PLAIN.decode().encode("utf-16"), {"encoding": "utf-16"}),
    "CRLF": (PLAIN.replace(b"\n", b"\r\n"), {}),
    "CR": (PLAIN.replace(b"\n", b"\r"), {}),
    "no newline at the end": (PLAIN.rstrip(), {}),
    "blank lines": (b"\n\nsize,kind\n1,food\n\n2,books\n\n\n", {}),
    "blanks around cells": (b" size ,kind\n 1 ,food \n2 , books\n", {}),
    "reordered columns": (b"kind,size\nfood,1\nbooks,2\n", {}),
    "more columns": (b"id,size,note,kind,\n9,1,x,food,\n8,2,,books,\n", {}),
    "semicolons": (PLAIN.replace(b",", b";"), {"delimiter": ";"}),
    "tabs": (PLAIN.replace(b",", b"\t"), {"delimiter": "\t"}),
    "pipes": (PLAIN.replace(b",", b"|"), {"delimiter": "|"}),
    "quotes": (b'"size","kind"\n"1","food"\n"2",books\n', {}),
    "newline in the header": (b'"size","kind","a\nb"\n1,food,\n2,books,\n', {}),
    "no header": (b"1,food\n2,books\n", {"header": False}),
    "names": (b"x,1,food\ny,2,books\n", {"header": False, "names": ["id", "size", "kind"]}),
}  # fmt: skip


def read(
    folder: Path, content: bytes, wanted: tuple[str, ...] = ("size", "kind"), **origin: Any
) -> pd.DataFrame:
    path = folder / "shop.csv"
    path.write_bytes(content)
    return read_raw(Origin.parse({"path": str(path), **origin}, "x"), wanted, WHERE)


def read_refusal(folder: Path, content: bytes, **origin: Any) -> str:
    with pytest.raises(PipelineError) as caught:
        read(folder, content, **origin)
    assert str(folder / "shop.csv") in str(caught.value)
    assert WHERE in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("content", "origin"), SAME.values(), ids=SAME.keys())
def test_the_same_table_in_another_dress(
    tmp_path: Path, content: bytes, origin: dict[str, Any]
) -> None:
    found = read(tmp_path, content, **origin)
    assert list(found.columns) == ["size", "kind"]
    assert found.to_numpy().tolist() == ROWS


def test_quoted_cells_may_hold_delimiters_newlines_and_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, b'size,kind\n"1,5","a\nb"\n2,"say ""x"""\n')
    assert found.to_numpy().tolist() == [["1,5", "a\nb"], ["2", 'say "x"']]


def test_without_quoting_a_quote_is_a_character(tmp_path: Path) -> None:
    found = read(tmp_path, b'size,kind\n5",a"b\n6,"c\n', quoting=False)
    assert found.to_numpy().tolist() == [['5"', 'a"b'], ["6", '"c']]


def test_latin_1_is_read_where_it_is_declared(tmp_path: Path) -> None:
    found = read(tmp_path, "size,kind\n1,Café\n".encode("latin-1"), encoding="latin-1")
    assert found["kind"].tolist() == ["Café"]


def test_what_stands_for_missing_is_missing(tmp_path: Path) -> None:
    found = read(tmp_path, b'size,kind\n?,NA\n ? ,""\n-9,unknown\n0,None\n')
    assert found["size"].isna().tolist() == [True, True, False, False]
    assert found["kind"].isna().tolist() == [True, True, False, True]


def test_the_origin_says_what_stands_for_missing(tmp_path: Path) -> None:
    found = read(tmp_path, b"size,kind\n-9,?\n1,NA\n", missing=["-9"])
    assert found["size"].isna().tolist() == [True, False]
    assert found["kind"].tolist() == ["?", "NA"]


def test_no_type_is_guessed(tmp_path: Path) -> None:
    found = read(tmp_path, b"size,kind\n007,1e5\n1.0,true\n")
    assert found.to_numpy().tolist() == [["007", "1e5"], ["1.0", "true"]]


cells = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1))
def test_whatever_python_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("size", "kind"), *rows])
    found = read(tmp_path_factory.getbasetemp(), text.getvalue().encode(), missing=[])
    assert found.to_numpy().tolist() == [[cell.strip() for cell in row] for row in rows]


def test_the_order_is_the_one_wanted(tmp_path: Path) -> None:
    assert list(read(tmp_path, PLAIN, ("kind", "size")).columns) == ["kind", "size"]


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"nowhere.csv is not here: see .*sources, path"):
        read_raw(Origin(path=str(tmp_path / "nowhere.csv")), ["a"], WHERE)
    with pytest.raises(PipelineError, match="is not here"):
        read_raw(Origin(path=str(tmp_path)), ["a"], WHERE)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("header", [True, False])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes, header: bool) -> None:
    assert "is empty" in read_refusal(tmp_path, content, header=header)


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    assert "holds no rows" in read_refusal(tmp_path, b"size,kind\n")


def test_a_misspelt_header_gets_a_suggestion(tmp_path: Path) -> None:
    message = read_refusal(tmp_path, b"Size,kindd,x\n1,2,3\n")
    assert "size (did you mean 'Size'?)" in message
    assert "kind (did you mean 'kindd'?)" in message
    assert "It has Size, kindd, x" in message


def test_a_suggestion_does_not_mind_capitals(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"SIZE \(did you mean 'size'\?\)"):
        read(tmp_path, PLAIN, ("SIZE",))


def test_a_header_unlike_the_contract_gets_no_suggestion(tmp_path: Path) -> None:
    assert "did you mean" not in read_refusal(tmp_path, b"q,zz\n1,2\n")


@pytest.mark.parametrize(
    ("content", "seen"), [(b"1,food,x\n", "3 columns"), (b"1\n", "one column")]
)
def test_without_a_header_the_width_must_fit(tmp_path: Path, content: bytes, seen: str) -> None:
    message = read_refusal(tmp_path, content, header=False)
    assert f"has {seen}, but 2 are expected (size, kind)" in message
    assert repr(content.decode().strip()) in message


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    message = read_refusal(tmp_path, b"size,kind,size\n1,2,3\n")
    assert "more than one column is called 'size'" in message


@pytest.mark.parametrize("first", [b"1,food", b"1,food,rest"])
def test_a_row_with_too_many_cells_is_refused(tmp_path: Path, first: bytes) -> None:
    """Such as a decimal comma between commas: dropping a cell would shift the others."""
    read_refusal(tmp_path, b"size,kind\n" + first + b"\n1,5,food\n")


def test_a_row_with_too_few_cells_is_refused(tmp_path: Path) -> None:
    """Which cell is lacking nobody knows: it need not be the last."""
    read_refusal(tmp_path, b"size,kind\n1\n2,books\n")


def test_a_quote_that_never_ends_is_refused(tmp_path: Path) -> None:
    assert "EOF inside string" in read_refusal(tmp_path, b'size,kind\n1,"food\n2,books\n')


def test_another_encoding_is_refused_with_the_byte_and_its_place(tmp_path: Path) -> None:
    content = b"size,kind\n" + b"1,food\n" * 100_000 + "2,S\u00e3o Tom\u00e9\n".encode("latin-1")
    message = read_refusal(tmp_path, content)
    assert "is not utf-8: byte 0xe3 in " in message
    assert r"S\xe3o Tom\xe9" in message
    assert "encoding" in message


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    return tmp_path / "shop.parquet"


def read_parquet(path: Path, frame: pd.DataFrame, *wanted: str) -> pd.DataFrame:
    frame.to_parquet(path)
    return read_raw(Origin(path=str(path)), wanted, WHERE)


def test_parquet_keeps_its_types(parquet: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, None], "c": [True, False], "d": ["x", None]})
    pd.testing.assert_frame_equal(read_parquet(parquet, frame, *"dcba"), frame[[*"dcba"]])


def test_text_in_parquet_is_cleaned_as_in_csv(parquet: Path) -> None:
    frame = pd.DataFrame({"a": [" x ", "?", None], "b": pd.Categorical([" x ", "?", None])})
    found = read_parquet(parquet, frame, "a", "b")
    for name in "ab":
        assert found[name].iloc[0] == "x"
        assert found[name].isna().tolist() == [False, True, True]


def test_a_number_in_parquet_may_stand_for_missing_as_in_csv(parquet: Path) -> None:
    frame = pd.DataFrame({"a": [-9, 1], "b": [-9.0, 0.5], "c": [0, -9], "d": [True, False]})
    frame.to_parquet(parquet)
    origin = Origin(path=str(parquet), missing=("-9", "?"), missing_in={"c": ("0",)})
    found = read_raw(origin, [*"abcd"], WHERE)
    assert found.isna().to_numpy().tolist() == [
        [True, True, True, False],
        [False, False, True, False],
    ]


def test_an_index_in_parquet_is_a_column_or_nothing(parquet: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]}, index=pd.Index([7, 7, 9], name="id"))
    found = read_parquet(parquet, frame, "a", "id")
    assert found["id"].tolist() == [7, 7, 9]
    assert found.index.tolist() == [0, 1, 2]


def test_parquet_lacking_a_column_is_refused(parquet: Path) -> None:
    with pytest.raises(PipelineError, match="did you mean 'Size'"):
        read_parquet(parquet, pd.DataFrame({"Size": [1]}), "size")


def test_a_parquet_file_without_rows_is_refused(parquet: Path) -> None:
    with pytest.raises(PipelineError, match="holds no rows"):
        read_parquet(parquet, pd.DataFrame({"a": []}), "a")


def test_what_is_not_parquet_is_refused(parquet: Path) -> None:
    parquet.write_bytes(PLAIN)
    with pytest.raises(PipelineError, match=r"shop.parquet does not read as Parquet.*sources"):
        read_raw(Origin(path=str(parquet)), ["size"], WHERE)


def test_a_mark_of_one_column_is_a_value_in_another(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("chol,ca\n0,0\n233,1\n", encoding="utf-8")
    origin = Origin(path=str(path), missing_in={"chol": ("0",)})
    found = read_raw(origin, ["chol", "ca"], "conf/task/x.yaml")
    assert found["chol"].isna().tolist() == [True, False]
    assert found["ca"].tolist() == ["0", "1"]
