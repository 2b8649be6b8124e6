"""Reads Parquet in small batches. Importing this costs the process pyarrow, some 40 MB."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serve.files.table import Row
from serve.runtime.errors import RequestError

BATCH = 1_000  # rows
BUFFER = 1 << 20  # bytes of a column that are read at once
MAX_GROUP_BYTES = 1 << 30  # bytes of a row group once it is unpacked


class ParquetSource:
    """A table in Parquet: ``names`` are its columns.

    Raises RequestError: 400 for a file that is something else or damaged, 413 where it holds more
    than ``most`` rows.
    """

    kind = "row"  # what a row's number counts

    def __init__(self, file: BinaryIO, most: int) -> None:
        try:
            self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER)
            about = self._file.metadata
            groups = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _describe_damage(error) from error
        self.names = [str(name) for name in schema.names]
        self.integers = frozenset(
            str(field.name) for field in schema if pa.types.is_signed_integer(field.type)
        )
        self.total = about.num_rows
        if self.total > most:
            raise RequestError(413, f"{self.total:,} rows: a file may have at most {most:,}")
        if max(groups, default=0) > MAX_GROUP_BYTES:
            limit = f"{MAX_GROUP_BYTES:,} bytes"
            raise RequestError(413, f"a row group has more than {limit}: write smaller ones")

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """Yield each row's number, from 1, and its cells of the ``wanted`` columns."""
        try:
            batches = self._file.iter_batches(BATCH, columns=list(wanted), use_threads=False)
            yield from _rows(batches, wanted)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _describe_damage(error) from error

    def close(self) -> None:
        """Let go of the file, without closing it."""
        self._file.close()


def _rows(batches: Iterable[Any], wanted: Sequence[str]) -> Iterator[Row]:
    number = 0
    for batch in batches:
        columns = [_cells(batch.column(name)) for name in wanted]
        for cells in zip(*columns, strict=True):
            number += 1
            yield number, cells


def _cells(column: Any) -> list[Any]:
    """Return the cells as Python has them; times are in UTC and end at the microsecond."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        if column.type.unit == "ns":
            column = pc.floor_temporal(column, unit="microsecond")
        column = column.cast(pa.timestamp("us", "UTC" if column.type.tz else None))
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return [str(column.type)] * len(column)  # what no column of a contract can hold
    cells: list[Any] = column.to_pylist()
    return cells


def _describe_damage(error: Exception) -> RequestError:
    reason = str(error).partition("\n")[0][:300]
    return RequestError(400, f"the file cannot be read as Parquet: {reason}")
