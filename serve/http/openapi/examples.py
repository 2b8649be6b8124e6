"""Requests that a model answers, for the OpenAPI document and the page."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from serve.files.sinks import make_writer
from serve.http.tensors import choose_datatype
from serve.runtime.encode import RowError
from serve.runtime.manifest import Column, Spelling
from serve.runtime.model import Model

Row = dict[str, Any]
DATE = "2026-01-31"
TEXT = "Some words. "


def list_rows(model: Model, may_be_real: bool) -> list[Row]:
    """Return rows that the model answers: of its test, or made up from the contract alone.

    Where API keys are asked for, data must not be in what everybody may read.
    """
    if not may_be_real:
        return [make_up_row(model)]
    golden = [dict(golden.input) for golden in model.manifest.golden]
    return [row for row in golden if _fits(model, row)] or [make_up_row(model)]


def make_up_row(model: Model) -> Row:
    """Return a row of plain values, each of which the contract lets in."""
    return {column.name: _choose_value(column) for column in model.manifest.columns}


def write_csv(model: Model, rows: Sequence[Row]) -> str:
    """Return rows as a CSV file, spelled as the task's own table is."""
    spelling, names = model.manifest.spelling, [column.name for column in model.manifest.columns]
    file = io.StringIO()
    writer = make_writer(file, spelling.delimiter)
    writer.writerow(names)
    writer.writerows(
        [_format_cell(row.get(name), name, spelling) for name in names] for row in rows
    )
    return file.getvalue()


def _format_cell(value: object, name: str, spelling: Spelling) -> str:
    match value:
        case None:
            return "" if "" in spelling.missing else next(iter(spelling.missing), "")
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value).replace(".", spelling.decimal_in.get(name, spelling.decimal))
    # Where quotes are plain characters, a cell cannot hold a delimiter.
    return str(value) if spelling.quoting else str(value).replace(spelling.delimiter, " ")


def make_tensors(model: Model, row: Row) -> list[Mapping[str, Any]]:
    """Return a row as the inputs of the Open Inference Protocol; missing values are left out.

    Of a row without any value the first column is there: a request needs an input.
    """
    columns = model.manifest.columns
    given = [column for column in columns if row.get(column.name) is not None]
    return [
        {
            "name": column.name,
            "shape": [1],
            "datatype": choose_datatype(column),
            "data": [row.get(column.name)],
        }
        for column in given or columns[:1]
    ]


def _fits(model: Model, row: Row) -> bool:
    try:
        model.encoder.encode(["body"], row)
    except RowError:
        return False
    return True


def _choose_value(column: Column) -> str | int | float | bool:
    if column.values:
        return column.values[0]
    match column.type:
        case "boolean":
            return False
        case "datetime":
            return DATE
        case "text":
            return _make_text(*column.length) if column.length else TEXT.strip()
        case "integer":
            return round(_find_middle(column))
        case _:
            return round(_find_middle(column), 2)


def _find_middle(column: Column) -> float:
    """Return a number in the middle of what the model was trained on, or may be given."""
    low, high = column.seen or column.range or (0.0, 0.0)
    return low / 2 + high / 2


def _make_text(fewest: int, most: int) -> str:
    words = TEXT * (fewest // len(TEXT) + 1)
    return words.strip() if fewest <= len(words.strip()) <= most else words.replace(" ", "_")[:most]
