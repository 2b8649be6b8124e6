"""uvicorn's HTTP/1.1 connection with bounds: what a client sends must end, and in time.

uvicorn itself waits for ever for the rest of a request, lets headers grow without end, and loses
the body of a request that offers to go on with HTTP/2, as curl's ``--http2`` and Java's client do.
What of it this is built on, and what uvicorn could take over, is in docs/upstream/uvicorn.md.
"""

from asyncio import TimerHandle
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve.runtime.json_rows import encode_json

MAX_HEAD = 64 << 10  # bytes of a request's line and headers, and of what stands between parts
BODY_RATE = 1_000  # bytes a second that a body has to come at, once its first seconds are over
HOP = (b"upgrade", b"http2-settings")  # headers that are between two neighbours alone
LIMITS = "limits"  # their key in the state that the application's lifespan gives


class Limits(NamedTuple):
    """Seconds until a request's headers are there, and until its body is."""

    header_seconds: float = 10.0
    body_seconds: float = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which ends a connection whose request does not.

    A request that comes in one piece sets no timer.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits: Limits = self.app_state.get(LIMITS, Limits())
        self._phase: Literal["head", "body", "idle"] = "head"
        self._since = 0.0  # when the phase began
        self._received = 0  # bytes of the body
        self._unread = 0  # bytes since the parser was last done with a part
        self._offers_upgrade = False
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline:
            self._deadline.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what has come; close where it is no HTTP or too long."""
        self._unset_keepalive_if_required()
        self._unread += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.refuse(400, "this is no request of HTTP/1.1")
            return
        if self._unread > MAX_HEAD:
            self.refuse(431, f"the headers have more than {MAX_HEAD:,} bytes: send fewer")
        elif self._phase != "idle" or self._deadline:
            self._watch()

    def _parse(self, data: bytes) -> None:
        """Feed the parser; a request that offers another protocol is read as one of HTTP/1.1."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                head = self._write_head()
                self.parser = httptools.HttpRequestParser(self)
                data = head + data[offer.args[0] :]

    def _write_head(self) -> bytes:
        """Return the request's head without the offer; raises HttpParserError for a tunnel."""
        if not self._offers_upgrade:
            raise httptools.HttpParserError("CONNECT")
        kept = [(name, value) for name, value in self.headers if name not in HOP]
        lines = [
            b"%b: %b\r\n" % (name, _drop_offer(value) if name == b"connection" else value)
            for name, value in kept
        ]
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))

    # What the parser tells

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._enter("head")

    def on_headers_complete(self) -> None:
        self._offers_upgrade = any(name == b"upgrade" for name, _ in self.headers)
        self._unread = 0
        if not self.parser.should_upgrade():  # else it comes again without the offer
            self._enter("body")
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        if not self.parser.should_upgrade():
            self._enter("idle")
            super().on_message_complete()

    # Time

    def _enter(self, phase: Literal["head", "body", "idle"]) -> None:
        self._phase, self._received, self._since = phase, 0, 0.0

    def _watch(self) -> None:
        """Set the deadline of a request of which more has to come."""
        if self._phase == "idle":
            if self._deadline:
                self._deadline.cancel()
                self._deadline = None
            return
        self._since = self._since or self.loop.time()
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._count_seconds(), self._end_if_late)

    def _count_seconds(self) -> float:
        """Return how long the phase may still last."""
        most = self._limits.header_seconds
        if self._phase == "body":
            most = self._limits.body_seconds + self._received / BODY_RATE
        return self._since + most - self.loop.time()

    def _end_if_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self._phase == "idle":
            return
        if self.flow.read_paused:  # it is the server that does not read
            self._since = self.loop.time()
        if self._count_seconds() > 0:
            self._watch()
        else:
            self.refuse(408, f"the request's {self._phase} did not come in time: send it again")

    def refuse(self, status: int, reason: str) -> None:
        """Say why, unless an answer has begun or nothing was asked, and close."""
        if self.transport.is_closing():
            return
        if self._may_be_told() and (status != 408 or self.headers is not None):
            content = encode_json({"detail": reason})
            self.transport.write(
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                "content-type: application/json\r\nx-content-type-options: nosniff\r\n"
                "cache-control: no-store\r\nconnection: close\r\n"
                f"content-length: {len(content)}\r\n\r\n".encode()
                + content
            )
        self.transport.close()

    def _may_be_told(self) -> bool:
        """Say whether the client would take what it is told for the answer to this request."""
        if self.cycle is None:
            return True
        if self._phase == "body":
            return not self.cycle.response_started
        return bool(self.cycle.response_complete)


def _drop_offer(connection: bytes) -> bytes:
    """Return a header Connection without what it says of another protocol."""
    tokens = (token.strip() for token in connection.split(b","))
    return b", ".join(token for token in tokens if token.lower() not in HOP)
