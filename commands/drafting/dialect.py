"""Finds out how a table's file is written: encoding, delimiter, quotes, header, decimal mark."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stages.contract.source import Origin
from stages.preparing.layout import UTF_16, WESTERN, check_content, guess_encoding
from stages.preparing.parsing import read_raw
from stages.shared.errors import PipelineError

MARKS = (",", ";", "\t", "|")
LOOKED_AT = 500  # lines from which delimiter and header are found out
SLICE = 1 << 20  # bytes of a file from which its encoding is guessed
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?")
COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")  # as likely as a decimal comma
POINT_NUMBER = re.compile(r"[-+]?\d+\.\d+")
WHERE = "the command line"  # where a person would mend what cannot be read
Origin_ = dict[str, Any]  # the keys of an origin that differ from its defaults


def read_table(path: Path, names: Sequence[str] | None) -> tuple[Origin_, pd.DataFrame]:
    """Return how the file is written, as a contract's source says it, and its cells.

    ``names`` are the columns of a file without a header. Raises PipelineError for what is no table.
    """
    if path.suffix == ".parquet":
        origin: Origin_ = {"path": path.as_posix()}
        return origin, read_raw(Origin(**origin), _parquet_columns(path), WHERE)
    origin = _read_layout(path, names)
    try:
        frame = _read(origin)
    except PipelineError:  # a quote that swallows lines, or one that never ends
        origin["quoting"] = False
        frame = _read(origin)
    if origin.get("delimiter") != "," and _uses_decimal_comma(frame):
        origin["decimal"] = ","
    return origin, frame


def _read(origin: Origin_) -> pd.DataFrame:
    described = Origin(**origin)
    columns = origin.get("names") or _read_first_rows(described, 1)[0]
    return read_raw(described, [cell.strip() for cell in columns if cell.strip()], WHERE)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        return list(pq.read_schema(file).names)


def _read_layout(path: Path, names: Sequence[str] | None) -> Origin_:
    origin: Origin_ = {"path": path.as_posix()}
    encoding = _guess_encoding(path)
    if encoding != "utf-8":
        origin["encoding"] = encoding
    check_content(path, Origin(**origin), WHERE)
    rows = {
        mark: _read_first_rows(Origin(**{**origin, "delimiter": mark}), LOOKED_AT) for mark in MARKS
    }
    delimiter = max(MARKS, key=lambda mark: _measure_evenness(rows[mark]))
    found = rows[delimiter]
    if not found:
        raise PipelineError(f"{path} is empty")
    if delimiter != ",":
        origin["delimiter"] = delimiter
    if names or not _has_header(found):
        width = len(found[0])
        origin |= {
            "header": False,
            "names": list(names or (f"column_{i + 1}" for i in range(width))),
        }
    return origin


def _guess_encoding(path: Path) -> str:
    """Return the mark's encoding, UTF-8 where the file is that, else the likeliest."""
    with path.open("rb") as file:
        head = file.read(SLICE)
    if head.startswith(UTF_16):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while piece := file.read(SLICE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        with path.open("rb") as file:
            file.seek(max(0, error.start - SLICE // 2) if error.start > SLICE else 0)
            return guess_encoding(file.read(SLICE)) or WESTERN
    return "utf-8"


def _read_first_rows(origin: Origin, count: int) -> list[list[str]]:
    encoding = "utf-8-sig" if origin.encoding == "utf-8" else origin.encoding
    rows: list[list[str]] = []
    with Path(origin.path).open(encoding=encoding, newline="") as file:
        for row in csv.reader(file, delimiter=origin.delimiter):
            if row:
                rows.append(row)
            if len(rows) == count:
                break
    return rows


def _measure_evenness(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Return the share of rows that are as wide as most, and how wide; 0 for a single column."""
    if not rows:
        return 0.0, 0
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return (count / len(rows) if width > 1 else 0.0), width


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the first row names the columns.

    Words above most columns of numbers are the surest sign; a table of words alone must hold no
    number in its first row, and repeat none of its words in the same column.
    """
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    columns = list(zip(*(row for row in rest if len(row) == len(first)), strict=True))
    above = [
        name for name, column in zip(first, columns, strict=False) if _are_mostly_numbers(column)
    ]
    if above:
        return 2 * sum(bool(NUMBER.fullmatch(name)) for name in above) < len(above)
    return not any(NUMBER.fullmatch(name) for name in first) and not any(
        name in {c.strip() for c in col} for name, col in zip(first, columns, strict=False)
    )


def _are_mostly_numbers(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and sum(bool(NUMBER.fullmatch(cell)) for cell in filled) > 0.5 * len(filled)


def _uses_decimal_comma(frame: pd.DataFrame) -> bool:
    """Say whether numbers with a comma occur in some column, and none with a point there."""
    for name in frame:
        cells = frame[name].dropna().head(LOOKED_AT).astype(str)
        commas = cells.str.fullmatch(COMMA_NUMBER)
        numbers = commas.sum() + cells.str.fullmatch(r"[-+]?\d+").sum()
        if (
            (commas & ~cells.str.fullmatch(THOUSANDS)).any()
            and numbers == len(cells)
            and not cells.str.fullmatch(POINT_NUMBER).any()
        ):
            return True
    return False
