"""Reads Parquet in small batches. Importing this costs the process pyarrow, some 40 MB."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serve.files.table import Row
from serve.runtime.errors import RequestError

BATCH = 1_000  # rows, where a column's texts cannot make them large
BUFFER = 1 << 20  # bytes of a column that are read at once
BATCH_BYTES = 64 << 20  # that the cells of a batch may take
MAX_GROUP_BYTES = 1 << 29  # of the wanted columns of a row group, once they are unpacked
# A text in another encoding may say how it differs from the one before: few bytes, a long text.
REFERRING = frozenset({"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"})


class ParquetSource:
    """A table in Parquet: ``names`` are its columns.

    Raises RequestError: 400 for a file that is something else or damaged, 413 where it holds more
    than ``most`` rows. What a file unpacks to is bounded before it is unpacked: a few kilobytes may
    stand for gigabytes.
    """

    kind = "row"  # what a row's number counts

    def __init__(self, file: BinaryIO, most: int, most_bytes: int = sys.maxsize) -> None:
        try:
            self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER)
            self._schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _describe_damage(error) from error
        self._raw, self._most_bytes = file, most_bytes
        self.names = [str(name) for name in self._schema.names]
        self.integers = frozenset(
            str(field.name) for field in self._schema if pa.types.is_signed_integer(field.type)
        )
        self.total = self._file.metadata.num_rows
        if self.total > most:
            raise RequestError(413, f"{self.total:,} rows: a file may have at most {most:,}")

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """Yield each row's number, from 1, and its cells of the ``wanted`` columns.

        Raises RequestError: 400 for a file that is damaged, 413 for one that unpacks to too much.
        """
        plain = [name for name in wanted if not _holds_no_cells(self._schema.field(name).type)]
        self._check_groups(plain)
        try:
            yield from self._number_rows(self._iterate(plain), wanted)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _describe_damage(error) from error

    def close(self) -> None:
        """Let go of the file, without closing it."""
        self._file.close()

    def _iterate(self, plain: Sequence[str]) -> Iterator[Any]:
        """Yield batches of these columns; texts that repeat themselves are there once."""
        texts = [name for name in plain if _is_text(self._schema.field(name).type)]
        chunks = {name: self._list_chunks([name]) for name in texts}
        referring = [
            name for name in texts if all({*c.encodings} <= REFERRING for c in chunks[name])
        ]
        # Elsewhere one text may be as long as all that its chunk holds, and so may each.
        longest = [c.total_uncompressed_size for n in set(texts) - {*referring} for c in chunks[n]]
        size = min(BATCH, BATCH_BYTES // max(1, *longest, 1))
        opened = pq.ParquetFile(
            self._raw, pre_buffer=False, buffer_size=BUFFER, read_dictionary=referring
        )
        yield from opened.iter_batches(max(1, size), columns=list(plain), use_threads=False)

    def _list_chunks(self, names: Sequence[str], group: int | None = None) -> list[Any]:
        """Return what the file says of the columns' chunks, in one row group or in all."""
        about = self._file.metadata
        groups = range(about.num_row_groups) if group is None else [group]
        found = (about.row_group(g).column(c) for g in groups for c in range(about.num_columns))
        return [chunk for chunk in found if chunk.path_in_schema in names]

    def _check_groups(self, plain: Sequence[str]) -> None:
        """Raise RequestError (413) where a row group says itself that it is too large."""
        for group in range(self._file.metadata.num_row_groups):
            total = sum(c.total_uncompressed_size for c in self._list_chunks(plain, group))
            if total > MAX_GROUP_BYTES:
                raise RequestError(
                    413,
                    f"row group {group} unpacks to {total:,} bytes of the columns needed: "
                    f"at most {MAX_GROUP_BYTES:,} are read, write smaller ones",
                )

    def _number_rows(self, batches: Iterable[Any], wanted: Sequence[str]) -> Iterator[Row]:
        number, unpacked = 0, 0
        for batch in batches:
            columns = [self._read_cells(batch, name) for name in wanted]
            unpacked += sum(map(_count_characters, columns))
            if unpacked > self._most_bytes:
                seen = f"the file's texts unpack to more than {self._most_bytes:,} bytes"
                raise RequestError(413, f"{seen}: send it in parts")
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, cells

    def _read_cells(self, batch: Any, name: str) -> list[Any]:
        """Return a column's cells as Python has them."""
        kind = self._schema.field(name).type
        if _holds_no_cells(kind):
            return [str(kind)] * len(batch)  # what no column of a contract can hold
        return _list_cells(batch.column(name))


def _holds_no_cells(kind: Any) -> bool:
    """Say whether a column's values are no cells: lists and bytes are not even read."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_nested(kind) or _is_binary(kind))


def _is_binary(kind: Any) -> bool:
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(check(kind) for check in checks)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _list_cells(column: Any) -> list[Any]:
    """Return the cells as Python has them; times are in UTC and end at the microsecond."""
    if pa.types.is_dictionary(column.type):
        return _look_up(column)
    if pa.types.is_timestamp(column.type):
        if column.type.unit == "ns":
            column = pc.floor_temporal(column, unit="microsecond")
        column = column.cast(pa.timestamp("us", "UTC" if column.type.tz else None))
    cells: list[Any] = column.to_pylist()
    return cells


def _look_up(column: Any) -> list[Any]:
    """Return the cells of a column that refers to its values: each value is there once."""
    used = column.indices.unique().drop_null()
    values = _list_cells(column.dictionary.take(used))
    found = {None: None, **dict(zip(used.to_pylist(), values, strict=True))}
    return [found[code] for code in column.indices.to_pylist()]


def _count_characters(cells: Sequence[Any]) -> int:
    return sum(len(cell) for cell in cells if isinstance(cell, str))


def _describe_damage(error: Exception) -> RequestError:
    reason = str(error).partition("\n")[0][:300]
    return RequestError(400, f"the file cannot be read as Parquet: {reason}")
