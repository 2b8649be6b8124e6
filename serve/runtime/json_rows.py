"""JSON rows, each with its place for messages, from the bytes of a request; and back."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from serve.runtime.errors import Finding, Loc, RequestError

LONGEST_INTEGER = 308  # digits that a float64 can hold; Python itself balks at 4300
SEND = "send one row as a JSON object, or a list of rows"

Row = tuple[Loc, Any]


class RepeatedKeys(dict[str, Any]):
    """A JSON object that named some keys more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.repeated = [name for name, count in counts.items() if count > 1]


def parse_rows(body: bytes, most: int) -> list[Row]:
    """Return the rows of a body, at most ``most``.

    Raises RequestError if it cannot be read (400), is an empty list (422) or too long a one (413).
    """
    content = parse(body)
    if not isinstance(content, list):
        return [(["body"], content)]
    if not content:
        message = f"the list is empty: {SEND}"
        raise RequestError(422, [Finding(loc=["body"], msg=message, type="empty_list", input=[])])
    if len(content) > most:
        raise RequestError(413, f"{len(content):,} rows: a request takes at most {most:,}")
    return [(["body", index], row) for index, row in enumerate(content)]


def parse(body: bytes) -> object:
    """Return the content of a JSON body; raises RequestError (400) that says where it breaks."""
    if not body.strip():
        raise RequestError(400, f"the body is empty: {SEND}")
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_int=_integer)
    except UnicodeDecodeError as error:
        seen = f"byte 0x{body[error.start]:02x} at position {error.start}"
        raise RequestError(400, f"the body is not UTF-8: {seen}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestError(400, f"the body is not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise RequestError(400, f"the body is nested too deeply: {SEND}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    return content if len(content) == len(pairs) else RepeatedKeys(pairs)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def encode_json(content: Mapping[str, object] | Sequence[object]) -> bytes:
    """Return JSON in ASCII alone: a lone surrogate in what a client sent must not break it."""
    return json.dumps(content, allow_nan=False).encode("ascii")
