"""The bytes of a request's body, bounded, and what its headers may announce."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from serve.runtime.errors import RequestError

JSON = b"application/json"
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
    message = await _receive_part(receive)
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        body = await _read_rest(receive, bytearray(body), most)
    if len(body) > most:
        raise too_large(most)
    return body


async def _read_rest(receive: Receive, body: bytearray, most: int) -> bytes:
    """Put a body together from its parts, in a time that grows with its length alone."""
    more = True
    while more:
        message = await _receive_part(receive)
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large(most)
        more = message.get("more_body", False)
    return bytes(body)


async def _receive_part(receive: Receive) -> Any:
    message = await receive()
    if message["type"] != "http.request":
        raise RequestError(400, "the connection was closed before the body's end")
    return message


def too_large(most: int) -> RequestError:
    limit = f"{most:,} bytes"
    return RequestError(413, f"the body is larger than {limit}: send fewer rows")


def check_headers(headers: Headers) -> None:
    """Raise RequestError (415) unless the body is announced as plain JSON in UTF-8."""
    if headers.get(b"content-type") == JSON and b"content-encoding" not in headers:
        return  # nearly always
    check_media_type(headers, (JSON.decode(),))


def check_media_type(
    headers: Headers, taken: Sequence[str], what: str = "", may_be_absent: bool = False
) -> None:
    """Raise RequestError (415) unless a body is announced as one of ``taken``, plain and in UTF-8.

    Every route that takes a body asks here: what one of them refuses, no other reads wrongly.
    ``what`` says what to send.
    """
    announced = headers.get(b"content-type", b"").decode("latin-1")
    kind, _, parameters = announced.partition(";")
    kind = kind.strip().lower()
    if kind not in taken and not (may_be_absent and not kind):
        seen = f"Content-Type {kind[:80]!r}" if kind else "a request without Content-Type"
        raise RequestError(415, f"{seen} is not accepted: send {what}Content-Type: {taken[0]}")
    given = dict(item.strip().partition("=")[::2] for item in parameters.lower().split(";"))
    if (charset := given.get("charset", "utf-8").strip("\"' ")) not in ("utf-8", "utf8"):
        raise RequestError(415, f"charset {charset[:80]!r} is not accepted: send UTF-8")
    coding = headers.get(b"content-encoding", b"identity")
    if coding != b"identity":
        seen = f"Content-Encoding {coding[:80].decode('latin-1')!r}"
        raise RequestError(415, f"{seen} is not accepted: send it plain")
