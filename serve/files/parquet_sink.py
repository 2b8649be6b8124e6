"""Writes results as Parquet. Importing this costs the process pyarrow, some 40 MB."""

from collections.abc import Iterable
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from serve.files.sinks import Layout
from serve.files.table import Result

GROUP = 16_384  # rows of a row group


class ParquetSink:
    """A table of answers; ids are integers if they came as such, and texts otherwise."""

    def __init__(self, file: BinaryIO, layout: Layout, ids_are_integers: bool) -> None:
        self._layout, self._waiting = layout, list[list[Any]]()
        self._schema = pa.schema(
            (name, _type(name, place, layout, ids_are_integers))
            for place, name in enumerate(layout.names)
        )
        self._texts = [pa.types.is_string(field.type) for field in self._schema]
        self._writer = pq.ParquetWriter(file, self._schema)

    def write(self, results: Iterable[Result]) -> None:
        self._waiting += map(self._layout.values, results)
        if len(self._waiting) >= GROUP:
            self._flush()

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = zip(*self._waiting, strict=True)
        arrays = [
            pa.array(map(_text, column) if is_text else column, field.type)
            for column, is_text, field in zip(columns, self._texts, self._schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._waiting.clear()


def _type(name: str, place: int, layout: Layout, ids_are_integers: bool) -> Any:
    is_id = layout.has_id and place == 1
    if place == 0 or (is_id and ids_are_integers):
        return pa.int64()
    return pa.string() if is_id or name in ("label", "warnings", "error") else pa.float64()


def _text(cell: object) -> str | None:
    """Return a text that UTF-8 can hold."""
    return None if cell is None else str(cell).encode(errors="backslashreplace").decode()
