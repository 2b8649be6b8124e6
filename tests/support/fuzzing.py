"""Bodies that no client should send, made from ones that it may, and a way to send thousands."""

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serve.http.app import Service
from tests.support.heart_tables import GOOD, HEART_COLUMNS, make_csv, make_parquet
from tests.support.serve_models import HEART_ROW

TENSORS = {
    "inputs": [
        {"name": name, "shape": [1], "datatype": kind, "data": [value]}
        for name, kind, value in (("age", "INT64", 63), ("sex", "INT64", 1), ("chol", "FP64", 233))
    ]
}
PIECES = (
    *(
        b"",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\xef\xbb\xbf",
        b'"',
        b"\\",
        b"'",
    ),
    *(b"{", b"}", b"[", b"]", b":", b",", b"\n", b"\r", b"[" * 600, b'{"a":' * 600, b"-", b"e"),
    *(b"NaN", b"Infinity", b"1e999", b"-0", b"9" * 400, b"0.1e", b"null", b"true", b"1_0", b"\x1f"),
    *(
        b'"age":1,',
        b"PAR1",
        b"__proto__",
        b"%s%n",
        "é\u202e\U0001f600".encode(),
        b"\xff\xff\xff\x7f",
    ),
)
KINDS = ("application/json", "text/csv", "application/vnd.apache.parquet", "", "text/plain;\xff")


@dataclass(frozen=True)
class Target:
    """A route, the media type that it takes, and a body that it answers with 200."""

    path: str
    kind: str
    body: bytes


def targets() -> list[Target]:
    """Return every route that takes a body, for the task heart."""
    row, rows = json.dumps(HEART_ROW).encode(), json.dumps([HEART_ROW, HEART_ROW]).encode()
    table = make_csv(GOOD.format("a"), GOOD.format("b"))
    infer = json.dumps(TENSORS).encode()
    return [
        Target("/predict", KINDS[0], row),
        Target("/predict/heart", KINDS[0], rows),
        Target("/explain/heart", KINDS[0], row),
        Target("/v2/models/heart/infer", KINDS[0], infer),
        Target("/predict/heart/csv", KINDS[1], table),
        Target("/predict/heart/parquet", KINDS[2], make_parquet(**HEART_COLUMNS)),
        Target("/admin/reload", KINDS[0], b"{}"),
    ]


def broken(body: bytes, rng: random.Random) -> bytes:
    """Return a body with one to four things done to it."""
    made = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(made) + 1)
        end = min(len(made), start + rng.choice((0, 1, 2, 8, 40)))
        match rng.randrange(6):
            case 0:
                made[start:end] = rng.choice(PIECES)
            case 1:
                del made[start:end]
            case 2:
                made[start:start] = made[start:end] * rng.randint(1, 30)
            case 3:
                made[start:end] = bytes(rng.randrange(256) for _ in range(end - start))
            case 4:
                del made[start:]
            case _:
                other = rng.randrange(len(made) + 1)
                made[start:end] = made[other : other + 20]
    return bytes(made)


@dataclass(frozen=True)
class Sent:
    """A request of the fuzzer, and what came back."""

    target: Target
    kind: str
    body: bytes
    status: int
    headers: dict[bytes, bytes]
    answer: bytes

    @property
    def is_sound(self) -> bool:
        """Say whether it was answered, or refused in JSON with a reason."""
        if self.status == 200:
            return True
        if not 400 <= self.status < 500 or self.headers[b"content-type"] != b"application/json":
            return False
        found = json.loads(self.answer)
        return bool(found.get("detail") or found.get("error"))


def fuzz(app: Service, count: int, seed: int) -> Iterator[Sent]:
    """Yield ``count`` requests with broken bodies to each route in turn, and their answers."""
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        rng, routes = random.Random(seed), targets()
        for number in range(count):
            target = routes[number % len(routes)]
            kind = target.kind if rng.random() < 0.95 else rng.choice(KINDS)
            yield runner.run(_send(app, target, kind, broken(target.body, rng)))
        runner.run(lifespan.__aexit__(None, None, None))


async def _send(app: Service, target: Target, kind: str, body: bytes) -> Sent:
    headers = [(b"content-type", kind.encode("latin-1")), (b"host", b"x")]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": target.path,
        "raw_path": target.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "app": app,
    }
    half = len(body) // 2
    waiting = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        return await asyncio.Future()  # the client stays

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await app(scope, receive, send)  # type: ignore[arg-type] # plain dicts
    content = b"".join(message.get("body", b"") for message in answered[1:])
    start = answered[0]
    return Sent(target, kind, body, start["status"], dict(start["headers"]), content)
