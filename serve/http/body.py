"""The bytes of a request's body, bounded, and what its headers may announce."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from serve.runtime.errors import RequestError

SHORT_LENGTH = 4  # digits of a Content-Length: so small a body is read before it is refused

Headers = Mapping[bytes, bytes]
Receive = Callable[[], Awaitable[Any]]


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
