"""From JSON rows to vectors of a value for each column, or every reason why not.

The encoding is the one of training: numbers as they are, a category as the index of its value, a
boolean as 0 or 1, a date as seconds since 1970 in UTC; NaN is missing, -1 an unseen category. A
text is normalised and stripped, and "" where it is missing.
"""

import difflib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from serve.runtime import messages, text
from serve.runtime.errors import Finding, Loc
from serve.runtime.json_rows import RepeatedKeys
from serve.runtime.manifest import Column
from serve.runtime.spelling import clean_text

Vector = list[float | str]
UNSEEN = -1.0
MAX_FINDINGS = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A date, perhaps a time, perhaps an offset from UTC; without an offset it is UTC.
DATETIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-5][0-9])?)?$"
)
INFINITE = (-math.inf, math.inf)
LONGEST_DECOMPOSITION = 4  # characters that normalising makes one of, at most
MAX_BLANKS = 1_000  # around a text, beyond its length


class RowError(Exception):
    """A row that does not fit its columns: every reason why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(findings)
        self.findings = findings


class MisfitError(Exception):
    """A value that its column does not take; ``kind`` becomes the finding's type.

    ``detail`` says more of the value than the message shows: `` of 712 characters``.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


def read_number(value: object) -> float:
    """Return a JSON number; raises MisfitError for anything else, and if it is not finite."""
    if type(value) is not float and type(value) is not int:
        raise MisfitError("wrong_type")
    try:
        number = float(value)
    except OverflowError as error:
        raise MisfitError("not_finite") from error
    if not math.isfinite(number):
        raise MisfitError("not_finite")
    return number


def read_integer(value: object) -> float:
    """Return a whole number; JSON does not tell 3.0 from 3, so both pass."""
    number = read_number(value)
    if not number.is_integer():
        raise MisfitError("wrong_type")
    return number


def read_boolean(value: object) -> float:
    if type(value) is not bool:
        raise MisfitError("wrong_type")
    return float(value)


def read_datetime(value: object) -> float:
    """Return the seconds since 1970 in UTC of an ISO 8601 date or time, to the microsecond."""
    if type(value) is not str or not re.fullmatch(DATETIME, value):
        raise MisfitError("wrong_type")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise MisfitError("wrong_type") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1) / 1e6


def make_category_reader(values: tuple[str | int, ...]) -> Callable[[object], float]:
    """Return a function from a value to its index, -1 if it is none of ``values``.

    Types count as in JSON: "3" and true are not 3, while 3.0 is the same number as 3.
    """
    index: dict[str | float, float] = {value: float(i) for i, value in enumerate(values)}

    def read(value: object) -> float:
        if type(value) is str or type(value) is int or type(value) is float:
            return index.get(value, UNSEEN)
        raise MisfitError("wrong_type")

    return read


READERS = {
    "number": read_number,
    "integer": read_integer,
    "boolean": read_boolean,
    "datetime": read_datetime,
}


@dataclass(frozen=True)
class Input:
    """A column made ready to read values: its reader, and the numbers it lets in and was shown."""

    column: Column
    read: Callable[[object], float]
    low: float  # the contract lets in from here
    high: float  # to here
    lowest: float  # the model was trained on values from here
    highest: float  # to here

    @classmethod
    def of(cls, column: Column) -> "Input | TextInput":
        if column.type == "text":
            return TextInput(column)
        seen = column.seen or INFINITE
        if column.values:
            # The lowest index keeps an unseen category, -1, out, or lets it in with a warning.
            low = UNSEEN if column.unseen == "flag" else 0.0
            return cls(column, make_category_reader(column.values), low, math.inf, 0.0, math.inf)
        return cls(column, READERS[column.type], *(column.range or INFINITE), *seen)

    def encode(self, value: object) -> float:
        """Return the number for a value, whether or not the contract lets it in."""
        return math.nan if value is None else self.read(value)

    def check(self, value: object) -> float:
        """Return the number for a value; raises MisfitError if the contract does not let it in."""
        if value is None:
            if self.column.missing == "forbidden":
                raise MisfitError("null")
            return math.nan
        number = self.read(value)
        if not self.low <= number <= self.high:
            raise MisfitError("unknown_category" if self.column.values else "out_of_range")
        return number


@dataclass(frozen=True)
class TextInput:
    """A text column made ready to read values; no text is outside those trained on."""

    column: Column
    lowest: float = -math.inf
    highest: float = math.inf

    def encode(self, value: object) -> str:
        """Return the text as models see it, whether or not the contract lets it in."""
        if value is None:
            return ""
        if type(value) is not str:
            raise MisfitError("wrong_type")
        if flaw := text.find_flaw(value):
            raise MisfitError("malformed_text", f" with {flaw}")
        return clean_text(value, self.column.normalise)

    def check(self, value: object) -> str:
        """Return the text as models see it; raises MisfitError if the contract refuses it.

        A blank text is a missing one.
        """
        fewest, most = self.column.characters
        if type(value) is str and len(value) > LONGEST_DECOMPOSITION * most + MAX_BLANKS:
            raise _make_length_misfit(value)  # normalising could not make it short enough
        cleaned = self.encode(value)
        if not cleaned and self.column.missing == "forbidden":
            raise MisfitError("null", "" if value is None else ", which is blank")
        if cleaned and not fewest <= len(cleaned) <= most:
            raise _make_length_misfit(cleaned)
        return cleaned


def _make_length_misfit(value: str) -> MisfitError:
    return MisfitError("wrong_length", f" of {len(value):,} characters")


class Encoder:
    """Holds rows against a task's columns and encodes them, each row by itself."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.inputs = tuple(Input.of(column) for column in columns)
        self.names = {column.name for column in columns}

    def encode_unchecked(self, row: Mapping[str, object]) -> Vector:
        """Return the vector of a row from the manifest, unseen categories and all.

        Raises MisfitError for a value of the wrong type.
        """
        return [item.encode(row.get(item.column.name)) for item in self.inputs]

    def encode(self, place: Loc, row: object) -> tuple[Vector, list[Finding]]:
        """Return a row's vector, a value for each column, and what there is to warn of.

        Raises RowError with everything in the row that does not fit.
        """
        if not isinstance(row, dict):
            raise RowError([_describe_non_row(place, row)])
        vector: Vector = []
        errors: list[Finding] = []
        warnings: list[Finding] = []
        for item in self.inputs:
            value = row.get(item.column.name)
            try:
                number = item.check(value)
            except MisfitError as misfit:
                errors.append(_describe_misfit(place, row, item.column, misfit))
                continue
            vector.append(number)
            if isinstance(number, float) and (number < item.lowest or number > item.highest):
                warnings.append(_describe_warning(place, item.column, value))
        errors.extend(self._find_wrong_keys(place, row))
        if errors:
            raise RowError(errors)
        return vector, warnings

    def _find_wrong_keys(self, place: Loc, row: dict[str, Any]) -> Iterator[Finding]:
        if not row.keys() <= self.names:
            unknown = (key for key in row if key not in self.names)
            for key in itertools.islice(unknown, MAX_FINDINGS):
                yield _describe_unknown_key(
                    place, key, row[key], [item.column.name for item in self.inputs]
                )
        for key in row.repeated[:MAX_FINDINGS] if isinstance(row, RepeatedKeys) else ():
            message = "the key is there more than once: send one value"
            loc = [*place, messages.cut_text(key)]
            yield Finding(
                loc=loc, msg=message, type="repeated_key", input=messages.show_value(row[key])
            )


def _describe_misfit(
    place: Loc, row: dict[str, Any], column: Column, misfit: MisfitError
) -> Finding:
    value = row.get(column.name)
    got = f"got {messages.name_value(value)}{misfit.detail}"
    there = got if column.name in row else "but the key is missing"
    kind = misfit.kind if column.name in row else "missing"
    message = f"expected {messages.describe_expected(column)}, {there}"
    return Finding(
        loc=[*place, column.name], msg=message, type=kind, input=messages.show_value(value)
    )


def _describe_non_row(place: Loc, row: object) -> Finding:
    message = f"expected an object with a key for each column, got {messages.name_value(row)}"
    return Finding(loc=place, msg=message, type="wrong_type", input=messages.show_value(row))


def _describe_unknown_key(place: Loc, key: str, value: object, names: list[str]) -> Finding:
    near = difflib.get_close_matches(key[: messages.LONGEST], names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(names)}"
    loc = [*place, messages.cut_text(key)]
    message = f"there is no such column: {hint}"
    return Finding(loc=loc, msg=message, type="unknown_key", input=messages.show_value(value))


def _describe_warning(place: Loc, column: Column, value: object) -> Finding:
    if column.values:
        kind = "unknown_category"
        message = (
            f"{messages.name_value(value)} is none of the values trained on: answered as unknown"
        )
    else:
        kind, unit = "outside_training", f" ({column.unit})" if column.unit else ""
        trained = f"{messages.format_span(column.seen or INFINITE)}{unit}"
        message = f"{messages.name_value(value)} is outside the values trained on, {trained}"
    loc = [*place, column.name]
    return Finding(loc=loc, msg=message, type=kind, input=messages.show_value(value))
