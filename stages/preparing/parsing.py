"""Reads a raw table as it is written: every cell of a CSV as text, nothing guessed."""

import codecs
import csv
import difflib
import itertools
import warnings
from collections import Counter
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
from stages.preparing.quick_csv import read_quickly
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
    rows = read_lines(origin, LOOKED_AT, keep_blanks=True)
    if any(cell.lstrip().startswith('"') for cell in rows[0][1]):  # quoted after a blank
        rows = read_lines(origin, LOOKED_AT)
    first, *others = _fit_header(rows)
    return [first.removeprefix(MARK), *others]


def _read_parquet(path: Path, where: str) -> pd.DataFrame:
    try:
        with path.open("rb") as file:
            frame = pd.read_parquet(
                file,
                engine="pyarrow",
                to_pandas_kwargs={"ignore_metadata": True},  # no index
            )
    except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's own derive from them
        raise PipelineError(f"{path} does not read as Parquet: {error}; see {where}") from error
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    _check_unique(list(frame.columns), path, where)
    return frame


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
    if origin.is_plain and len(_read_first_rows(path, origin, 1)[0][1]) == len(names):
        quick = read_quickly(path, origin, names)
        return _read_plainly(path, origin, names) if quick is None else quick
    with path.open(encoding=_choose_encoding(origin), newline="") as file:
        rows = list(filter(is_filled, _make_reader(file, origin)))[origin.header :]
    columns = pd.Index([name or f" {place}" for place, name in enumerate(names)])
    return pd.DataFrame(rows, columns=columns, dtype="str")


def _read_plainly(path: Path, origin: Origin, names: list[str]) -> pd.DataFrame:
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
            skipinitialspace=True,
        )


def _read_names(path: Path, origin: Origin, expected: Sequence[str], where: str) -> list[str]:
    """Return the names in the first line, or the expected ones where there is no header."""
    rows = _read_first_rows(path, origin)
    if not rows:
        raise PipelineError(f"{path} is empty: see {where}, path")
    _, first = rows[0]
    if origin.header:
        first = _fit_header(rows)
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
    _check_unique(names, path, where)
    return names


def _fit_header(rows: Sequence[tuple[int, list[str]]]) -> list[str]:
    """Return the names in the first row, one for each cell of the rows below it.

    A delimiter too many ends a header, or every row; R leaves the name of the rows' names out.
    """
    (_, first), *rest = rows
    below = [row for _, row in rest]
    if len({*map(len, below)}) != 1:
        return first
    width = len(below[0])
    if width < len(first) and not any(map(str.strip, first[width:])):
        return first[:width]
    if width != len(first) + 1:
        return first
    if not any(row[-1].strip() for row in below):
        return [*first, ""]
    return ["", *first] if _name_rows([row[0].strip() for row in below]) else first


def _name_rows(cells: Sequence[str]) -> bool:
    """Say whether cells count rows from one, or are words that differ."""
    counted = list(cells) == [str(number) for number in range(1, len(cells) + 1)]
    words = len({*cells}) == len(cells) and not any(map(NUMBER.fullmatch, cells))
    return len(cells) > 1 and (counted or words)


def _check_unique(names: Sequence[str], path: Path, where: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if twice:
        raise PipelineError(f"{path}: more than one column is called {twice[0]!r}; see {where}")


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


def _read_first_rows(
    path: Path, origin: Origin, count: int = LOOKED_AT
) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not blank, each with the line in which it ends."""
    return read_lines(origin.model_copy(update={"path": str(path)}), count)


def read_lines(
    origin: Origin, count: int, strict: bool = False, keep_blanks: bool = False
) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not blank, each with the line in which it ends.

    Raises csv.Error where ``strict`` and a quote ends inside a cell. ``keep_blanks`` leaves those
    before a cell.
    """
    with Path(origin.path).open(encoding=_choose_encoding(origin), newline="") as file:
        lines = _make_reader(file, origin, strict, keep_blanks)
        filled = ((lines.line_num, row) for row in lines if is_filled(row))
        return list(itertools.islice(filled, count))


def find_names(origin: Origin) -> list[str]:
    """Return the columns that have a name, as `read_raw` wants them."""
    names = read_column_names(origin, (), str(origin.path))
    return [name.strip() for name in names if name.strip()]


def _clean_name(cell: str) -> str:
    return cell.removeprefix(MARK).strip()


def _format_count(cells: Sequence[str]) -> str:
    return f"{len(cells)} columns" if len(cells) > 1 else "one column"


def _make_reader(
    file: Iterable[str], origin: Origin, strict: bool = False, keep_blanks: bool = False
) -> Any:
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(
        _list_lines(file, origin),
        delimiter=origin.delimiter,
        quoting=origin.csv_quoting,
        escapechar=origin.escape,
        # A blank before a quote is no part of the cell.
        skipinitialspace=not keep_blanks or origin.delimiter == " ",
        strict=strict,
    )


def _list_lines(file: Iterable[str], origin: Origin) -> Iterable[str]:
    """Return the lines, blank where one is to be skipped: the others keep their numbers."""
    if origin.is_plain:
        return file
    skipped = frozenset(origin.skip_lines)
    lines = ("\n" if number in skipped else line for number, line in enumerate(file, 1))
    return (f"{line.rstrip()}\n" for line in lines) if origin.delimiter == " " else lines


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
