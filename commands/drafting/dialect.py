"""Finds out how a table's file is written: encoding, delimiter, quotes, header, decimal marks."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from commands.drafting.encoding import guess_file_encoding
from commands.drafting.header import find_skipped, has_header
from stages.contract.source import Origin
from stages.preparing.layout import check_content
from stages.preparing.parsing import find_names, read_lines, read_raw
from stages.shared.errors import PipelineError

MARKS = (",", ";", "\t", "|")
BLANK = " "
EVEN = 0.95  # share of rows of one width from which runs of blanks are taken for delimiters
LOOKED_AT = 500  # lines from which delimiter and header are found out
COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")  # as likely as a decimal comma
POINT_NUMBER = re.compile(r"[-+]?\d+\.\d+")
WHERE = "the command line"  # where a person would mend what cannot be read
Origin_ = dict[str, Any]  # the keys of an origin that differ from its defaults


@dataclass
class Read:
    """A table as it was read: its source as a contract says it, the cells, what was guessed."""

    origin: Origin_
    frame: pd.DataFrame
    comments: list[str] = field(default_factory=list)

    def get_decimal(self, name: str) -> str:
        """Return what stands before decimals in a column."""
        return str(self.origin.get("decimal_in", {}).get(name, self.origin.get("decimal", ".")))


def read_table(path: Path, names: Sequence[str] | None) -> Read:
    """Return how the file is written, and its cells, of which only blank ones are missing.

    ``names`` are the columns of a file without a header. Raises PipelineError for what is no table.
    """
    if path.suffix == ".parquet":
        origin: Origin_ = {"path": path.as_posix()}
        described = _describe(origin)
        return Read(origin, read_raw(described, find_names(described), WHERE))
    read = _read_layout(path, names)
    try:
        read.frame = _read(read.origin)
    except PipelineError as error:  # a quote that swallows lines, or one that never ends
        if "quote" not in str(error) and "cells" not in str(error):
            raise
        read.frame = _read_without_quotes(read.origin, error)
    _find_decimals(read)
    return read


def _read_without_quotes(origin: Origin_, refusal: PipelineError) -> pd.DataFrame:
    """Read quotes as plain characters; where that does not help, the first reason stands."""
    try:
        frame = _read({**origin, "quoting": False})
    except PipelineError:
        raise refusal from None
    origin["quoting"] = False
    return frame


def _describe(origin: Origin_) -> Origin:
    """Return the origin with blank cells alone for missing: each column's marks are found later."""
    return Origin(**origin).model_copy(update={"missing": ("",)})


def _read(origin: Origin_) -> pd.DataFrame:
    described = _describe(origin)
    return read_raw(described, origin.get("names") or find_names(described), WHERE)


def _read_layout(path: Path, names: Sequence[str] | None) -> Read:
    origin: Origin_ = {"path": path.as_posix()}
    encoding, comment = guess_file_encoding(path)
    if encoding != "utf-8":
        origin["encoding"] = encoding
    check_content(path, Origin(**origin), WHERE)
    delimiter = _find_delimiter(origin)
    if delimiter != ",":
        origin["delimiter"] = delimiter
    if _needs_escape(origin):
        origin["escape"] = "\\"
    lines = read_lines(Origin(**origin), LOOKED_AT)
    if not lines:
        raise PipelineError(f"{path} is empty")
    comments = [comment] if comment else []
    if skipped := find_skipped(lines, path):
        origin["skip_lines"] = list(skipped)
        comments += skipped.values()
    rows = [row for number, row in lines if number not in skipped]
    if names or not has_header(rows):
        given = list(names or (f"column_{i + 1}" for i in range(len(rows[0]))))
        origin |= {"header": False, "names": given}
    return Read(origin, pd.DataFrame(), comments)


def _find_delimiter(origin: Origin_) -> str:
    """Return what makes the rows most evenly wide; runs of blanks only where nothing else does."""
    even = {mark: _measure_evenness({**origin, "delimiter": mark}) for mark in (*MARKS, BLANK)}
    best = max(MARKS, key=lambda mark: even[mark])
    if even[BLANK][0] >= EVEN and even[best][0] <= 0.5 and even[BLANK][1] > 1:
        return BLANK
    return best


def _measure_evenness(origin: Origin_) -> tuple[float, int]:
    """Return the share of rows that are as wide as most, and how wide; 0 for a single column."""
    rows = [row for _, row in read_lines(Origin(**origin), LOOKED_AT)]
    if not rows:
        return 0.0, 0
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return (count / len(rows) if width > 1 else 0.0), width


def _needs_escape(origin: Origin_) -> bool:
    """Say whether quotes inside of quotes have a backslash before them: only so do rows end."""
    rows = [row for _, row in read_lines(Origin(**origin), LOOKED_AT)]
    if not any("\\" in cell for row in rows for cell in row):
        return False
    return not _reads_strictly(origin) and _reads_strictly({**origin, "escape": "\\"})


def _reads_strictly(origin: Origin_) -> bool:
    try:
        read_lines(Origin(**origin), LOOKED_AT, strict=True)
    except csv.Error:
        return False
    return True


def _find_decimals(read: Read) -> None:
    """Note what stands before decimals: in all columns, or in those that differ from most."""
    kinds = {str(name): _find_mark(read.frame[name]) for name in read.frame}
    commas = [name for name, mark in kinds.items() if mark == ","]
    points = [name for name, mark in kinds.items() if mark == "."]
    if not commas or (points and read.origin.get("delimiter", ",") == ","):
        return  # among commas a quoted pair such as "12,25" is no number
    usual, others = (",", points) if len(commas) >= len(points) else (".", commas)
    if usual == ",":
        read.origin["decimal"] = ","
    if others:
        read.origin["decimal_in"] = dict.fromkeys(others, "." if usual == "," else ",")
        read.comments.append("numbers have a decimal comma in some columns and a point in others")


def _find_mark(column: pd.Series) -> str:
    """Return the mark before the decimals of a column's numbers; nothing where there is none."""
    if not isinstance(column.dtype, pd.StringDtype):
        return ""
    cells = column.dropna().head(LOOKED_AT)
    commas, points = cells.str.fullmatch(COMMA_NUMBER), cells.str.fullmatch(POINT_NUMBER)
    whole = cells.str.fullmatch(r"[-+]?\d+").sum()
    if not len(cells) or (commas.any() and points.any()):
        return ""
    if (commas & ~cells.str.fullmatch(THOUSANDS)).any() and commas.sum() + whole == len(cells):
        return ","
    return "." if points.any() and bool(np.greater(points.sum() + whole, 0.9 * len(cells))) else ""
