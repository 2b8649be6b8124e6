"""From the bytes of a request to JSON rows, each with its place for messages."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from serve.wire import Finding, Place, RequestError

SHORT_LENGTH = 4  # digits of a Content-Length: so small a body is read before it is refused
LONGEST_INTEGER = 308  # digits that a float64 can hold; Python itself balks at 4300
SEND = "send one row as a JSON object, or a list of rows"

Row = tuple[Place, Any]
Headers = Mapping[bytes, bytes]
Receive = Callable[[], Awaitable[Any]]


class RepeatedKeys(dict[str, Any]):
    """A JSON object that named some keys more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.repeated = [name for name, count in counts.items() if count > 1]


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    """Return the body of a request.

    Raises RequestError if it is larger than ``most`` bytes (413), before it is read where its
    length is announced, or if the client leaves before its end (400).
    """
    announced = headers.get(b"content-length", b"")
    if len(announced) > SHORT_LENGTH and announced.isdigit() and int(announced[:20]) > most:
        raise too_large(most)
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise RequestError(400, "the connection was closed before the body's end")
        part: bytes = message.get("body", b"")
        body = body + part if body else part
        if len(body) > most:
            raise too_large(most)
        more = message.get("more_body", False)
    return body


def too_large(most: int) -> RequestError:
    limit = f"{most:,} bytes"
    return RequestError(413, f"the body is larger than {limit}: send fewer rows")


def check_headers(headers: Headers) -> None:
    """Raise RequestError (415) unless the body is announced as plain JSON in UTF-8."""
    announced = headers.get(b"content-type", b"")
    if announced != b"application/json":
        _check_content_type(announced.decode("latin-1").lower())
    coding = headers.get(b"content-encoding", b"identity")
    if coding != b"identity":
        seen = f"Content-Encoding {coding[:80].decode('latin-1')!r}"
        raise RequestError(415, f"{seen} is not accepted: send plain JSON")


def _check_content_type(announced: str) -> None:
    kind, _, parameters = announced.partition(";")
    if kind.strip() != "application/json":
        seen = f"Content-Type {kind.strip()[:80]!r}" if kind else "a request without Content-Type"
        raise RequestError(415, f"{seen} is not accepted: send Content-Type: application/json")
    given = dict(item.strip().partition("=")[::2] for item in parameters.split(";"))
    if given.get("charset", "utf-8").strip('"') not in ("utf-8", "utf8"):
        raise RequestError(415, f"charset {given['charset'][:80]!r} is not accepted: send UTF-8")


def rows_of(body: bytes, most: int) -> list[Row]:
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
