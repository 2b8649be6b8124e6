"""Real servers for the tests: HTTP that can misbehave, and PostgreSQL run as an ordinary user."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "s3cr:et/p@ss%word"  # holds every character that a URL gives a meaning
START_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What the server says: ``promised`` is a Content-Length other than the body's own."""

    body: bytes = b""
    status: int = 200
    promised: int | None = None
    silent_seconds: float = 0  # before the first byte of the answer
    stalled_seconds: float = 0  # between the headers and the body


@dataclass
class FileServer:
    """Each path gives its answers in turn, the last one for ever; ``asked`` lists the paths."""

    answers: dict[str, list[Answer]]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def next_answer(self, path: str) -> Answer:
        self.asked.append(path)
        waiting = self.answers.get(path, [Answer(status=404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def http_server(answers: dict[str, Answer | list[Answer]]) -> Iterator[FileServer]:
    """Serve the answers on a free port of 127.0.0.1 from a thread; stop it at the end."""
    files = FileServer({k: v if isinstance(v, list) else [v] for k, v in answers.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(files))
    files.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(files: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = files.next_answer(self.path)
            files.closing.wait(answer.silent_seconds)
            self.send_response(answer.status)
            promised = len(answer.body) if answer.promised is None else answer.promised
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.flush()
            files.closing.wait(answer.stalled_seconds)
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output to the tests."""

        def handle(self) -> None:
            """Let a client that timed out go without a stack trace."""
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

    return Handler


def closed_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``, from PATH or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


@dataclass(frozen=True)
class Postgres:
    """A running server: its user is ``tester`` with PASSWORD, its database ``postgres``."""

    sockets: Path

    def run(self, statements: str) -> None:
        """Change something, as the owner of the data would."""
        with psycopg.connect(
            host=str(self.sockets), user="tester", password=PASSWORD, dbname="postgres"
        ) as connection:
            connection.execute(statements)

    def url(self, password: str = "$PGPASSWORD", user: str = "tester") -> str:
        return f"postgresql://{user}:{password}@/postgres?host={self.sockets}"


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start PostgreSQL in a temporary folder, on a Unix socket alone; stop it at the end."""
    binaries = postgres_binaries()
    assert binaries is not None, "PostgreSQL is not installed"
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has 107 characters
    try:
        _initialise(binaries, folder)
        with _running(binaries, folder):
            yield Postgres(folder)
    finally:
        shutil.rmtree(folder)


def _initialise(binaries: Path, folder: Path) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n")
    if user := _ordinary_user():
        for path in (folder, secret):
            shutil.chown(path, user)
    options = ["--no-sync", "--auth=scram-sha-256", "--username=tester", "--encoding=UTF8"]
    options += ["--locale=C", f"--pwfile={secret}", f"--pgdata={folder / 'data'}"]
    done = subprocess.run(
        [binaries / "initdb", *options], **_as_user(), cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def _running(binaries: Path, folder: Path) -> Iterator[None]:
    settings = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off"}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), *options]
    with (folder / "log").open("wb") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(
            command, **_as_user(), cwd="/", stdout=log, stderr=log
        )
        try:
            _wait_until_ready(server, folder)
            yield
        finally:
            _stop(server)


def _wait_until_ready(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    """The last line of postmaster.pid says "ready" once connections are taken."""
    state = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while not (state.exists() and state.read_text().rstrip().endswith("ready")):
        log = (folder / "log").read_text()
        assert server.poll() is None, f"PostgreSQL ended: {log}"
        assert time.monotonic() < deadline, f"PostgreSQL does not start: {log}"
        time.sleep(0.05)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGINT)  # "fast": ends sessions, then itself
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _ordinary_user() -> str | None:
    """Return whom to be where the tests run as root, for whom PostgreSQL refuses to start."""
    return "nobody" if os.geteuid() == 0 else None


def _as_user() -> dict[str, Any]:
    user = _ordinary_user()
    return {"user": user, "extra_groups": []} if user else {}
