"""Reads a raw table as it is written: every cell of a CSV as text, nothing guessed."""

import codecs
import csv
import difflib
import itertools
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stages.contract.source import Origin
from stages.preparing.layout import (
    NUMBER,
    check_content,
    check_rows,
    is_filled,
    suggest_delimiter,
    suggest_encoding,
)
from stages.shared.errors import PipelineError

MARK = "\ufeff"  # the byte-order mark, where the encoding does not take it away
LOOKED_AT = 30  # rows among which the one that names the columns may be
LONGEST_CELL = 2**31 - 1  # Python's own limit, 131,072 characters, is less than a long text


def read_raw(origin: Origin, wanted: Iterable[str], where: str) -> pd.DataFrame:
    """Return the ``wanted`` columns of a CSV or Parquet file, in that order.

    CSV cells are text without the blanks around it; Parquet columns keep their types. Text and
    numbers are missing where the origin says so. Raises PipelineError, with ``where`` as the place
    to mend, for a file that is absent, empty, in another encoding or of another layout.
    """
    path = Path(origin.path)
    if not path.is_file():
        raise PipelineError(f"{path} is not here: see {where}, path")
    columns = list(wanted)
    if path.suffix == ".parquet":
        frame = _read_parquet(path, where)
    else:
        frame = _read_csv(path, origin, origin.names or columns, where)
    if frame.empty:
        raise PipelineError(f"{path} holds no rows: see {where}, path")
    found = frame[_find_columns(columns, list(frame.columns), path, where)]
    return found.apply(_clean_cells, origin=origin)


def read_column_names(origin: Origin, wanted: Iterable[str], where: str) -> list[str]:
    """Return the names of all columns that the file has, in their order and as they stand there."""
    path = Path(origin.path)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with path.open("rb") as file:
            return [str(name) for name in pq.read_schema(file).names]
    if not origin.header:
        return _read_names(path, origin, origin.names or list(wanted), where)
    first, *others = _read_first_rows(path, origin)[0][1]
    return [first.removeprefix(MARK), *others]


def _read_parquet(path: Path, where: str) -> pd.DataFrame:
    try:
        with path.open("rb") as file:
            return pd.read_parquet(
                file,
                engine="pyarrow",
                to_pandas_kwargs={"ignore_metadata": True},  # no index
            )
    except (ValueError, OSError) as error:  # what pyarrow's own errors derive from
        raise PipelineError(f"{path} does not read as Parquet: {error}; see {where}") from error


def _read_csv(path: Path, origin: Origin, expected: Sequence[str], where: str) -> pd.DataFrame:
    check_content(path, origin, where)
    try:
        names = _read_names(path, origin, expected, where)
        with path.open(encoding=_choose_encoding(origin), newline="") as file:
            check_rows(_make_reader(file, origin), names, path, origin, where)
        return _read_cells(path, origin, names)
    except UnicodeDecodeError as error:
        around = error.object[max(0, error.start - 20) : error.start + 20]
        raise PipelineError(
            f"{path} is not {origin.encoding}: byte {error.object[error.start]:#04x} in "
            f"{around!r}{suggest_encoding(path, error)}; say what it is in {where}, encoding"
        ) from error
    except UnicodeError as error:  # what a codec says of a byte-order mark that is lacking
        raise PipelineError(
            f"{path} is not {origin.encoding}: {error}. Without that mark, UTF-16 is utf-16-le or "
            f"utf-16-be: say what it is in {where}, encoding"
        ) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        raise PipelineError(f"{path} does not read as {where} says: {error}") from error


def _read_cells(path: Path, origin: Origin, names: list[str]) -> pd.DataFrame:
    with (
        path.open(encoding=_choose_encoding(origin), newline="") as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error", pd.errors.ParserWarning)  # the first rows are too long
        return pd.read_csv(
            file,
            sep=origin.delimiter,
            header=0 if origin.header else None,
            names=[name or f" {place}" for place, name in enumerate(names)],  # blank ones differ
            index_col=False,
            dtype=str,
            na_filter=False,
            quoting=origin.csv_quoting,
        )


def _read_names(path: Path, origin: Origin, expected: Sequence[str], where: str) -> list[str]:
    """Return the names in the first line, or the expected ones where there is no header."""
    rows = _read_first_rows(path, origin)
    if not rows:
        raise PipelineError(f"{path} is empty: see {where}, path")
    _, first = rows[0]
    names = list(map(_clean_name, first)) if origin.header else list(expected)
    if origin.header and not {*names} & {*expected}:
        _check_header(path, names, rows, expected, where)
    if len(first) != len(names) or len(first) == 1 < len(expected):
        line = origin.delimiter.join(first)
        raise PipelineError(
            f"{path} has {_format_count(first)}, but {len(expected)} are expected "
            f"({', '.join(expected)}): see {where}, names and delimiter; the first line is "
            f"{line[:200]!r}{suggest_delimiter(line, origin)}"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise PipelineError(f"{path}: more than one column is called {twice[0]!r}; see {where}")
    return names


def _check_header(
    path: Path,
    names: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    expected: Sequence[str],
    where: str,
) -> None:
    """Raise PipelineError where data stand in place of names, or the names further down."""
    below = [line for line, row in rows if {*expected} <= {*map(_clean_name, row)}]
    if below:
        raise PipelineError(
            f"{path} has its columns' names in line {below[0]}: delete the lines above it, which "
            f"begin with {names[0][:200]!r}"
        )
    if len(names) > 1 and any(NUMBER.fullmatch(name) for name in names):
        raise PipelineError(
            f"{path} names no column: its first line holds data ({', '.join(names)[:200]!r}). "
            f"Write `header: false` in {where}, and `names` where their order is another"
        )


def _read_first_rows(path: Path, origin: Origin) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not blank, each with the line in which it ends."""
    with path.open(encoding=_choose_encoding(origin), newline="") as file:
        lines = _make_reader(file, origin)
        filled = ((lines.line_num, row) for row in lines if is_filled(row))
        return list(itertools.islice(filled, LOOKED_AT))


def _clean_name(cell: str) -> str:
    return cell.removeprefix(MARK).strip()


def _format_count(cells: Sequence[str]) -> str:
    return f"{len(cells)} columns" if len(cells) > 1 else "one column"


def _make_reader(file: Iterable[str], origin: Origin) -> Any:
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(file, delimiter=origin.delimiter, quoting=origin.csv_quoting)


def _choose_encoding(origin: Origin) -> str:
    """UTF-8 with or without the byte-order mark that spreadsheets put before it."""
    return "utf-8-sig" if codecs.lookup(origin.encoding).name == "utf-8" else origin.encoding


def _clean_cells(cells: pd.Series, origin: Origin) -> pd.Series:
    marks = pd.Series(origin.list_missing_marks(str(cells.name)), dtype="str")
    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(object).infer_objects()
    if isinstance(cells.dtype, pd.StringDtype):
        cells = cells.str.strip()
        return cells.mask(cells.isin(marks))
    if pd.api.types.is_any_real_numeric_dtype(cells):
        return cells.mask(cells.isin(pd.to_numeric(marks, errors="coerce").dropna()))
    return cells


def _find_columns(wanted: list[str], names: list[str], path: Path, where: str) -> list[str]:
    absent = [name for name in wanted if name not in names]
    if absent:
        others = [str(name) for name in names if name and name not in wanted]
        lines = "\n".join(f"  {name}{_suggest_name(name, others)}" for name in absent)
        raise PipelineError(
            f"{path} lacks columns that the contract names:\n{lines}\n"
            f"It has {', '.join(map(str, names))}. Mend the file or {where}"
        )
    return wanted


def _suggest_name(name: str, others: list[str]) -> str:
    """Return a hint at a name that is spelled alike, or that holds this one or is held by it."""
    folded = {other.casefold().strip(): other for other in others}
    own = name.casefold()
    close = difflib.get_close_matches(own, folded, n=1)
    close += [
        other
        for other in folded
        if min(len(own), len(other)) > 2 and (own in other or other in own)
    ]
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""
