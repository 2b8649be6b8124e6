"""The kinds of files that go in and come out: CSV, and Parquet where pyarrow has to be loaded."""

import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Literal, Protocol

from serve.files.csv_source import CsvSource
from serve.files.sinks import CsvSink, Layout, Sink
from serve.files.table import Row
from serve.runtime.manifest import Spelling

Format = Literal["csv", "parquet"]


class Source(Protocol):
    """A table that is read row by row; what is wrong with all of it is a RequestError."""

    kind: str
    names: list[str]
    integers: frozenset[str]

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """Yield each row's number and its cells of the ``wanted`` columns."""

    def close(self) -> None:
        """Let go of the file, without closing it."""


def open_source(
    kind: Format, file: BinaryIO, spelling: Spelling, most: int, most_bytes: int = sys.maxsize
) -> Source:
    """Return the table in a file of at most ``most`` rows; raises RequestError (400, 413).

    The rows of CSV are only counted while they are read. ``most_bytes`` bounds what the texts of a
    Parquet file unpack to.
    """
    if kind == "csv":
        return CsvSource(file, spelling)
    from serve.files.parquet_source import ParquetSource

    return ParquetSource(file, most, most_bytes)


def open_sink(
    kind: Format,
    file: BinaryIO,
    layout: Layout,
    ids_are_integers: bool,
    has_header: bool = True,
) -> Sink:
    """Return a table of answers to be written into a file; CSV may be without its header."""
    if kind == "csv":
        return CsvSink(file, layout, has_header)
    from serve.files.parquet_sink import ParquetSink

    return ParquetSink(file, layout, ids_are_integers)
