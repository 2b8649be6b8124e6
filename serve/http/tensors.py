"""Tensors of the Open Inference Protocol: from a request's to rows, and from answers to tensors.

An element becomes the JSON value that /predict takes for its column, so that both routes check and
answer alike: null, NaN and (where it is no value of the column) an empty text are missing.
"""

import itertools
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from serve.runtime import messages
from serve.runtime.answers import Answer
from serve.runtime.errors import RequestError
from serve.runtime.manifest import Column, Manifest

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
NUMBERS: Mapping[str, str] = {
    **{f"{sign}{bits}": f"<{sign[0].lower()}{bits // 8}"
       for sign in ("UINT", "INT") for bits in (8, 16, 32, 64)},
    "BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
TYPES: Mapping[str, Datatype] = {
    "number": "FP64",
    "integer": "INT64",
    "boolean": "BOOL",
    "datetime": "BYTES",
    "text": "BYTES",
}
LENGTH = struct.Struct("<I")
Values = list[Any]


class Part(BaseModel):
    """A part of a request: strictly typed, but with keys of other extensions left alone."""

    model_config = ConfigDict(strict=True)


class Parameters(Part):
    """Of all that a client may say besides, what asks for or announces tensors as bytes."""

    binary_data: bool | None = Field(None, description="return this output as bytes")
    binary_data_output: bool | None = Field(None, description="return every output as bytes")
    binary_data_size: Annotated[int, Field(ge=0)] | None = Field(
        None, description="the tensor's size in bytes, which follow the JSON"
    )


class RequestInput(Part):
    """A column of the rows, or one tensor with all columns in their order."""

    name: str
    shape: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=2)]
    datatype: Datatype
    parameters: Parameters | None = None
    data: list[JsonValue] | None = Field(None, description="flat or nested, row by row")

    @property
    def size(self) -> int | None:
        """How many bytes hold the values; None if they are in ``data``."""
        return self.parameters.binary_data_size if self.parameters else None


class RequestOutput(Part):
    """An output that is asked for."""

    name: str
    parameters: Parameters | None = None


class InferenceRequest(Part):
    """Rows as tensors; without ``outputs`` all of them are returned."""

    id: str | None = None
    parameters: Parameters | None = None
    inputs: Annotated[list[RequestInput], Field(min_length=1)]
    outputs: list[RequestOutput] | None = None


class MetadataTensor(BaseModel):
    """What a model takes or gives; -1 stands for the number of rows."""

    name: str
    datatype: Datatype
    shape: list[int]


@dataclass(frozen=True)
class Tensor:
    """One output for all rows: ``values`` in row-major order."""

    name: str
    datatype: Datatype
    shape: list[int]
    values: Values

    def to_bytes(self) -> bytes:
        """Return the values in little-endian order; a text as its length and its UTF-8."""
        if self.datatype != "BYTES":
            return np.array(self.values, dtype=NUMBERS[self.datatype]).tobytes()
        encoded = [text.encode() for text in self.values]
        return b"".join(LENGTH.pack(len(text)) + text for text in encoded)


def choose_datatype(column: Column) -> Datatype:
    """Return the datatype that a column is announced with; others are taken if they fit."""
    if column.values and all(isinstance(value, int) for value in column.values):
        return "INT64"
    return TYPES.get(column.type, "BYTES")


def describe_outputs(manifest: Manifest) -> list[MetadataTensor]:
    """Describe the outputs in the order in which `build_tensors` gives them."""
    target = manifest.target
    if target.labels:
        label = MetadataTensor(name="label", datatype="BYTES", shape=[-1])
        shape = [-1, len(target.labels)]
        found = [label, MetadataTensor(name="probabilities", datatype="FP64", shape=shape)]
    else:
        found = [MetadataTensor(name="value", datatype="FP64", shape=[-1])]
        if target.interval:
            found.append(MetadataTensor(name="interval", datatype="FP64", shape=[-1, 2]))
    return [*found, MetadataTensor(name="warnings", datatype="BYTES", shape=[-1])]


def build_tensors(manifest: Manifest, answers: Sequence[Answer]) -> list[Tensor]:
    """Return every output for the rows' answers; a row's warnings are a JSON list."""
    rows: list[dict[str, Any]] = [dict(answer) for answer in answers]
    if manifest.target.labels:
        for row in rows:
            row["probabilities"] = [*row["probabilities"].values()]
    for row in rows:
        row["warnings"] = json.dumps(row["warnings"])
    return [
        Tensor(
            about.name, about.datatype, [len(rows), *about.shape[1:]], [*_list_values(rows, about)]
        )
        for about in describe_outputs(manifest)
    ]


def _list_values(rows: Sequence[Mapping[str, Any]], about: MetadataTensor) -> Values:
    """Return an output's values, row by row."""
    values = [row[about.name] for row in rows]
    return values if len(about.shape) == 1 else [*itertools.chain.from_iterable(values)]


def read_rows(
    inputs: Sequence[RequestInput], columns: Sequence[Column], binary: bytes, most: int
) -> list[dict[str, Any]]:
    """Return the rows that the inputs hold, at most ``most``.

    Raises RequestError: 400 for tensors that do not belong together or hold something else than
    they say, 413 for too many rows.
    """
    count = _count_rows(inputs)
    if count > most:
        raise RequestError(413, f"{count:,} rows: a request takes at most {most:,}")
    named = _group_by_column(inputs, columns, binary)
    return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def _count_rows(inputs: Sequence[RequestInput]) -> int:
    counts = {item.shape[0] for item in inputs}
    if len(counts) > 1 or 0 in counts:
        shapes = ", ".join(f"{item.name[:80]} {item.shape}" for item in inputs[:20])
        raise RequestError(400, f"the inputs need the same number of rows, at least one: {shapes}")
    return counts.pop()


def _group_by_column(
    inputs: Sequence[RequestInput], columns: Sequence[Column], binary: bytes
) -> dict[str, Values]:
    known = {column.name: column for column in columns}
    found: dict[str, Values] = {}
    for item, values in zip(inputs, _read_all_values(inputs, binary), strict=True):
        width = len(values) // item.shape[0]
        if len(inputs) == 1 and item.name not in known and width == len(columns):
            return {
                column.name: _convert_values(values[place::width], column)
                for place, column in enumerate(columns)
            }
        if item.name in found or width != 1:
            more = "is there twice" if item.name in found else f"has {width} columns"
            raise RequestError(400, f"the input {item.name[:80]!r} {more}: send one for each")
        column = known.get(item.name)
        found[item.name] = _convert_values(values, column) if column else values
    return found


def _convert_values(values: Values, column: Column) -> Values:
    """Return a column's values as a JSON request would have them.

    Where texts and integers are the values of one category, an integer may come as a text.
    """
    texts: dict[str, str | int] = {}
    if column.values and choose_datatype(column) == "BYTES":
        texts = {str(value): value for value in column.values}
        texts |= {value: value for value in column.values if isinstance(value, str)}
    is_boolean = column.type == "boolean"
    return [_convert_value(value, texts, is_boolean) for value in values]


def _convert_value(value: Any, texts: Mapping[str, str | int], is_boolean: bool) -> Any:
    if isinstance(value, str):
        return texts.get(value, value or None)
    if isinstance(value, float) and math.isnan(value):
        return None
    return bool(value) if is_boolean and value in (0, 1) else value


def _read_all_values(inputs: Sequence[RequestInput], binary: bytes) -> Iterator[Values]:
    """Yield each input's values; bytes are taken from ``binary`` in the order of the inputs."""
    start = 0
    for item in inputs:
        size = item.size
        if (size is None) == (item.data is None):
            raise RequestError(400, f"the input {item.name[:80]!r} needs data or binary_data_size")
        if size is None:
            values = _read_json(item)
        else:
            values = _read_bytes(item, binary[start : start + size], size)
            start += size
        if len(values) != math.prod(item.shape):
            raise _describe_misfit(item, f"{len(values):,} values")
        yield values
    if start != len(binary):
        raise RequestError(
            400,
            f"{len(binary):,} bytes follow the JSON; the inputs say {start:,} with their "
            "binary_data_size, and Inference-Header-Content-Length where the JSON ends",
        )


def _read_json(item: RequestInput) -> Values:
    values = _flatten(item, item.data or [])
    for place, value in enumerate(values):
        if value is not None and not _is_of_datatype(value, item.datatype):
            raise _describe_misfit(item, f"{messages.name_value(value)} at {place} of its data")
    return values


def _flatten(item: RequestInput, rows: Values) -> Values:
    if not any(isinstance(row, list) for row in rows):
        return rows
    if any(not isinstance(row, list) or len(row) != len(rows[0]) for row in rows):
        raise _describe_misfit(item, "rows of different lengths")
    return [value for row in rows for value in row]


def _is_of_datatype(value: object, datatype: Datatype) -> bool:
    """Say whether a JSON value is of a datatype; it does not tell 3.0 from 3.

    Some clients send 1.0 for true.
    """
    if isinstance(value, bool) or datatype == "BOOL":
        return datatype == "BOOL" and value in (0, 1)
    if isinstance(value, str) or datatype == "BYTES":
        return isinstance(value, str) and datatype == "BYTES"
    if isinstance(value, float):
        return value.is_integer() or (datatype.startswith("FP") and not math.isnan(value))
    return isinstance(value, int)


def _read_bytes(item: RequestInput, content: bytes, size: int) -> Values:
    if len(content) != size:
        raise _describe_misfit(item, f"only {len(content):,} of its {size:,} bytes")
    if item.datatype == "BYTES":
        return [*_read_texts(item, content)]
    dtype = np.dtype(NUMBERS[item.datatype])
    if size % dtype.itemsize:
        raise _describe_misfit(item, f"{size:,} bytes")
    values: Values = np.frombuffer(content, dtype).tolist()
    return values


def _read_texts(item: RequestInput, content: bytes) -> Iterator[str]:
    start = 0
    while start < len(content):
        end = start + LENGTH.size
        if end <= len(content):
            end += LENGTH.unpack_from(content, start)[0]
        if not start + LENGTH.size <= end <= len(content):
            raise _describe_misfit(item, f"a text that ends behind its {len(content):,} bytes")
        try:
            yield content[start + LENGTH.size : end].decode()
        except UnicodeDecodeError as error:
            raise _describe_misfit(item, "a text that is not UTF-8") from error
        start = end


def _describe_misfit(item: RequestInput, found: str) -> RequestError:
    about = f"the input {item.name[:80]!r} of {item.datatype} in shape {item.shape}"
    return RequestError(400, f"{about} cannot hold {found}")
