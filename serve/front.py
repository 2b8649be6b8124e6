"""The outermost layer, around every route: request ids, timing, counting, headers, last resort."""

import itertools
import logging
import os
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.telemetry.meters import Telemetry
from serve.wire import RequestError, as_json

log = logging.getLogger("serve.requests")
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
]
NOTHING_SENT = 499  # counted where the client left before its answer
FAILED = as_json({"detail": "the server failed; its log has this request's X-Request-ID"})

_process = os.urandom(8).hex().encode()
_number = itertools.count(1)


class Front:
    """Wraps the application: whatever happens inside, the client gets an answer and it counts."""

    def __init__(self, inner: ASGIApp, telemetry: Telemetry, is_logged: bool) -> None:
        self.inner, self.telemetry, self.is_logged = inner, telemetry, is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; ``scope["state"]["request_id"]`` is its id from here on."""
        started = time.perf_counter()
        request_id = request_id_of(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), *ALWAYS]
            await send(message)

        self.telemetry.in_flight.add()
        try:
            await self.inner(scope, receive, answer)
        except RequestError as refusal:
            await refuse(answer, refusal)
        except Exception:
            log.exception("failed", extra={"request_id": state["request_id"]})
            if not status:
                await send_json(answer, 500, FAILED)
        finally:
            seconds = time.perf_counter() - started
            self.telemetry.in_flight.add(-1)
            self.telemetry.answered(
                scope["method"], route_of(scope), status or NOTHING_SENT, seconds
            )
            if self.is_logged:
                log_request(scope, status or NOTHING_SENT, seconds)


def request_id_of(scope: Scope) -> bytes:
    """Return the client's X-Request-ID if it is short and plain, else a new one of our own."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return bytes(value)
    return b"%s%08x" % (_process, next(_number))


def route_of(scope: Scope) -> str:
    """Return the route's template: there are few of them, however many paths clients ask for."""
    found = scope["state"].get("route") or getattr(scope.get("route"), "path", None)
    return str(found or "none")


def log_request(scope: Scope, status: int, seconds: float) -> None:
    """Write a line about a request; it holds nothing of its body."""
    about = {
        "request_id": scope["state"]["request_id"],
        "method": scope["method"],
        "route": route_of(scope),
        "status": status,
        "milliseconds": round(seconds * 1e3, 3),
        "client": (scope.get("client") or [None])[0],
    }
    log.info("answered", extra=about)


async def refuse(send: Send, refusal: RequestError) -> None:
    """Answer with the status and reason of a refusal."""
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    await send_json(send, refusal.status, as_json({"detail": refusal.detail}), headers)


async def send_json(
    send: Send, status: int, content: bytes, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Send a whole answer in JSON; ``more`` are further headers."""
    length = b"%d" % len(content)
    headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", length)]
    headers += more or ()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
