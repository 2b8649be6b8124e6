"""What of a table is watched: each column as numbers or categories.

A text becomes its length and the share of its words that are new; a date its weekday and, unless
time simply goes on in it, its seconds since 1970.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

Array = np.ndarray[Any, np.dtype[Any]]
Role = Literal["input", "answer"]
PART = " · "  # between a column's name and the part of it that is watched
LENGTH, WEEKDAY = "characters", "weekday"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Column:
    """One column of the table; ``role`` says whether a model reads it or answers with it."""

    name: str
    type: Literal["number", "integer", "category", "boolean", "datetime", "text"]
    role: Role = "input"


@dataclass(frozen=True)
class Plain:
    """The watched parts of a table: numbers (NaN: missing), categories as text (None: missing).

    ``texts`` has each row's set of words. ``of`` maps each part to the column that it comes from.
    """

    rows: int
    numbers: dict[str, Array]
    categories: dict[str, Array]
    texts: dict[str, list[frozenset[str]]]
    of: dict[str, str]

    def take(self, rows: Array) -> "Plain":
        """Return some of the rows."""
        return Plain(
            len(rows),
            {name: values[rows] for name, values in self.numbers.items()},
            {name: values[rows] for name, values in self.categories.items()},
            {name: [words[i] for i in rows.tolist()] for name, words in self.texts.items()},
            self.of,
        )


def make_plain(frame: pd.DataFrame, columns: Sequence[Column], order: str | None = None) -> Plain:
    """Return the watched parts of a typed table; in ``order``, a datetime, time only goes on."""
    numbers: dict[str, Array] = {}
    categories: dict[str, Array] = {}
    texts: dict[str, list[frozenset[str]]] = {}
    of: dict[str, str] = {}
    for column in columns:
        for part, values in _split_column(frame[column.name], column, column.name == order):
            of[part] = column.name
            (numbers if values.dtype.kind == "f" else categories)[part] = values
        if column.type == "text":
            texts[column.name] = [split_words(text) for text in frame[column.name]]
            of[column.name] = column.name
    return Plain(len(frame), numbers, categories, texts, of)


def split_words(text: object) -> frozenset[str]:
    """Return the different words of a text, in lower case; a missing one has none."""
    return frozenset(WORD.findall(text.casefold())) if isinstance(text, str) else frozenset()


def _split_column(cells: pd.Series, column: Column, goes_on: bool) -> Iterator[tuple[str, Array]]:
    match column.type:
        case "number" | "integer":
            yield column.name, cells.to_numpy(dtype=np.float64, na_value=np.nan)
        case "datetime":
            days = cells.dt.dayofweek.map(dict(enumerate(WEEKDAYS)))
            yield column.name + PART + WEEKDAY, _as_words(days)
            if not goes_on:
                yield column.name, _as_seconds(cells)
        case "text":
            lengths = cells.astype("str").str.len()
            yield column.name + PART + LENGTH, lengths.to_numpy(dtype=np.float64, na_value=np.nan)
        case _:
            yield column.name, _as_words(cells)


def _as_words(cells: pd.Series) -> Array:
    words = cells.astype("str").astype(object)
    return words.where(cells.notna(), None).to_numpy()


def _as_seconds(cells: pd.Series) -> Array:
    seconds = cells.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    return np.asarray(np.where(cells.isna(), np.nan, seconds), dtype=np.float64)


def list_parts(of: Mapping[str, str], column: str) -> list[str]:
    """Return the watched parts of a column."""
    return [part for part, whole in of.items() if whole == column]
