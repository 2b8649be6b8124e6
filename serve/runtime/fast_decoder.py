"""The fast path of the usual request: parsed, checked and encoded in one pass of C code.

msgspec decodes a body into a type that holds what the contract lets in *and* the model was trained
on. A request that fits needs neither error nor warning, and is done. Any other, whatever is the
matter with it, takes the careful path through `json_rows` and `encode`, which alone writes
messages. So this module may refuse what is fine, but must never accept what the careful path would
not, nor read another number.
"""

import enum
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Self

import msgspec
from msgspec.structs import astuple

from serve.runtime.encode import Vector
from serve.runtime.manifest import Column

ABSENT = math.nan  # this very object marks a key that is not there; null is None
# What msgspec raises for a type that it cannot have: a name with a quotation mark, say.
NOT_ITS_TYPES = (TypeError, ValueError, NotImplementedError, OverflowError)


class Code(float, enum.Enum):
    """A category's value that counts as its index, so that to decode it is to encode it."""

    def __new__(cls, value: str | int, code: int) -> Self:
        made = float.__new__(cls, code)
        made._value_ = value
        return made

    def __repr__(self) -> str:
        return f"{self._value_!r}: {float(self)}"


class FastDecoder:
    """Decodes the usual requests of one task."""

    def __init__(self, row: type[msgspec.Struct]) -> None:
        self._width = len(row.__struct_fields__)
        self._one: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode
        self._many: Callable[[bytes], list[Any]] = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Self | None:
        """Return a decoder, or None where a column's values or name need more than a look."""
        try:
            row = _build_row(columns)
            return cls(row) if row else None
        except NOT_ITS_TYPES:
            return None

    def decode(self, body: bytes, most: int) -> list[Vector] | None:
        """Return a vector for each of at most ``most`` rows; None: take the careful path."""
        try:
            rows = [self._one(body)] if body[:1] == b"{" else self._many(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not 0 < len(rows) <= most:
            return None
        # Every key is followed by a colon: a repeated one makes them more than the values are.
        surplus = body.count(b":") - self._width * len(rows)
        vectors: list[Vector] = []
        for row in rows:
            values = astuple(row)
            surplus += values.count(ABSENT)
            vectors.append([ABSENT if value is None else value for value in values])
        return None if surplus else vectors


def _build_row(columns: Sequence[Column]) -> type[msgspec.Struct] | None:
    fields: list[Any] = []
    for number, column in enumerate(columns):
        kind = _choose_type(column)
        if kind is None:
            return None
        optional = (kind | None, ABSENT) if column.missing == "allowed" else (kind,)
        fields.append((f"column{number}", *optional))
    names = {field[0]: column.name for field, column in zip(fields, columns, strict=True)}
    return msgspec.defstruct(
        "Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
    )


def _choose_type(column: Column) -> Any:
    """Return the type of the values that need no message, or None for one that has none."""
    if column.values:
        if len({type(value) for value in column.values}) > 1:
            return None
        codes = {f"value{i}": (value, i) for i, value in enumerate(column.values)}
        return Code(column.name, codes)  # type: ignore[arg-type] # mypy takes it for a member
    if column.type == "boolean":
        return bool
    if column.type not in ("number", "integer"):
        return None
    whole = 1.0 if column.type == "integer" else None  # 3.0 is 3, as JSON has it
    bounds = [pair for pair in (column.range, column.seen) if pair]
    low, high = max((b[0] for b in bounds), default=None), min((b[1] for b in bounds), default=None)
    return Annotated[float, msgspec.Meta(ge=low, le=high, multiple_of=whole)]
