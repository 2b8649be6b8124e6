"""From a table's cell to the value that JSON would have for it.

A cell is the text of a CSV file, or what a Parquet file holds. ``stages/preparing`` reads the table
that a model is trained on; this reads a client's, in plain Python, and makes the same of every
cell: `serve.runtime.spelling` has the rules of both. What a cell cannot be stays what it is, so
that `encode` refuses it in its own words.
"""

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from serve.files.dates import to_utc
from serve.runtime.manifest import Column, Spelling
from serve.runtime.spelling import BOOLEANS, EXACT, to_token

Cast = Callable[[object], object]


class Unfit(str):
    """A cell that its column cannot hold: no reader of `encode` takes it for a text."""

    __slots__ = ()


def make_caster(column: Column, spelling: Spelling, has_nulls: bool = False) -> Cast:
    """Return a function from a column's cell to its value: None where it is missing.

    ``has_nulls`` says that the cells are of a format with nulls, as Parquet's. What the contract
    lists as a value is one.
    """
    marks = spelling.marks(column.name, has_nulls)
    is_missing = _MissingMarks(marks - {value for value in column.values or () if value in marks})
    cast = _choose_cast(column, spelling.decimal_in.get(column.name, spelling.decimal))

    def read(cell: object) -> object:
        if isinstance(cell, str):
            cell = cell.strip()
        return None if is_missing(cell) else cast(cell)

    return read


def _choose_cast(column: Column, decimal: str) -> Cast:
    match column.type:
        case "number":
            return lambda cell: _read_number(cell, decimal)
        case "integer":
            return lambda cell: _read_integer(cell, decimal)
        case "boolean":
            return _read_boolean
        case "datetime":
            return _read_date
        case "text":
            return _read_text
        case "category":
            values = {str(value): value for value in column.values or ()}
            return lambda cell: _read_category(_read_text(cell), values)


class _MissingMarks:
    """Says whether a cell stands for a missing value."""

    def __init__(self, marks: frozenset[str]) -> None:
        self.marks = marks
        numbers = (_parse_number(mark.strip()) for mark in marks)
        self.numbers = {number for number in numbers if number is not None}

    def __call__(self, cell: object) -> bool:
        if isinstance(cell, str):
            return cell in self.marks
        if isinstance(cell, float):
            return math.isnan(cell) or cell in self.numbers
        return cell is None or (type(cell) is int and cell in self.numbers)


def _parse_number(text: str) -> float | None:
    """Return the number that a text is; Python's own float takes more than a table may hold."""
    if "_" in text or not text.isascii():
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _read_number(cell: object, decimal: str) -> object:
    """Return a number, an int where its digits say so: messages show it as it was written.

    With a decimal comma a point is none: it may stand between thousands.
    """
    if not isinstance(cell, str):
        return float(cell) if isinstance(cell, int | float | Decimal) else Unfit(cell)
    text = cell
    if decimal != ".":
        text = text.replace(".", "_").replace(decimal, ".")
    number = _parse_number(text)
    if number is None:
        return Unfit(cell)
    is_whole = text.removeprefix("-").isdigit() and abs(number) < EXACT
    return int(number) if is_whole and (number or text[0] != "-") else number


def _read_integer(cell: object, decimal: str) -> object:
    number = _read_number(cell, decimal)
    if isinstance(number, int | float) and abs(number) < EXACT:
        return int(number) if float(number).is_integer() else number
    return number if isinstance(number, float) and not math.isfinite(number) else Unfit(cell)


def _read_boolean(cell: object) -> object:
    return BOOLEANS.get(_read_text(cell).lower(), Unfit(cell))


def _read_date(cell: object) -> object:
    text = cell.isoformat() if isinstance(cell, datetime) else _read_text(cell)
    return to_utc(text) or Unfit(cell)


def _read_category(text: str, values: dict[str, str | int]) -> object:
    """Return the contract's value; ``3.0`` counts as ``3`` where the contract lists ``3``."""
    return values[text] if text in values else values.get(to_token(text), text)


def _read_text(cell: object) -> str:
    return cell if isinstance(cell, str) else to_token(cell)
