"""Files that are no table, or another table than the one they seem to be."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from stages.contract.source import Origin
from stages.preparing.parsing import read_raw
from stages.shared.errors import PipelineError

WHERE = "conf/task/shop.yaml, sources"
WANTED = ["note", "size", "label"]
HEADER = "note,size,label\n"
PLAIN = HEADER + "".join(f"text number {i},{i},{i % 2}\n" for i in range(40))


def read(folder: Path, content: str | bytes, **origin: object) -> pd.DataFrame:
    path = folder / "shop.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_raw(Origin.parse({"path": str(path), **origin}, "x"), WANTED, WHERE)


def read_refusal(folder: Path, content: str | bytes, **origin: object) -> str:
    with pytest.raises(PipelineError) as refused:
        read(folder, content, **origin)
    return str(refused.value)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
DVC = b"outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 10\n  hash: md5\n  path: shop.csv\n"
OTHER_KINDS = {
    "web page": (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
    "page without doctype": (b"<HTML>\n<title>Sign in</title>", "a web page"),
    "Git LFS": (LFS, "run `git lfs pull`"),
    "DVC": (DVC, "run `dvc pull`"),
    "spreadsheet": (b"PK\x03\x04\x14\x00", "export its table as CSV"),
    "Parquet": (b"PAR1\x15\x04", "call the file .parquet"),
    "gzip": (gzip.compress(PLAIN.encode()), "unpack it"),
    "UTF-16": (PLAIN.encode("utf-16"), "write `encoding: utf-16`"),
    "UTF-16 without its mark": (PLAIN.encode("utf-16-le"), "write `encoding: utf-16-le`"),
    "the other UTF-16": (PLAIN.encode("utf-16-be"), "write `encoding: utf-16-be`"),
    "UTF-32": (PLAIN.encode("utf-32"), "write `encoding: utf-32`"),
    "zeros": (b"\0" * 900, "bytes that are zero"),
    "page behind a comment": (b"<!-- saved -->\n<html>", "a web page"),
    "page from its head": (b"<head><title>Sign in</title></head>", "a web page"),
    "store's error": (b"<Error><Code>NoSuchKey</Code></Error>", "a web page"),
    "JSON": (b'[\n  {"note": "a", "size": 1}]', "JSON"),
    "JSON lines": (b'{"note": "a", "size": 1}\n', "JSON"),
}


@pytest.mark.parametrize(("content", "words"), OTHER_KINDS.values(), ids=OTHER_KINDS.keys())
def test_what_is_no_csv_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    message = read_refusal(tmp_path, content)
    assert words in message
    assert WHERE in message


def test_utf_16_is_read_where_it_is_declared(tmp_path: Path) -> None:
    expected = read(tmp_path, PLAIN)
    pd.testing.assert_frame_equal(
        read(tmp_path, PLAIN.encode("utf-16"), encoding="utf-16"), expected
    )


def test_another_delimiter_is_suggested(tmp_path: Path) -> None:
    assert 'is `delimiter: ";"` meant?' in read_refusal(tmp_path, PLAIN.replace(",", ";"))
    assert r'is `delimiter: "\t"` meant?' in read_refusal(tmp_path, PLAIN.replace(",", "\t"))


def test_a_header_in_the_middle_is_counted_and_its_lines_are_named(tmp_path: Path) -> None:
    message = read_refusal(tmp_path, PLAIN + "\n" + PLAIN + PLAIN)
    assert "repeats its header 2 times, in lines 43, 84" in message


def test_a_value_that_is_called_like_its_column_is_no_header(tmp_path: Path) -> None:
    assert len(read(tmp_path, PLAIN + "note,7,label\n")) == 41


def test_a_last_line_cut_off_is_refused(tmp_path: Path) -> None:
    message = read_refusal(tmp_path, PLAIN + "text numb")
    assert "is cut off: line 42, the last, has 1 of 3 cells" in message
    assert "'text numb'" in message


@pytest.mark.parametrize("ending", ["whole,1,1", "   \nwhole,1,1\n", ",1,0\n\n\n"])
def test_other_ends_of_a_file_are_legal(tmp_path: Path, ending: str) -> None:
    assert len(read(tmp_path, PLAIN + ending)) == 41


def test_a_quote_swallows_lines_of_a_kind_that_comes_late(tmp_path: Path) -> None:
    """Files of several sites, one after the other: the last column is another in each."""
    early = "".join(f"text number {i},{i},phone\n" for i in range(1_500))
    late = "".join(f"text number {i},{i},film\n" for i in range(200))
    swallowing = '"an open quote,1,film\n' + 'plain,5,film\nand "its end,2,film\n'
    message = read_refusal(tmp_path, HEADER + early + late + swallowing + late)
    assert "swallows the lines after it once, in line 1702" in message


RAGGED = {
    "cut short": "short,1\n",
    "another delimiter": "other;1;0\n",
    "an open comma": "one, two,1,0\n",
    "a comma too many": "text,1,0,\n",
}


@pytest.mark.parametrize("row", RAGGED.values(), ids=RAGGED.keys())
def test_a_row_of_another_width_is_refused_at_its_line(tmp_path: Path, row: str) -> None:
    message = read_refusal(tmp_path, PLAIN + row + "whole,1,1\n")
    assert "more or fewer cells than its 3 columns, once, in line 42" in message


JOINED = {
    "with a byte-order mark": "\ufeff" + HEADER,
    "in quotes behind one": '\ufeff"note","size","label"\n',
    "in capitals": HEADER.upper(),
    "in another order": "label,note,size\n",
}


@pytest.mark.parametrize("header", JOINED.values(), ids=JOINED.keys())
def test_a_header_in_the_middle_is_known_however_it_is_written(tmp_path: Path, header: str) -> None:
    message = read_refusal(tmp_path, PLAIN + header + "text,1,1\n")
    assert "repeats its header once, in line 42" in message


def test_data_in_place_of_names_are_told(tmp_path: Path) -> None:
    message = read_refusal(tmp_path, PLAIN.removeprefix(HEADER))
    assert "its first line holds data ('text number 0, 0, 0')" in message
    assert "`header: false`" in message


@pytest.mark.parametrize("header", [HEADER, "comment,amount,class\n"])
def test_names_in_place_of_data_are_told(tmp_path: Path, header: str) -> None:
    message = read_refusal(tmp_path, PLAIN.replace(HEADER, header), header=False)
    assert "its first line seems to name the columns" in message
    assert header.strip() in message


def test_a_first_row_with_a_gap_names_no_columns(tmp_path: Path) -> None:
    rows = PLAIN.removeprefix(HEADER)
    assert len(read(tmp_path, "text,NA,?\n" + rows, header=False)) == 41


@pytest.mark.parametrize("above", ["Report of May\n\n", "# by a tool\n# of May\n", "sep=,\n"])
def test_lines_above_the_header_are_told(tmp_path: Path, above: str) -> None:
    message = read_refusal(tmp_path, above + PLAIN)
    line = len(above.splitlines()) + 1
    assert f"has its columns' names in line {line}: delete the lines above it" in message


@pytest.mark.parametrize("blank", [" ", ":", "^"])
def test_one_column_in_place_of_several_is_told(tmp_path: Path, blank: str) -> None:
    message = read_refusal(tmp_path, PLAIN.replace(",", blank))
    assert "has one column, but 3 are expected" in message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, encoding: str) -> None:
    assert len(read(tmp_path, ("\ufeff" + PLAIN).encode(encoding), encoding=encoding)) == 40


def test_utf_16_without_its_mark_is_told_where_utf_16_is_declared(tmp_path: Path) -> None:
    message = read_refusal(tmp_path, PLAIN.encode("utf-16-le"), encoding="utf-16")
    assert "utf-16-le" in message
    assert WHERE in message


def test_several_columns_without_a_name_are_no_obstacle(tmp_path: Path) -> None:
    wide = PLAIN.replace("\n", ",,\n")
    assert len(read(tmp_path, wide)) == 40


SWALLOWING = {
    "one line": 'he said "no,1,0\nmore "text,2,1\n'.replace("he said ", ""),
    "many lines": '"an open quote,1,0\n' + "plain,5,1\n" * 7 + 'and "its end,2,1\n',
}


@pytest.mark.parametrize("lines", SWALLOWING.values(), ids=SWALLOWING.keys())
def test_a_quote_that_swallows_lines_is_refused_at_its_line(tmp_path: Path, lines: str) -> None:
    message = read_refusal(tmp_path, PLAIN + lines + PLAIN[len(HEADER) :])
    assert "swallows the lines after it once, in line 42" in message
    assert "write `quoting: false`" in message


def test_without_quoting_the_same_lines_are_rows(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN + SWALLOWING["many lines"], quoting=False)
    assert len(found) == 40 + 9
    assert found["note"].iloc[40] == '"an open quote'


LEGAL = {
    "line feed": '"two\nlines, with a comma",1,0\n',
    "several commas a line": '"one, two, three\nfour, five, six",1,0\n',
    "U+2028 and U+0085": '"a\u2028b\u0085c",1,0\n',
    "an address": '"12 High Street\nLeeds, LS1 4AB\nEngland",1,0\n',
    "a quote in quotes": '"she said ""1,0""\nand left",1,0\n',
}


@pytest.mark.parametrize("line", LEGAL.values(), ids=LEGAL.keys())
def test_legal_line_breaks_are_read_exactly(tmp_path: Path, line: str) -> None:
    cell = read(tmp_path, PLAIN + line)["note"].iloc[40]
    assert cell == line[1 : line.rindex('"')].replace('""', '"')


def test_a_cell_longer_than_pythons_own_limit_is_read(tmp_path: Path) -> None:
    text = "long " * 40_000
    assert read(tmp_path, f"{HEADER}{text.strip()},1,0\n")["note"].iloc[0] == text.strip()


def test_the_likely_encoding_is_named(tmp_path: Path) -> None:
    german = "Größe und Güte der Wäsche waren schön"
    lines = "".join(f"{german},{i},0\n" for i in range(30))
    message = read_refusal(tmp_path, (HEADER + lines).encode("cp1252"))
    assert "is not utf-8: byte 0xf6" in message
    assert "it may be cp125" in message


SENTENCES = Path("../shared/data/sentiment/imdb_labelled.txt")


@pytest.mark.skipif(not SENTENCES.exists(), reason="the published sentences are not here")
def test_published_sentences_read_as_quoted_text_are_refused_not_halved() -> None:
    origin = {"path": str(SENTENCES), "delimiter": "\t", "header": False, "names": ["text", "y"]}
    with pytest.raises(PipelineError, match="swallows the lines after it"):
        read_raw(Origin.parse(origin, "x"), ["text", "y"], WHERE)
    plain = read_raw(Origin.parse({**origin, "quoting": False}, "x"), ["text", "y"], WHERE)
    assert len(plain) == 1000
