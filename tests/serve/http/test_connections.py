"""Connections as bytes: what is slow, endless or half a request ends, and what is odd is read."""

import ast
import inspect
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server
from uvicorn.supervisors import Multiprocess

from serve.http import draining, protocol
from serve.http.app import create_app
from serve.http.settings import Settings
from tests.support.serve_models import HEART_ROW, write_heart
from tests.support.serving import free_port

SECONDS = 0.4  # of each deadline here
ROW = json.dumps(HEART_ROW).encode()
HEAD = b"POST /predict/heart HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(ROW)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve heart from a thread of this process, over real sockets."""
    models = tmp_path_factory.mktemp("models")
    write_heart(models)
    settings = Settings(
        models_dir=models, header_seconds=SECONDS, body_seconds=SECONDS, reload=False
    )
    found = free_port()
    config = uvicorn.Config(
        create_app(settings), port=found, http=draining.DrainingProtocol, ws="none",
        log_config=None, access_log=False, proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield found
    server.should_exit = True
    thread.join()


def ask(port: int, *parts: bytes, pause: float = 0.0) -> tuple[bytes, float]:
    """Send the parts; return all that comes back until the end, and how long that took."""
    start, answer = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
            while received := client.recv(1 << 16):
                answer += received
        except (BrokenPipeError, ConnectionResetError):
            pass
    return answer, time.monotonic() - start


def read_status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


CLOSE = b"Connection: close\r\n"
OFFERS = {
    "curl": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
    "java": b"Connection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AA\r\nUpgrade: h2c\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
}


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("cut", ["whole", "head and body", "bytes"])
def test_an_offer_of_another_protocol_costs_no_body(port: int, offer: str, cut: str) -> None:
    sent = HEAD + OFFERS[offer] + LENGTH + b"\r\n" + ROW
    after = HEAD + CLOSE + LENGTH + b"\r\n" + ROW
    place = len(sent) - len(ROW)
    parts = {
        "whole": [sent],
        "head and body": [sent[:place], sent[place:]],
        "bytes": [sent[i : i + 1] for i in range(len(sent))],
    }[cut]
    follows = [] if b"close" in OFFERS[offer] else [after]
    answer, _ = ask(port, *parts, *follows)
    assert answer.count(b"HTTP/1.1 200 OK") == 1 + len(follows)
    assert answer.count(b'"label":"ill"') == 1 + len(follows)


def test_a_tunnel_is_refused(port: int) -> None:
    for offer in (b"", OFFERS["curl"]):
        answer, _ = ask(port, b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n")
        assert read_status(answer) == 400


def test_headers_have_an_end(port: int) -> None:
    for endless in (b"X-Long: " + b"a" * 1_000, b"X-Many: a\r\n" * 100, b"/" * 1_000):
        start = HEAD if endless.startswith(b"X") else b"GET /"
        answer, taken = ask(port, start, *[endless] * 3_000)
        assert taken < 5
        if answer:  # a client that goes on sending may not see it
            assert read_status(answer) == 431
            assert b"65,536 bytes" in answer


def test_what_stands_between_chunks_has_an_end(port: int) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    _, taken = ask(port, head, *[b"X-Trailer: a\r\n" * 100] * 3_000)
    assert taken < 5


HALVES = {
    "nothing": b"",
    "half a line": b"POST /pre",
    "half its headers": HEAD,
    "no body": HEAD + LENGTH + b"\r\n",
    "half a body": HEAD + LENGTH + b"\r\n" + ROW[:9],
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "a second one": HEAD + LENGTH + b"\r\n" + ROW + b"POST /pre",
}


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request_ends_in_time(port: int, half: str) -> None:
    answer, taken = ask(port, HALVES[half])
    assert SECONDS * 0.8 < taken < SECONDS + 3
    if half == "nothing":
        assert answer == b""
        return
    last = answer[answer.rindex(b"HTTP/1.1") :]
    assert read_status(last) == 408
    assert b"did not come in time" in last
    assert answer.count(b"HTTP/1.1") == (2 if half == "a second one" else 1)


def test_a_byte_now_and_then_holds_nothing_open(port: int) -> None:
    for sent in (HEAD, HEAD + LENGTH.replace(b": ", b": 9") + b"\r\n"):
        answer, taken = ask(port, sent, *[b"a"] * 40, pause=0.05)
        assert taken < 40 * 0.05 + 1
        assert not answer or read_status(answer) == 408


def test_a_slow_body_that_keeps_coming_is_answered(port: int) -> None:
    row = ROW + b" " * 3_000  # of which each thousand gives another second
    head = HEAD + CLOSE + b"Content-Length: %d\r\n\r\n" % len(row)
    answer, taken = ask(port, head + row[:2_000], row[2_000:2_500], row[2_500:], pause=0.3)
    assert taken > 2 * SECONDS
    assert read_status(answer) == 200


def test_a_body_that_is_refused_before_its_end_is_told_once(port: int) -> None:
    head = HEAD.replace(b"application/json", b"text/plain") + b"Content-Length: 99999\r\n\r\n"
    answer, _ = ask(port, head, b"a")
    assert answer.count(b"HTTP/1.1") == 1
    assert read_status(answer) == 415


def test_one_byte_at_a_time_makes_the_same_request(port: int) -> None:
    sent = HEAD + CLOSE + LENGTH + b"\r\n" + ROW
    answer, _ = ask(port, *[sent[i : i + 1] for i in range(len(sent))])
    assert read_status(answer) == 200


def test_what_is_no_http_is_told_so_in_json(port: int) -> None:
    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"):
        answer, _ = ask(port, sent)
        assert read_status(answer) == 400
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"application/json" in head
        assert "HTTP/1.1" in json.loads(body)["detail"]


# What it is built on


def find_uses(module: object) -> tuple[set[str], set[str]]:
    """Return the names of ``self`` that a module uses, and those that it makes itself."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    used, made = set(), {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "super()"):
            is_new = isinstance(node.ctx, ast.Store) and node.attr.startswith("_")
            (made if is_new else used).add(node.attr)
    return used, made


def test_what_it_uses_of_uvicorn_is_there() -> None:
    """uvicorn promises none of it: where a release moves a name, this says which."""
    uses = [find_uses(module) for module in (protocol, draining)]
    made = set.union(*(names for _, names in uses))
    needed = set.union(*(names for names, _ in uses)) - made
    assert {"cycle", "flow", "headers", "parser", "transport", "sockets"} <= needed
    source = "".join(map(inspect.getsource, (HttpToolsProtocol, Multiprocess)))
    for name in sorted(needed):
        known = hasattr(HttpToolsProtocol, name) or f"self.{name}" in source
        assert known, f"uvicorn {uvicorn.__version__} has no {name}"
    cycle = inspect.getsource(RequestResponseCycle)
    for name in ("response_started", "response_complete", "keep_alive"):
        assert f"self.{name} = " in cycle, f"uvicorn {uvicorn.__version__} has no {name}"


def test_uvicorn_calls_what_is_changed_here() -> None:
    """A changed method that nobody calls any more would change nothing, and say nothing."""
    parser = inspect.getsource(HttpToolsProtocol)
    assert "httptools.HttpRequestParser(self)" in parser  # so the callbacks are the parser's
    assert "connection.shutdown()" in inspect.getsource(Server.shutdown)
    assert "self.terminate_all()" in inspect.getsource(Multiprocess.run)
    assert "self.sockets" in inspect.getsource(Multiprocess.init_processes)


def test_workers_let_go_of_the_port_before_they_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    steps: list[bool] = []
    workers = draining.DrainingWorkers.__new__(draining.DrainingWorkers)
    workers.sockets = [listener]
    monkeypatch.setattr(
        Multiprocess, "terminate_all", lambda _: steps.append(listener.fileno() < 0)
    )
    workers.terminate_all()
    assert steps == [True]
