"""The outermost layer, around every route: request ids, timing, counting, headers, last resort."""

import itertools
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.http.body import Headers
from serve.http.metrics.meters import Telemetry
from serve.runtime.errors import RequestError
from serve.runtime.json_rows import encode_json

log = logging.getLogger("serve.requests")
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
Header = tuple[bytes, bytes]
JSON: Header = (b"content-type", b"application/json")
ALWAYS: list[Header] = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
UNFRAMED: Header = (b"x-frame-options", b"DENY")  # a reply in JSON is not shown: pages need it
CLIENT_LEFT = 499  # counted where nobody waited for the answer

_process = os.urandom(8).hex()
_number = itertools.count(1)


class Reply(msgspec.Struct, gc=False):
    """A whole answer in JSON."""

    status: int
    content: bytes
    headers: Sequence[Header] = ()

    @classmethod
    def refusing(cls, refusal: RequestError) -> Self:
        """Return the answer that tells a client why its request was refused."""
        headers = [(name.lower().encode(), text.encode()) for name, text in refusal.headers.items()]
        return cls(refusal.status, encode_json({"detail": refusal.detail}), headers)


FAILED = Reply(500, encode_json({"detail": "the server failed; its log has this X-Request-ID"}))
# Answers a request at once, or returns None to leave it to the application.
Direct = Callable[[Scope, Headers, Receive], Awaitable[Reply] | None]


class RequestMiddleware:
    """Wraps the application: whatever happens inside, the client gets an answer and it counts."""

    def __init__(
        self, inner: ASGIApp, direct: Direct, telemetry: Telemetry, is_logged: bool
    ) -> None:
        self.inner, self.direct = inner, direct
        self.telemetry, self.is_logged = telemetry, is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; ``scope["state"]["request_id"]`` is its id from here on."""
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = choose_request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        self.telemetry.in_flight.add()
        status, method = CLIENT_LEFT, scope["method"]
        if scope["method"] == "HEAD":  # every route that gives something tells what it would give
            scope, send = {**scope, "method": "GET"}, drop_body(send)
        try:
            if answering := self.direct(scope, headers, receive):
                reply = await answering
                await send_reply(send, reply, request_id)
                status = reply.status
            else:
                status = await self._pass_on(scope, receive, send)
        except Exception:  # the last resort: an answer for the client, the reason in the log
            log.exception("failed", extra={"request_id": request_id})
            status = FAILED.status
            await send_reply(send, FAILED, request_id)
        finally:
            seconds = time.perf_counter() - started
            self.telemetry.in_flight.add(-1)
            self.telemetry.count_request(method, name_route(scope), status, seconds)
            if self.is_logged:
                log_request(scope, method, status, seconds)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Let the application answer; add the headers that every answer has; return the status."""
        status = CLIENT_LEFT

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", scope["state"]["request_id"].encode())
                message["headers"] = [*message["headers"], own, UNFRAMED, *ALWAYS]
            await send(message)

        try:
            await self.inner(scope, receive, answer)
        except Exception:
            if status == CLIENT_LEFT:
                raise
            log.exception("failed", extra={"request_id": scope["state"]["request_id"]})
        return status


def drop_body(send: Send) -> Send:
    """Return a way to send the head of an answer alone."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def choose_request_id(headers: Headers) -> str:
    """Return the client's X-Request-ID if it is short and plain, else a new one of our own."""
    sent = headers.get(b"x-request-id")
    if sent and REQUEST_ID.fullmatch(sent):
        return str(sent, "ascii")
    return f"{_process}-{next(_number)}"


def name_route(scope: Scope) -> str:
    """Return the route's template: there are few of them, however many paths clients ask for."""
    found = scope["state"].get("route") or getattr(scope.get("route"), "path", None)
    return str(found or "none")


async def send_reply(send: Send, reply: Reply, request_id: str) -> None:
    """Send an answer, with the headers that every answer has."""
    headers = [
        JSON,
        (b"content-length", b"%d" % len(reply.content)),
        (b"x-request-id", request_id.encode()),
        *ALWAYS,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.content})


def log_request(scope: Scope, method: str, status: int, seconds: float) -> None:
    """Write a line about a request; it holds nothing of its body."""
    about = {
        "request_id": scope["state"]["request_id"],
        "method": method,
        "route": name_route(scope),
        "status": status,
        "milliseconds": round(seconds * 1e3, 3),
        "client": (scope.get("client") or [None])[0],
    }
    log.info("answered", extra=about)
